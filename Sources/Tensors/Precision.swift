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
  /// - Parameter areSpent: Whether they are rounded where they lie, or a few at a time where an odd row has no room.
  public static func preparedFloats(rows: Int, columns: Int, areSpent: Bool) -> Int {
    guard areSpent else { return rows * (columns + 1) }
    return columns % 2 == 0 ? 0 : min(rows, preparedRows(columns: columns)) * (columns + 1)
  }

  static func preparedRows(columns: Int) -> Int { max(48, operandFloats / (columns + 1)) }

  /// Rounds rows for a product; good until the next product's.
  /// - Parameter spends: Whether the rows may be rounded where they lie.
  func operandRows(_ x: Tensor, _ precision: Precision, spending spends: Bool = false)
    -> OperandRows
  {
    guard precision != .float32 else {
      return OperandRows(address: x.start, stride: x.stride, elementSize: 4)
    }
    let isPaired = precision == .bf16
    let stride = isPaired ? (x.columns + 1) / 2 : x.columns
    let size = isPaired ? kernels.pointee.pair_size : 4
    if spends, isRoundedInPlace(x, precision) { return roundInPlace(x, precision, size) }
    let prepared = operandScratch.ensure(count: (x.rows * stride * size + 3) / 4)
    let source = x.start
    parallelRanges(x.rows, cost: Double(x.columns) * 0.1) { begin, end in
      kernels.pointee.prepare_rows(
        precision.format, source, x.stride, begin, end, x.columns, prepared)
    }
    return OperandRows(address: prepared, stride: stride, elementSize: size)
  }

  /// Whether a row's operands fit where its floats are.
  func isRoundedInPlace(_ x: Tensor, _ precision: Precision) -> Bool {
    guard precision == .bf16 else { return true }
    let (size, room) = (kernels.pointee.pair_size, x.stride * 4)
    return room % size == 0 && (x.columns + 1) / 2 * size <= room
  }

  private func roundInPlace(_ x: Tensor, _ precision: Precision, _ size: Int) -> OperandRows {
    parallelRanges(x.rows, cost: Double(x.columns) * 0.1) { begin, end in
      for row in begin..<end {
        kernels.pointee.prepare_rows(
          precision.format, x[row: row], x.stride, 0, 1, x.columns, x[row: row])
      }
    }
    return OperandRows(address: x.start, stride: x.stride * 4 / size, elementSize: size)
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
