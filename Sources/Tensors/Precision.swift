import CKernels

/// What the operands of products are rounded to.
///
/// Sums, weights, gradients, moments, norms and softmax are float32 in every precision; what lies between two products is
/// float32 too. `Compute` rounds, nearest even, what a product reads: rows, weights, output gradients, keys and values,
/// the weights of attention. So whoever runs the same operations rounds alike.
///
/// - bf16: over pairs of operands sum = fma(x₀, w₀, fma(x₁, w₁, sum)), subnormal operands and results flushed to zero:
///   what the processor's `vdpbf16ps` computes, and two fused multiply-adds where it is absent.
/// - fp16: operands, subnormals kept, are widened, and a sum is float32's chain.
public enum Precision: String, CaseIterable, Sendable {
  case float32, bf16, fp16

  /// How operands are held.
  public var element: ElementType {
    switch self {
    case .float32: .float32
    case .bf16: .bfloat16
    case .fp16: .float16
    }
  }

  /// How the kernels name it.
  var format: Int32 {
    switch self {
    case .float32: Int32(STORED_FLOAT32)
    case .bf16: Int32(STORED_PAIRS)
    case .fp16: Int32(STORED_FLOAT16)
    }
  }
}

extension Compute {
  /// Rows as a product reads them: floats, or pairs of bfloat16 as the table likes them.
  struct OperandRows {
    let address: UnsafeRawPointer
    /// Elements from one row to the next.
    let stride: Int
    let elementSize: Int

    /// The same from a row on.
    func from(row: Int) -> UnsafeRawPointer { address + row * stride * elementSize }
  }

  /// The floats that gradients of many outputs are prepared in at a time: 16 MiB of them.
  static let operandFloats = 4 << 20

  /// What rows take while they are prepared, in floats.
  /// - Parameter areGradients: Whether they are prepared a few at a time.
  public static func preparedFloats(rows: Int, columns: Int, areGradients: Bool) -> Int {
    (areGradients ? min(rows, preparedRows(columns: columns)) : rows) * (columns + 1)
  }

  static func preparedRows(columns: Int) -> Int { max(48, operandFloats / (columns + 1)) }

  /// Rounds rows for a product; good until the next product's.
  func operandRows(_ x: Tensor, _ precision: Precision) -> OperandRows {
    guard precision != .float32 else {
      return OperandRows(address: x.start, stride: x.stride, elementSize: 4)
    }
    let isPaired = precision == .bf16
    let stride = isPaired ? (x.columns + 1) / 2 : x.columns
    let size = isPaired ? kernels.pointee.pair_size : 4
    let prepared = operandScratch.ensure(count: (x.rows * stride * size + 3) / 4)
    let source = x.start
    parallelRanges(x.rows, cost: Double(x.columns) * 0.1) { begin, end in
      kernels.pointee.prepare_rows(
        precision.format, source, x.stride, begin, end, x.columns, prepared)
    }
    return OperandRows(address: prepared, stride: stride, elementSize: size)
  }

  // MARK: Two bytes

  /// Holds numbers in the two bytes of the target's elements, rounded to nearest, ties to even.
  public func narrow(_ x: Tensor, into target: Tensor) {
    precondition(
      x.isContiguous && target.isContiguous && x.count == target.count,
      "numbers are narrowed one for one")
    let (source, halves, format) = (x.start, target.halves, target.element.kernelFormat)
    parallelRanges(x.count, cost: 0.1, alignment: 64) { begin, end in
      kernels.pointee.narrow(format, source, begin, end, halves)
    }
  }

  /// Brings back what `narrow` holds.
  public func widen(_ x: Tensor, into target: Tensor) {
    precondition(
      x.isContiguous && target.isContiguous && x.count == target.count,
      "numbers are widened one for one")
    let (halves, result, format) = (x.halves, target.start, x.element.kernelFormat)
    parallelRanges(x.count, cost: 0.1, alignment: 64) { begin, end in
      kernels.pointee.widen(format, halves, begin, end, result)
    }
  }
}

extension ElementType {
  /// How the kernels name numbers that lie in a row.
  var kernelFormat: Int32 {
    switch self {
    case .float16: Int32(STORED_FLOAT16)
    case .bfloat16: Int32(STORED_BFLOAT16)
    case .float32, .float64: Int32(STORED_FLOAT32)
    }
  }
}
