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

  // By Python in double precision, from the definition in transformers'
  // modeling_rope_utils._compute_yarn_parameters: Qwen 2.5's settings, head size 128.
  @Test(
    "YaRN's ramp, from whole pairs and without",
    arguments: [
      (
        true,
        [
          0: 1, 20: 0.01333521432163324, 25: 0.004131738022518394, 30: 0.0010643609812470017,
          35: 0.0002462584069089387, 40: 4.445698525097307e-05, 63: 3.102344401879299e-07,
        ]
      ),
      (
        false,
        [
          0: 1, 20: 0.01333521432163324, 25: 0.0042343581304653145, 30: 0.0010792377416765538,
          35: 0.00024451888795641683, 40: 4.445698525097307e-05, 63: 3.102344401879299e-07,
        ]
      ),
    ] as [(Bool, [Int: Double])])
  func yarn(_ usesWholePairs: Bool, _ expected: [Int: Double]) {
    let frequencies = RotaryEmbedding(
      theta: 1e6,
      scaling: .yarn(
        .init(
          factor: 4, originalMaximumPositions: 32_768, attentionFactor: 1,
          usesWholePairs: usesWholePairs))
    ).inverseFrequencies(headSize: 128)
    #expect(frequencies.count == 64)
    for (pair, value) in expected {
      #expect(abs(frequencies[pair] - value) <= 1e-13 * value, "pair \(pair)")
    }
  }
}
