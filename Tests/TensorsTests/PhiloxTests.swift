import Tensors
import Testing

@Suite("Counter-based random numbers")
struct PhiloxTests {
  // Known answers of philox4x32-10, from kat_vectors of Random123 1.14 (Salmon et al.).
  @Test("give the known answers")
  func knownAnswers() {
    func block(
      _ counter: (UInt32, UInt32, UInt32, UInt32), _ key: (UInt32, UInt32)
    ) -> [UInt32] {
      let b = Philox.block(counter: counter, key: key)
      return [b.0, b.1, b.2, b.3]
    }
    #expect(block((0, 0, 0, 0), (0, 0)) == [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8])
    let ones = UInt32.max
    #expect(
      block((ones, ones, ones, ones), (ones, ones))
        == [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd])
    #expect(
      block(
        (0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), (0xa409_3822, 0x299f_31d0))
        == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
  }

  @Test("tell every use from every other")
  func keys() {
    var seen: Set<[UInt32]> = []
    var uses = 0
    for seed in [0, 1, UInt64(1) << 32] {
      for purpose in RandomPurpose.allCases {
        for (step, draw, sample) in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)] {
          let stream = Philox(seed: seed, purpose: purpose, step: step, draw: draw, sample: sample)
          for position in 0..<3 {
            let b = stream.bits(at: position)
            seen.insert([b.0, b.1, b.2, b.3])
            uses += 1
          }
        }
      }
    }
    #expect(seen.count == uses)
  }

  @Test("fill the unit interval evenly, and the normal distribution")
  func distributions() {
    let stream = Philox(seed: 5, purpose: .data)
    let count = 20_000
    let uniform = (0..<count).map { stream.uniform(at: $0) }
    #expect(uniform.allSatisfy { $0 >= 0 && $0 < 1 })
    // A mean of n uniform numbers has a standard deviation of 0.29/√n: 0.002.
    #expect(abs(uniform.reduce(0, +) / Double(count) - 0.5) < 0.01)
    let normal = (0..<count).map { stream.normal(at: $0) }
    #expect(abs(normal.reduce(0, +) / Double(count)) < 0.035)
    #expect(abs(normal.reduce(0) { $0 + $1 * $1 } / Double(count) - 1) < 0.05)
    var counts = [Int](repeating: 0, count: 7)
    for position in 0..<7_000 { counts[stream.integer(below: 7, at: position)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 1000) < 150 })
  }

  @Test("permute", arguments: [0, 1, 2, 100])
  func permutations(count: Int) {
    let a = Philox(seed: 1, purpose: .shuffle, step: 0).permutation(of: count)
    #expect(a.sorted() == Array(0..<count))
    if count > 10 {
      #expect(a != Philox(seed: 1, purpose: .shuffle, step: 1).permutation(of: count))
      #expect(a != Array(0..<count))
    }
  }
}
