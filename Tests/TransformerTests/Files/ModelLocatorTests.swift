import Foundation
import Testing

@testable import Transformer

@Suite("Finding a model by path or hub name")
struct ModelLocatorTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Puts a model in a hub cache as Hugging Face's tools do.
  private func cache(_ name: String, in hub: String, weights: String = "model.safetensors") throws
    -> URL
  {
    let model = "\(hub)/models--\(name)"
    try folder.write("0123abc\n", to: "\(model)/refs/main")
    try folder.write("{}", to: "\(model)/snapshots/0123abc/config.json")
    try folder.write("x", to: "\(model)/snapshots/0123abc/\(weights)")
    return folder.url.appendingPathComponent("\(model)/snapshots/0123abc")
  }

  @Test("A folder is taken as it is, also below the home folder")
  func folders() throws {
    let model = try folder.write("{}", to: "my/model/config.json").deletingLastPathComponent()
    #expect(try ModelLocator.locate(model.path, environment: [:]).path == model.path)
    #expect(
      try ModelLocator.locate("~/my/model", environment: ["HOME": folder.url.path]).path
        == model.path)
  }

  @Test(
    "A hub name is found in the cache that the environment names",
    arguments: [
      ("hub", ["HF_HUB_CACHE": "hub", "HF_HOME": "other"]),
      ("home/hub", ["HF_HOME": "home", "HOME": "other"]),
      ("cache/huggingface/hub", ["XDG_CACHE_HOME": "cache", "HOME": "other"]),
      (".cache/huggingface/hub", ["HOME": "."]),
      (".cache/huggingface/hub", ["HF_HOME": "", "HOME": "."]),
    ])
  func cached(_ hub: String, _ variables: [String: String]) throws {
    let snapshot = try cache("Qwen--Qwen2.5-0.5B", in: hub)
    let environment = variables.mapValues {
      $0.isEmpty ? "" : $0 == "." ? folder.url.path : folder.url.appendingPathComponent($0).path
    }
    let found = try ModelLocator.locate("Qwen/Qwen2.5-0.5B", environment: environment)
    #expect(found.standardizedFileURL.path == snapshot.standardizedFileURL.path)
  }

  @Test("A hub name that is not here ends with the command that downloads it")
  func download() throws {
    // A snapshot without weights (only the tokenizer was wanted) does not count.
    _ = try cache("Qwen--Qwen2.5-0.5B", in: "hub", weights: "tokenizer.json")
    let error = try #require(throws: ModelError.self) {
      try ModelLocator.locate(
        "Qwen/Qwen2.5-0.5B",
        environment: ["HF_HUB_CACHE": folder.url.appendingPathComponent("hub").path])
    }
    #expect(error.kind == .hubName)
    #expect(
      error.description.contains(
        "`hf download Qwen/Qwen2.5-0.5B --local-dir models/Qwen2.5-0.5B`"))
    #expect(error.description.contains("`--model models/Qwen2.5-0.5B`"))
  }

  @Test("A cache whose reference leads elsewhere is not followed")
  func hostileReference() throws {
    _ = try cache("a--b", in: "hub")
    try folder.write("../../../evil", to: "hub/models--a--b/refs/main")
    let error = try #require(throws: ModelError.self) {
      try ModelLocator.locate(
        "a/b", environment: ["HF_HUB_CACHE": folder.url.appendingPathComponent("hub").path])
    }
    #expect(error.kind == .hubName)
  }

  @Test(
    "What is neither a folder nor a hub name is said not to be there",
    arguments: ["", "nothing", "/no/such/folder", "./a/b", "../a/b", "a/b/c", "a/", "/a", "a b/c"])
  func missing(_ name: String) throws {
    let error = try #require(throws: ModelError.self) {
      try ModelLocator.locate(name, environment: [:])
    }
    #expect(error.kind == .missing, "\(error)")
  }

  @Test("A misspelt folder is told the one beside it")
  func misspelt() throws {
    try folder.write("{}", to: "models/stories260K/config.json")
    let error = try #require(throws: ModelError.self) {
      try ModelLocator.locate(folder.url.path + "/models/storie260k", environment: [:])
    }
    #expect(error.description.hasSuffix("did you mean \(folder.url.path)/models/stories260K?"))
  }

  @Test("A file is not a model's folder")
  func file() throws {
    for (name, phrase) in [("model.safetensors", "is a file"), ("m.gguf", "GGUF")] {
      let url = try folder.write("x", to: name)
      let error = try #require(throws: ModelError.self) {
        try ModelLocator.locate(url.path, environment: [:])
      }
      #expect(error.description.contains(phrase))
    }
  }
}
