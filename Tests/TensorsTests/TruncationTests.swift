import Foundation
import Rollouts
import Tensors
import Testing

/// Kept sets against a reference that sorts the whole vocabulary and sums in double precision.
@Suite("Truncated sampling")
struct TruncationTests {
  static let settings: [Truncation] = {
    var all: [Truncation] = []
    for temperature: Float in [1, 0.3, 2.5] {
      for topK in [0, 1, 4, 40] {
        for topP: Float in [1, 0.95, 0.5, 0.01] {
          for minP: Float in [0, 0.05, 0.9] {
            all.append(
              Truncation(temperature: temperature, topK: topK, topP: topP, minP: minP))
          }
        }
      }
    }
    return all
  }()

  static func kept(
    _ logits: [Float], _ settings: Truncation, excluding excluded: [Int32]
  ) -> Set<Int32> {
    let all = Set((0..<logits.count).map(Int32.init))
    let row = Tensor(logits)
    switch Compute(threads: 1).keptSet(row, row: 0, after: settings, excluding: excluded) {
    case nil: return all
    case .only(let ids): return Set(ids)
    case .except(let ids): return all.subtracting(ids)
    }
  }

  static func reference(
    _ logits: [Float], _ settings: Truncation, excluding excluded: [Int32]
  ) -> Set<Int32> {
    var ranked = (0..<logits.count).map(Int32.init).filter { !excluded.contains($0) }
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
      for excluded: [Int32] in [[], [0], [0, Int32(vocabulary / 2)]]
      where Set(excluded).count < vocabulary && excluded.allSatisfy({ $0 < vocabulary }) {
        #expect(
          Self.kept(logits, settings, excluding: excluded)
            == Self.reference(logits, settings, excluding: excluded),
          "\(settings) without \(excluded)")
      }
    }
  }

  @Test("a masked row has exactly the set's probabilities")
  func masks() {
    let logits: [Float] = [1, 2, 3, 4, 5]
    func masked(_ set: KeptSet) -> [Bool] {
      let row = Tensor(logits)
      Compute(threads: 1).mask(row, row: 0, keeping: set)
      return zip(row.values, logits).map { $0 == $1 }
    }
    #expect(masked(.only([1, 4])) == [false, true, false, false, true])
    #expect(masked(.only([0])) == [true, false, false, false, false])
    #expect(masked(.except([0, 3])) == [false, true, true, false, true])
    // Ids that the vocabulary lacks are no fault: a tokenizer may have more end tokens than the model.
    #expect(masked(.except([0, 9])) == [false, true, true, true, true])
  }
}
