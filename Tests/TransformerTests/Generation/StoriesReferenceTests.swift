import Foundation
import Rollouts
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// A really trained model against transformers' own numbers (`reference.json` beside it).
@Suite("stories260K")
struct StoriesReferenceTests {
  struct Reference: Decodable {
    struct Case: Decodable {
      var prompt_ids: [TokenID]
      var greedy_ids: [TokenID]
      var token_logprobs: [Double]
      var entropy: [Double]
    }
    var cases: [Case]
  }

  static let folder = SharedFiles.url("models/stories260K")

  static func load() throws -> (LanguageModel, Reference) {
    let parameters = try Parameters(
      folder: folder, configuration: ModelConfiguration(folder: folder))
    let data = try Data(contentsOf: folder.appendingPathComponent("reference.json"))
    return (
      LanguageModel(parameters, compute: Compute(threads: 2)),
      try JSONDecoder().decode(Reference.self, from: data)
    )
  }

  /// The reference is computed in float32 and printed to six places: 2e-5 of a nat covers both.
  @Test(
    "golden log-probabilities, entropies and greedy tokens",
    .enabled(if: SharedFiles.has("models/stories260K")))
  func reference() throws {
    let (model, reference) = try Self.load()
    #expect(!reference.cases.isEmpty)
    for example in reference.cases {
      let tokens = example.prompt_ids + example.greedy_ids
      let scored = ScoringPass(model).score([
        TokenGroup(prompt: [tokens[0]], completions: [Array(tokens[1...])])
      ])[0][0]
      for (index, want) in example.token_logprobs.enumerated() {
        #expect(abs(Double(scored.logProbabilities[index]) - want) < 2e-5)
        #expect(abs(Double(scored.entropies[index]) - example.entropy[index]) < 5e-5)
      }
      let drawn = GenerationEngine(model).generate(
        [GenerationRequest(prompt: example.prompt_ids, samples: 1, draw: 0)],
        settings: SamplingSettings(temperature: 0, maxNewTokens: example.greedy_ids.count),
        key: GenerationKey(seed: 0, purpose: .evaluation, step: 0))
      #expect(drawn?[0][0].tokens == example.greedy_ids)
    }
  }

  @Test(
    "sampler and trainer agree bit for bit on a real model",
    .enabled(if: SharedFiles.has("models/stories260K")))
  func onePolicy() throws {
    let (model, reference) = try Self.load()
    let requests = reference.cases.enumerated().map { index, example in
      GenerationRequest(prompt: example.prompt_ids, samples: 8, draw: index)
    }
    try OnePolicyTests.expectOnePolicy(
      model, SamplingSettings(maxNewTokens: 64, endTokens: model.configuration.endTokenIDs),
      requests: requests)
  }
}
