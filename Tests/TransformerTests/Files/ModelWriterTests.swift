import Foundation
import Rollouts
import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite("Writing a model's folder")
struct ModelWriterTests {
  @Test(
    "A folder that was read and written again says the same, in the type that was asked for",
    .enabled(if: SharedFiles.has("golden/models/qwen2")),
    arguments: ["qwen2", "llama3-rope", "mistral"])
  func writesAgain(_ name: String) throws {
    let source = SharedFiles.url("golden/models/\(name)")
    let configuration = try ModelConfiguration(folder: source)
    let folder = try TemporaryFolder()
    try ModelWriter.write(configuration, elementType: .bfloat16, to: folder.url)
    #expect(try folder.names() == ["config.json", "generation_config.json"])
    let again = try ModelConfiguration(folder: folder.url)
    var expected = configuration.original
    expected["dtype"] = "bfloat16"
    #expect(again.original == expected)
    #expect(again.generation == configuration.generation)
    #expect(again.tensorLayout == configuration.tensorLayout)
  }

  @Test("The tokenizer's files are copied, and only those")
  func tokenizer() throws {
    let source = try TemporaryFolder()
    for name in ["tokenizer.json", "chat_template.jinja", "config.json", "notes.txt"] {
      try source.write(name, to: name)
    }
    let target = try TemporaryFolder()
    try ModelWriter.copyTokenizer(from: source.url, to: target.url)
    #expect(try target.names() == ["chat_template.jinja", "tokenizer.json"])
  }
}
