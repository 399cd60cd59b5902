import Foundation
import Rollouts
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Every mutated input must be read or refused; a trap or a hang fails the run.
@Suite("Mutated model files")
struct ModelFileFuzzTests {
  private func fuzz(
    _ seeds: [[UInt8]], keeping: (([UInt8]) throws -> Void)
  ) rethrows -> (read: Int, refused: Int) {
    var mutator = ByteMutator(seed: 20_240_607)
    var tally = (read: 0, refused: 0)
    for round in 0..<ByteMutator.rounds {
      do {
        try keeping(mutator.mutated(seeds[round % seeds.count]))
        tally.read += 1
      } catch is ModelError {
        tally.refused += 1
      }
    }
    return tally
  }

  @Test("Safetensors headers")
  func headers() throws {
    let header =
      #"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"#
      + #""b":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]}}"#
    let tally = try fuzz([Array(header.utf8)]) { bytes in
      let read = try SafetensorsHeader(json: bytes, fileSize: 8 + bytes.count + 22, path: "fuzz")
      // Whatever is believed lies inside the file.
      for entry in read.entries {
        #expect(entry.range.lowerBound >= 8 + bytes.count)
        #expect(entry.range.upperBound <= 8 + bytes.count + 22)
      }
    }
    #expect(tally.refused > tally.read && tally.read > 0)
  }

  @Test("Whole safetensors files, read to the end")
  func files() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("model.safetensors")
    try writeWeights(
      [[TensorSpecification("a", [2, 2]), TensorSpecification("b", [3])]], to: folder.url,
      elementType: .float16)
    let seed = Array(try Data(contentsOf: url))
    let tally = try fuzz([seed]) { bytes in
      try Data(bytes).write(to: url)
      let file = try SafetensorsFile(url)
      for name in file.names where file.elementType(of: name) != nil {
        _ = try file.values(name)
      }
    }
    #expect(tally.refused > 0 && tally.read > 0)
  }

  @Test("config.json")
  func configurations() throws {
    let seeds = try ["llama", "qwen2", "qwen3", "mistral"].map { type in
      let json = configurationJSON(
        type,
        [
          "eos_token_id": [1, 2], "rms_norm_eps": 1e-5, "use_sliding_window": true,
          "sliding_window": 64, "max_window_layers": 2, "tie_word_embeddings": true,
          "rope_scaling": [
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
          ],
        ])
      _ = try ModelConfiguration(json: json)
      return Array(JSONValue.object(json).jsonText.utf8)
    }
    let tally = try fuzz(seeds) { bytes in
      let json = try WholeFile.jsonObject(bytes: bytes, path: "fuzz", repeats: .lastWins)
      let configuration = try ModelConfiguration(json: json, generation: json)
      #expect(configuration.parameterCount > 0)
      #expect(
        configuration.blueprint().rotations.allSatisfy {
          $0.makeTable().frequencies.allSatisfy { $0.isFinite && $0 > 0 }
        })
    }
    #expect(tally.refused > 0 && tally.read > 0)
  }

  @Test("model.safetensors.index.json")
  func indices() throws {
    let folder = try TemporaryFolder()
    try writeWeights(
      [[TensorSpecification("a", [2, 2])], [TensorSpecification("b", [3])]], to: folder.url)
    let index = folder.url.appendingPathComponent("model.safetensors.index.json")
    let seed = Array(try Data(contentsOf: index))
    let tally = try fuzz([seed]) { bytes in
      try Data(bytes).write(to: index)
      let weights = try WeightFiles(folder: folder.url)
      for name in weights.names { _ = try weights.values(name) }
    }
    #expect(tally.refused > 0 && tally.read > 0)
  }

  @Test("adapter_config.json, and the adapter's tensors")
  func adapters() throws {
    let folder = try TemporaryFolder()
    let base = folder.url.appendingPathComponent("base", isDirectory: true)
    let adapter = folder.url.appendingPathComponent("adapter", isDirectory: true)
    for url in [base, adapter] {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }
    let parameters = try SmallModel.llama.adapted(
      AdapterConfiguration(rank: 2, alpha: 4, targets: ["v_proj"]))
    try writeBase(of: parameters, to: base)
    try AdapterFolder.write(parameters, baseModel: base.path, to: adapter)
    for name in [AdapterFolder.configuration, AdapterFolder.weights] {
      let url = adapter.appendingPathComponent(name)
      let seed = Array(try Data(contentsOf: url))
      let tally = try fuzz([seed]) { bytes in
        try Data(bytes).write(to: url)
        _ = try ModelSource(adapter).frozenParameters()
      }
      #expect(tally.refused > 0 && tally.read > 0, "\(name)")
      try Data(seed).write(to: url)
    }
  }
}
