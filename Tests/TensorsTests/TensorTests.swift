import Testing

@testable import Tensors

@Suite("Tensors and their parts")
struct TensorTests {
  @Test("parts name the numbers of the whole")
  func parts() {
    let whole = Tensor(rows: 4, columns: 5, values: (0..<20).map(Float.init))
    #expect(whole.rows(1..<3).values == (5..<15).map(Float.init))
    let inner = whole.rows(1..<3).columns(1..<4)
    #expect(inner.values == [6, 7, 8, 11, 12, 13])
    #expect(!inner.isContiguous && inner.stride == 5 && inner[1, 2] == 13)
    inner.fill(from: Tensor(rows: 2, columns: 3, values: [1, 1, 1, 2, 2, 2]))
    #expect(whole.values[5..<15] == [5, 1, 1, 1, 9, 10, 2, 2, 2, 14])
    #expect(whole.reshaped(columns: 10).rows == 2)
    #expect(whole.elements(18..<20).values == [18, 19])
  }

  @Test("the memory lives as long as a part of it")
  func ownership() {
    func part() -> Tensor { Tensor([Float](repeating: 7, count: 1 << 20)).elements(5..<8) }
    let kept = part()
    _ = (0..<8).map { _ in Tensor(count: 1 << 20) }
    #expect(kept.values == [7, 7, 7])
  }

  @Test("scratch grows, keeps its memory for less, and gives what was reserved last")
  func scratch() {
    let scratch = TensorScratch()
    let first = scratch.reserve(rows: 2, columns: 3)
    first.fill(from: [1, 2, 3, 4, 5, 6])
    #expect(scratch.tensor.values == [1, 2, 3, 4, 5, 6])
    let second = scratch.reserve(rows: 1, columns: 4)
    #expect(second.values == [1, 2, 3, 4])
    #expect(scratch.tensor.rows == 1 && scratch.capacity == 6)
    #expect(scratch.reserve(rows: 100, columns: 10).count == 1000)
    #expect(scratch.reserve(rows: 0, columns: 10).rows == 0)
  }

  @Test("stacked matrices pass to files transposed, one by one")
  func stack() throws {
    let shape = [3, 5, 41]
    let values = TestValues.normal(3 * 5 * 41, stream: 1)
    let storage = ParameterStorage(zero: shape, form: .transposedStack)
    let moment = Tensor(count: StorageForm.transposedStack.storedCount(shape))
    storage.fill(from: values)
    storage.fill(from: values.map { -$0 }, in: moment)
    #expect(storage.values.bits == values.bits)
    #expect(storage.values(in: moment) == values.map { -$0 })
    guard case .stack(let stack) = storage else {
      Issue.record("three sizes make a stack")
      return
    }
    // Expert 1's output 40 from input 2.
    #expect(stack.matrices[1].values[40 * 5 + 2] == values[1 * 5 * 41 + 2 * 41 + 40])
    #expect(storage.stored.values.bits.count == moment.count)
  }

  @Test(
    "a parameter passes to files in pieces and comes back, transposed or not",
    arguments: [1, 31, 64, 1000], [false, true])
  func pieces(rows: Int, isTransposed: Bool) {
    let columns = 1500
    let values = TestValues.normal(rows * columns, stream: 1)
    let form: StorageForm = isTransposed ? .transposed : .matrix
    let storage = ParameterStorage(zero: [rows, columns], form: form)
    let moment = Tensor(count: form.storedCount([rows, columns]))
    var first = 0
    for piece in storage.pieces {
      let elements = storage.elements(of: piece)
      #expect(elements.lowerBound == first)
      storage.fill(piece, from: Array(values[elements]))
      storage.fill(piece, from: values[elements].map { -$0 }, in: moment)
      first = elements.upperBound
    }
    #expect(first == values.count)
    let isSame = storage.values.bits == values.bits
    #expect(isSame)
    let isNegated = storage.values(in: moment) == values.map { -$0 }
    #expect(isNegated)
    #expect(storage.pieces.flatMap { storage.values(of: $0) }.bits == values.bits)
    // What products read has outputs as rows.
    let last = storage.matrix?.values.suffix(isTransposed ? rows : columns)
    let expected =
      isTransposed
      ? (0..<rows).map { values[($0 + 1) * columns - 1] } : Array(values.suffix(columns))
    #expect(last.map { Array($0).bits } == expected.bits)
  }

  @Test("low-rank changes are merged in double precision")
  func merge() {
    let (rank, inputs, outputs) = (2, 3, 2)
    var weight: [Float] = [1, 2, 3, 4, 5, 6]
    let (a, b): ([Float], [Float]) = ([1, 0, 2, 0, 1, -1], [1, 10, 0, 100])
    Compute.merge(a: a, b: b, rank: rank, scale: 0.5, into: &weight)
    #expect(weight == [1.5, 7, -1, 4, 55, -44])
    #expect(weight.count == inputs * outputs)
    weight = [1, 4, 2, 5, 3, 6]
    Compute.merge(a: a, b: b, rank: rank, scale: 0.5, isTransposed: true, into: &weight)
    #expect(weight == [1.5, 4, 7, 55, -1, -44])
  }
}
