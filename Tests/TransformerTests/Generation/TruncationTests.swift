import Foundation
import Rollouts
import Tensors
import Testing

@testable import Transformer

@Suite("Truncated sampling")
struct TruncatedSamplingTests {
  /// 20,000 draws of 61 tokens: a share p is within 5 √(p(1 − p)/n) of itself but once in 10⁵.
  @Test("tokens are drawn as often as their probability says")
  func frequencies() throws {
    let model = try SmallModel.llama.make()
    let prompt: [TokenID] = [4, 8, 15]
    let count = 20_000
    let settings = SamplingSettings(temperature: 1.2, topP: 0.9, maxNewTokens: 1)
    let request = GenerationRequest(prompt: prompt, samples: count, draw: 0)
    let drawn = try #require(
      GenerationEngine(model, concurrency: count).generate(
        [request], settings: settings, key: GenerationKey(seed: 4, purpose: .sampling, step: 0)))[0]
    var shares: [TokenID: (probability: Double, drawn: Int)] = [:]
    for completion in drawn {
      let token = completion.tokens[0]
      let probability = exp(Double(completion.statistics.logProbabilities[0]))
      shares[token] = (probability, (shares[token]?.drawn ?? 0) + 1)
    }
    #expect(shares.count > 3)
    for (token, share) in shares {
      let p = share.probability
      let error = abs(Double(share.drawn) / Double(count) - p)
      #expect(error <= 5 * (p * (1 - p) / Double(count)).squareRoot() + 1e-6, "token \(token)")
    }
  }
}
