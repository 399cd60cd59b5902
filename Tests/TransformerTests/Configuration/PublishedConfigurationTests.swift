import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Transformer

@Suite("Configurations of published models")
struct PublishedConfigurationTests {
  private static func read(_ name: String) throws -> ModelConfiguration {
    try ModelConfiguration(folder: SharedFiles.url("models/configs/\(name)"))
  }

  @Test("Llama 3.2 1B", .enabled(if: SharedFiles.has("models/configs/Llama-3.2-1B")))
  func llama() throws {
    let configuration = try Self.read("Llama-3.2-1B")
    #expect(configuration.modelType == "llama")
    #expect(configuration.headSize == 64)
    #expect(configuration.keyValueHeadCount == 8)
    #expect(
      configuration.rope
        == RotaryEmbedding(
          theta: 500_000,
          scaling: .llama3(
            factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4,
            originalMaximumPositions: 8192)))
    #expect(configuration.tiesEmbeddings)
    #expect(configuration.endTokenIDs == [128_001])
    // The count that its model card gives: 1.23 B.
    #expect(configuration.parameterCount == 1_235_814_400)
  }

  @Test(
    "Parameter counts are those of the model cards",
    .enabled(if: SharedFiles.has("models/configs/SmolLM2-135M")),
    arguments: [
      ("SmolLM2-135M", 134_515_008), ("Qwen2.5-0.5B", 494_032_768), ("Qwen2-0.5B", 494_032_768),
      ("Qwen3-0.6B", 596_049_920), ("Qwen2.5-3B", 3_085_938_688),
    ])
  func parameterCounts(_ name: String, _ count: Int) throws {
    #expect(try Self.read(name).parameterCount == count)
  }

  @Test(
    "Qwen 2.5 has biases, no window, no rope scaling",
    .enabled(if: SharedFiles.has("models/configs/Qwen2.5-3B")))
  func qwen2() throws {
    let configuration = try Self.read("Qwen2.5-3B")
    #expect(configuration.attentionBias)
    #expect(!configuration.attentionOutputBias)
    #expect(configuration.slidingWindow(layer: 35) == nil)
    #expect(configuration.rope == RotaryEmbedding(theta: 1_000_000))
    #expect(configuration.headSize == 128)
  }

  @Test(
    "Qwen 3 normalises queries and keys",
    .enabled(if: SharedFiles.has("models/configs/Qwen3-0.6B")))
  func qwen3() throws {
    let configuration = try Self.read("Qwen3-0.6B")
    #expect(configuration.normalizesQueriesAndKeys)
    #expect(!configuration.attentionBias)
    #expect(configuration.headSize == 128)
    #expect(configuration.headCount * configuration.headSize == 2048)
  }

  @Test(
    "Qwen 3 with experts has its 30 billion parameters, of which 3 are active",
    .enabled(if: SharedFiles.has("models/configs/Qwen3-30B-A3B")))
  func qwen3Moe() throws {
    let configuration = try Self.read("Qwen3-30B-A3B")
    #expect(configuration.parameterCount == 30_532_122_624)
    // Two flops for each active parameter but the embedding's, attention's scores aside.
    let active = configuration.flops(context: 0) / 2
    #expect(active > 3_000_000_000 && active < 3_100_000_000)
  }

  @Test(
    "DeepSeek V2 Lite has its 15.7 billion parameters, of which 2.4 are active",
    .enabled(if: SharedFiles.has("models/configs/DeepSeek-V2-Lite")))
  func deepSeekV2Lite() throws {
    let configuration = try Self.read("DeepSeek-V2-Lite")
    #expect(configuration.parameterCount == 15_706_484_224)
    let active = configuration.flops(context: 0) / 2
    #expect(active > 2_300_000_000 && active < 2_500_000_000)
  }

  /// What weights are quantised by is no word of their shape: without it DeepSeek R1 has its published number.
  @Test(
    "DeepSeek R1 is refused for its 8-bit weights, and has 671 billion parameters",
    .enabled(if: SharedFiles.has("models/configs/DeepSeek-R1")))
  func deepSeekR1() throws {
    let error = try #require(throws: ModelError.self) { try Self.read("DeepSeek-R1") }
    #expect(error.kind == .unsupported)
    #expect(error.description.contains("quantization_config"))
    let file = SharedFiles.url("models/configs/DeepSeek-R1/config.json")
    var json = try WholeFile.jsonObject(file)
    json["quantization_config"] = .null
    let configuration = try ModelConfiguration(json: json)
    #expect(configuration.parameterCount == 671_026_419_200)
    // The latent and the rotated key of 61 layers.
    #expect(configuration.cacheBytesPerToken() == 61 * (512 + 64) * 4)
  }
}
