import Foundation
import Rollouts
import Tensors
import Testing

@testable import Transformer

/// Kept sets against a reference that sorts the whole vocabulary and sums in double precision.
@Suite("Truncated sampling")
struct TruncationTests {
  static let settings: [SamplingSettings] = {
    var all: [SamplingSettings] = []
    for temperature: Float in [1, 0.3, 2.5] {
      for topK in [0, 1, 4, 40] {
        for topP: Float in [1, 0.95, 0.5, 0.01] {
          for minP: Float in [0, 0.05, 0.9] {
            all.append(
              SamplingSettings(temperature: temperature, topK: topK, topP: topP, minP: minP))
          }
        }
      }
    }
    return all
  }()

  static func kept(
    _ logits: [Float], _ settings: SamplingSettings, excluding excluded: [TokenID]
  ) -> Set<TokenID> {
    let all = Set((0..<logits.count).map(TokenID.init))
    switch Truncation.keptSet(
      logits, vocabulary: logits.count, settings: settings, excluding: excluded)
    {
    case nil: return all
    case .only(let ids): return Set(ids)
    case .except(let ids): return all.subtracting(ids)
    }
  }

  static func reference(
    _ logits: [Float], _ settings: SamplingSettings, excluding excluded: [TokenID]
  ) -> Set<TokenID> {
    var ranked = (0..<logits.count).map(TokenID.init).filter { !excluded.contains($0) }
    ranked.sort { logits[Int($0)] != logits[Int($1)] ? logits[Int($0)] > logits[Int($1)] : $0 < $1 }
    if settings.topK > 0, settings.topK < ranked.count {
      let last = logits[Int(ranked[settings.topK - 1])]
      ranked = ranked.filter { logits[Int($0)] >= last }
    }
    let top = Double(logits[Int(ranked[0])])
    let masses = ranked.map {
      exp((Double(logits[Int($0)]) - top) / Double(settings.temperature))
    }
    var count = ranked.count
    if settings.topP < 1 {
      let total = masses.reduce(0, +)
      var mass = 0.0
      count = 0
      while count < ranked.count, mass < Double(settings.topP) * total {
        mass += masses[count]
        count += 1
      }
    }
    if settings.minP > 0 {
      count = min(count, masses.count { $0 >= Double(settings.minP) })
    }
    return Set(ranked.prefix(max(1, count)))
  }

  @Test("keeps what the slow reference keeps", arguments: [1, 2, 30, 500], [1.0, 4.0, 30.0])
  func reference(vocabulary: Int, spread: Double) {
    let random = Philox(seed: 8, purpose: .data, step: vocabulary)
    // Rounded, so that there are ties.
    let logits = (0..<vocabulary).map { Float((random.normal(at: $0) * spread * 4).rounded() / 4) }
    for settings in Self.settings {
      for excluded: [TokenID] in [[], [0], [0, TokenID(vocabulary / 2)]]
      where Set(excluded).count < vocabulary && excluded.allSatisfy({ $0 < vocabulary }) {
        #expect(
          Self.kept(logits, settings, excluding: excluded)
            == Self.reference(logits, settings, excluding: excluded),
          "\(settings) without \(excluded)")
      }
    }
  }

  @Test("a kept set comes back from its encoding")
  func encoding() {
    for set: KeptSet in [.only([0]), .only([3, 5, 9]), .except([0]), .except([2, 7])] {
      #expect(KeptSet(encoded: set.encoded) == set)
    }
  }

  @Test("a masked row has exactly the set's probabilities")
  func masks() {
    let logits: [Float] = [1, 2, 3, 4, 5]
    func masked(_ set: KeptSet) -> [Bool] {
      var row = logits
      set.mask(&row, vocabulary: row.count)
      return zip(row, logits).map { $0 == $1 }
    }
    #expect(masked(.only([1, 4])) == [false, true, false, false, true])
    #expect(masked(.only([0])) == [true, false, false, false, false])
    #expect(masked(.except([0, 3])) == [false, true, true, false, true])
  }

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
