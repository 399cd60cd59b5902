import Testing

@testable import Transformer

@Suite("Rotary frequencies")
struct RotaryEmbeddingTests {
  @Test("Plain and linear")
  func plain() {
    let plain = RotaryEmbedding(theta: 10_000).inverseFrequencies(headSize: 8)
    for (found, expected) in zip(plain, [1, 0.1, 0.01, 0.001]) {
      #expect(abs(found - expected) <= 1e-15 * expected)
    }
    let halved = RotaryEmbedding(theta: 10_000, scaling: .linear(factor: 2))
    #expect(halved.inverseFrequencies(headSize: 8) == plain.map { $0 / 2 })
  }

  // By Python in double precision, from the definition in transformers'
  // modeling_rope_utils._compute_llama3_parameters: Llama 3.2 1B's settings, head size 64.
  @Test("Llama 3's three ranges")
  func llama3() {
    let frequencies = RotaryEmbedding(
      theta: 500_000,
      scaling: .llama3(
        factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 8192)
    ).inverseFrequencies(headSize: 64)
    let expected: [Int: Double] = [
      0: 1, 10: 0.016560440080994446, 14: 0.003211445994752591, 15: 0.001290547928209264,
      16: 0.00042955679655936815, 17: 9.70828780262767e-05, 18: 1.9461638184831125e-05,
      31: 9.41830672543491e-08,
    ]
    #expect(frequencies.count == 32)
    for (pair, value) in expected {
      // A few roundings: pow, two divisions, the ramp's difference near its end.
      #expect(abs(frequencies[pair] - value) <= 1e-13 * value, "pair \(pair)")
    }
  }
}
