import Foundation
import Tensors
import TestSupport
import Testing

@testable import Transformer

@Suite("The golden models' files")
struct GoldenModelFilesTests {
  @Test(
    "Configuration and weights agree, and the weights can be read",
    .enabled(if: SharedFiles.has("golden/models") && SharedFiles.has("models/stories260K")),
    arguments: [
      "golden/models/llama-gqa", "golden/models/llama-tied", "golden/models/llama3-rope",
      "golden/models/qwen2", "golden/models/qwen3", "golden/models/mistral", "models/stories260K",
    ])
  func loads(_ path: String) throws {
    let folder = SharedFiles.url(path)
    let configuration = try ModelConfiguration(folder: folder)
    let weights = try WeightFiles(folder: folder)
    try weights.check(against: configuration)
    #expect(weights.elementType == .float32)
    for tensor in configuration.tensorLayout {
      let values = try weights.values(tensor.name)
      #expect(values.allSatisfy { $0.isFinite }, "\(tensor.name)")
      #expect(values.contains { $0 != 0 } || tensor.name.hasSuffix("bias"), "\(tensor.name)")
    }
  }

  @Test(
    "stories260K has the size that its card gives",
    .enabled(if: SharedFiles.has("models/stories260K")))
  func stories() throws {
    let configuration = try ModelConfiguration(folder: SharedFiles.url("models/stories260K"))
    #expect(configuration.parameterCount == 260_032)
    #expect(configuration.beginTokenID == 1)
    #expect(configuration.endTokenIDs == [1])
    #expect(configuration.padTokenID == 2)
  }
}
