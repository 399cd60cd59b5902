import Testing

@testable import Tensors

/// Products by head, held against those of each head's rows as a weight of their own.
@Suite("Products of heads")
struct HeadProductsTests {
  /// Rows of a weight that heads take, with gaps before, between and behind.
  struct Shape: CustomTestStringConvertible, Sendable {
    var rows: Int
    var inputs: Int
    var range: HeadRange
    var total: Int { range.first + (range.heads - 1) * range.step + range.count + 3 }
    var testDescription: String {
      "\(rows) rows, \(range.heads) heads of \(inputs) → \(range.count), every \(range.step) from \(range.first)"
    }
  }

  static let shapes = [
    Shape(rows: 1, inputs: 1, range: HeadRange(heads: 1, step: 1, count: 1)),
    Shape(rows: 5, inputs: 16, range: HeadRange(heads: 4, first: 16, step: 28, count: 12)),
    Shape(rows: 25, inputs: 40, range: HeadRange(heads: 3, step: 64, count: 32)),
    Shape(rows: 13, inputs: 7, range: HeadRange(heads: 2, first: 5, step: 70, count: 70)),
    Shape(rows: 9, inputs: 33, range: HeadRange(heads: 4, first: 2, step: 6, count: 6)),
    Shape(rows: 60, inputs: 50, range: HeadRange(heads: 5, first: 31, step: 40, count: 37)),
    Shape(rows: 3, inputs: 20, range: HeadRange(heads: 2, first: 30, step: 600, count: 560)),
  ]

  /// Heads' columns with a gap before each.
  static func columns(_ heads: Int, _ count: Int) -> HeadRange {
    HeadRange(heads: heads, first: 2, step: count + 3, count: count)
  }

  struct Operands {
    let shape: Shape
    let weight: PackedMatrix
    let values: [Float]
    let inputs: HeadRange
    let outputs: HeadRange
    let x: [Float]
    let y: [Float]

    init(_ shape: Shape, element: ElementType = .float32) {
      self.shape = shape
      let heads = shape.range.heads
      weight = PackedMatrix(
        rows: shape.total, columns: shape.inputs,
        values: TestValues.normal(shape.total * shape.inputs, stream: 61), element: element)
      values = weight.values
      inputs = HeadProductsTests.columns(heads, shape.inputs)
      outputs = HeadProductsTests.columns(heads, shape.range.count)
      x = TestValues.normal(shape.rows * (inputs.end + 1), stream: 62)
      y = TestValues.normal(shape.rows * (outputs.end + 1), stream: 63)
    }

    func tensor(_ numbers: [Float], _ range: HeadRange) -> Tensor {
      Tensor(rows: shape.rows, columns: range.end + 1, values: numbers)
    }

    /// A head's rows as a weight of their own.
    func weight(of head: Int) -> PackedMatrix {
      let first = shape.range.start(of: head)
      return PackedMatrix(
        rows: shape.range.count, columns: shape.inputs,
        values: Array(
          values[first * shape.inputs..<(first + shape.range.count) * shape.inputs]))
    }
  }

  @Test(
    "have the bits of products by each head's own weight, and touch nothing else",
    arguments: shapes, TestValues.instructionSets)
  func forward(shape: Shape, set: InstructionSet) {
    for (element, threads, accumulating, precision) in [
      (ElementType.float32, 1, false, Precision.float32), (.float32, 3, true, .float32),
      (.bfloat16, 2, false, .float32), (.float32, 2, true, .bf16), (.bfloat16, 1, false, .bf16),
      (.float32, 3, true, .fp16),
    ] {
      let compute = Compute(threads: threads, instructionSet: set, precision: precision)
      let o = Operands(shape, element: element)
      let (x, y, dx) = (o.tensor(o.x, o.inputs), o.tensor(o.y, o.outputs), o.tensor(o.x, o.inputs))
      let (expectedY, expectedDX) = (o.tensor(o.y, o.outputs), o.tensor(o.x, o.inputs))
      compute.multiplyHeads(
        HeadColumns(x, o.inputs), by: o.weight, rows: shape.range, into: HeadColumns(y, o.outputs),
        accumulating: accumulating)
      compute.backpropagateHeads(
        HeadColumns(o.tensor(o.y, o.outputs), o.outputs), through: o.weight, rows: shape.range,
        into: HeadColumns(dx, o.inputs), accumulating: accumulating)
      for head in 0..<shape.range.heads {
        let own = o.weight(of: head)
        func part(_ tensor: Tensor, _ range: HeadRange) -> Tensor {
          tensor.columns(range.start(of: head)..<range.start(of: head) + range.count)
        }
        let result = part(expectedY, o.outputs)
        compute.multiply(
          part(x, o.inputs), by: own, into: result, adding: accumulating ? result : nil)
        compute.backpropagateInput(
          part(o.tensor(o.y, o.outputs), o.outputs), through: own, into: part(expectedDX, o.inputs),
          accumulating: accumulating)
      }
      #expect(y.values.bits == expectedY.values.bits)
      #expect(dx.values.bits == expectedDX.values.bits)
    }
  }

  @Test(
    "have weight gradients of the bits of each head's own, micro-batch by micro-batch",
    arguments: shapes, TestValues.instructionSets)
  func gradient(shape: Shape, set: InstructionSet) {
    for precision in Precision.allCases { expectGradients(shape, set, precision) }
  }

  private func expectGradients(_ shape: Shape, _ set: InstructionSet, _ precision: Precision) {
    let o = Operands(shape)
    let (x, dy) = (o.tensor(o.x, o.inputs), o.tensor(o.y, o.outputs))
    let layout = o.weight.layout
    let reference = Compute(threads: 1, instructionSet: .scalar, precision: precision)
    let before = PackedMatrix(
      rows: shape.total, columns: shape.inputs,
      values: TestValues.normal(shape.total * shape.inputs, stream: 64))
    var expected = before.values
    for head in 0..<shape.range.heads {
      let first = shape.range.start(of: head) * shape.inputs
      let place = first..<first + shape.range.count * shape.inputs
      let own = PackedMatrix(
        rows: shape.range.count, columns: shape.inputs, values: Array(expected[place]))
      func part(_ tensor: Tensor, _ range: HeadRange) -> Tensor {
        tensor.columns(range.start(of: head)..<range.start(of: head) + range.count)
      }
      reference.accumulateWeightGradient(
        part(dy, o.outputs), part(x, o.inputs), layout: own.layout, into: own.stored)
      expected.replaceSubrange(place, with: own.values)
    }
    for (threads, batch) in [(1, shape.rows), (3, shape.rows), (2, 4)] {
      let compute = Compute(threads: threads, instructionSet: set, precision: precision)
      let dw = PackedMatrix(rows: shape.total, columns: shape.inputs, values: before.values)
      for first in stride(from: 0, to: shape.rows, by: batch) {
        let rows = first..<min(first + batch, shape.rows)
        compute.accumulateHeadsGradient(
          HeadColumns(dy.rows(rows), o.outputs), HeadColumns(x.rows(rows), o.inputs),
          layout: layout, rows: shape.range, into: dw.stored)
      }
      #expect(
        dw.values.bits == expected.bits, "\(precision), \(threads) threads, batches of \(batch)")
    }
  }
}
