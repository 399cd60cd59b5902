import Foundation
import Tensors
import Testing

@Suite("Rotation by position")
struct RotationTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var headSize: Int
    /// How much of a head is rotated.
    var size: Int
    var pairs: RotaryPairs
    /// Where it begins in a head.
    var first = 0
    var testDescription: String { "\(size) of \(headSize) from \(first) on, \(pairs)" }
  }

  static let cases = [
    Case(headSize: 2, size: 2, pairs: .halves), Case(headSize: 6, size: 6, pairs: .halves),
    Case(headSize: 32, size: 32, pairs: .halves), Case(headSize: 40, size: 40, pairs: .halves),
    Case(headSize: 40, size: 34, pairs: .halves), Case(headSize: 12, size: 4, pairs: .halves),
    Case(headSize: 6, size: 6, pairs: .neighbours),
    Case(headSize: 70, size: 64, pairs: .neighbours),
    Case(headSize: 24, size: 8, pairs: .neighbours, first: 16),
    Case(headSize: 70, size: 64, pairs: .halves, first: 6),
  ]

  @Test(
    "rotates the pairs of each head, and back", arguments: cases, TestValues.instructionSets)
  func rotates(c: Case, set: InstructionSet) {
    let (rows, heads, half) = (4, 3, c.size / 2)
    let compute = Compute(threads: 2, instructionSet: set)
    let positions: [Int32] = [0, 3, 1, 7]
    let frequencies = (0..<half).map { 1 / Double($0 + 1) }
    let table = RotaryTable(frequencies: frequencies, amplitude: 1.25)
    table.reserve(positions: 8)
    let x = TestValues.normal(rows * heads * c.headSize, stream: 43)
    let y = Tensor(rows: rows, columns: heads * c.headSize, values: x)
    compute.rotate(y, heads: heads, positions: positions, by: table, pairs: c.pairs, first: c.first)
    let expected = x.indices.map { index -> Double in
      let (row, d) = (index / (heads * c.headSize), index % c.headSize - c.first)
      guard 0..<c.size ~= d else { return Double(x[index]) }
      let (pair, isFirst, step) =
        c.pairs == .halves ? (d % half, d < half, half) : (d / 2, d % 2 == 0, 1)
      let angle = Double(positions[row]) * frequencies[pair]
      let other = Double(x[isFirst ? index + step : index - step])
      return 1.25 * (Double(x[index]) * cos(angle) + (isFirst ? -1 : 1) * other * sin(angle))
    }
    #expect(relativeError(y.values, expected) < 4e-7)
    compute.rotate(
      y, heads: heads, positions: positions, by: table, pairs: c.pairs, first: c.first,
      inverse: true)
    // The amplitude is no rotation: there and back it counts twice.
    let back = x.indices.map { index in
      Double(x[index]) * (0..<c.size ~= index % c.headSize - c.first ? 1.25 * 1.25 : 1)
    }
    #expect(relativeError(y.values, back) < 8e-7)
  }

  @Test("is the same bits on each table and thread count", arguments: cases)
  func invariance(c: Case) {
    let positions: [Int32] = [5, 0, 300]
    let table = RotaryTable(frequencies: (0..<c.size / 2).map { pow(0.7, Double($0)) })
    table.reserve(positions: 301)
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for threads in [1, 3] {
        let x = Tensor(
          rows: 3, columns: 5 * c.headSize, values: TestValues.normal(15 * c.headSize, stream: 44))
        Compute(threads: threads, instructionSet: set)
          .rotate(x, heads: 5, positions: positions, by: table, pairs: c.pairs, first: c.first)
        seen = seen ?? x.values.bits
        let isSame = x.values.bits == seen
        #expect(isSame, "\(set), \(threads) threads")
      }
    }
  }

  @Test("a table that grows keeps the angles that it had")
  func growth() {
    let table = RotaryTable(frequencies: [1, 0.1])
    let compute = Compute(threads: 1)
    func rotated() -> [UInt32] {
      let x = Tensor(rows: 1, columns: 4, values: [1, 2, 3, 4])
      compute.rotate(x, heads: 1, positions: [17], by: table)
      return x.values.bits
    }
    table.reserve(positions: 18)
    let before = rotated()
    table.reserve(positions: 100_000)
    #expect(rotated() == before)
  }
}
