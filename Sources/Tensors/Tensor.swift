/// A matrix of numbers [rows, columns], or some rows or columns of one.
///
/// A tensor and its parts own the memory together: it goes when the last of them goes. Copies are cheap and name the
/// same numbers; `Compute` changes numbers in place. A vector is a matrix of one row.
///
/// Numbers are row-major: from one row to the next it is `stride` elements. What a tensor's address is only this module
/// knows, so that another place (a device) or another element type changes nothing above it.
///
/// Not `Sendable`: whoever owns a tensor decides who writes it.
public struct Tensor {
  /// How many rows there are.
  public let rows: Int
  /// How many numbers a row has.
  public let columns: Int
  /// Elements from one row to the next.
  public let stride: Int
  /// How a number is held.
  public let element: ElementType

  private let memory: AlignedMemory
  /// The first number, in elements from the memory's start.
  private let offset: Int

  /// A matrix of zeros, at a multiple of 64 bytes; a large one takes no memory before it is touched.
  public init(rows: Int, columns: Int, element: ElementType = .float32) {
    precondition(rows >= 0 && columns >= 0, "a tensor cannot be \(rows) × \(columns)")
    self.init(
      memory: AlignedMemory(byteCount: rows * columns * element.size), offset: 0, rows: rows,
      columns: columns, stride: columns, element: element)
  }

  /// A vector of zeros.
  public init(count: Int) { self.init(rows: 1, columns: count) }

  /// A vector of the given numbers.
  public init(_ values: [Float]) { self.init(rows: 1, columns: values.count, values: values) }

  /// A matrix of the given numbers, row by row.
  public init(rows: Int, columns: Int, values: [Float]) {
    self.init(rows: rows, columns: columns)
    fill(from: values)
  }

  private init(
    memory: AlignedMemory, offset: Int, rows: Int, columns: Int, stride: Int, element: ElementType
  ) {
    self.memory = memory
    self.offset = offset
    self.rows = rows
    self.columns = columns
    self.stride = stride
    self.element = element
  }

  /// Where the numbers lie.
  public var place: Place { .host }

  /// How many numbers there are.
  public var count: Int { rows * columns }

  /// Whether the rows follow one another without gaps.
  public var isContiguous: Bool { stride == columns || rows <= 1 }

  // MARK: Parts

  /// Some of the rows.
  public func rows(_ range: Range<Int>) -> Tensor {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of a tensor of \(rows)")
    return part(offset + range.lowerBound * stride, range.count, columns, stride)
  }

  /// Some of the columns.
  public func columns(_ range: Range<Int>) -> Tensor {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= columns,
      "columns \(range) of a tensor of \(columns)")
    return part(offset + range.lowerBound, rows, range.count, stride)
  }

  /// Some of the numbers of a contiguous tensor, as a vector.
  public func elements(_ range: Range<Int>) -> Tensor {
    requireContiguous()
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count, "elements \(range) of \(count)")
    return part(offset + range.lowerBound, 1, range.count, range.count)
  }

  /// The same numbers in rows of another width; contiguous tensors only.
  public func reshaped(columns width: Int) -> Tensor {
    requireContiguous()
    precondition(
      width > 0 && count % width == 0, "\(count) numbers do not fill rows of \(width)")
    return part(offset, count / width, width, width)
  }

  private func part(_ offset: Int, _ rows: Int, _ columns: Int, _ stride: Int) -> Tensor {
    Tensor(
      memory: memory, offset: offset, rows: rows, columns: columns, stride: stride,
      element: element)
  }

  private func requireContiguous() {
    precondition(isContiguous, "a tensor with gaps between its rows is no vector")
  }

  // MARK: Numbers in and out

  /// The numbers, copied row by row.
  public var values: [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, written in
      if let target = buffer.baseAddress {
        for row in 0..<rows {
          (target + row * columns).initialize(from: self[row: row], count: columns)
        }
      }
      written = count
    }
  }

  /// One number.
  public subscript(row: Int, column: Int) -> Float {
    precondition(0..<rows ~= row && 0..<columns ~= column, "(\(row), \(column)) is outside")
    return self[row: row][column]
  }

  /// Takes numbers row by row.
  public func fill(from values: [Float]) {
    precondition(values.count == count, "\(values.count) values for \(count)")
    values.withUnsafeBufferPointer { source in
      guard let start = source.baseAddress else { return }
      for row in 0..<rows {
        self[row: row].update(from: start + row * columns, count: columns)
      }
    }
  }

  /// Takes the numbers of a tensor of the same shape.
  public func fill(from other: Tensor) {
    precondition(other.rows == rows && other.columns == columns, "tensors of different shape")
    for row in 0..<rows { self[row: row].update(from: other[row: row], count: columns) }
  }

  // MARK: For this module

  /// The first float.
  var start: UnsafeMutablePointer<Float> {
    precondition(element == .float32, "the operation takes float32, not \(element.torchName)")
    return memory.address.assumingMemoryBound(to: Float.self) + offset
  }

  /// The first of numbers that take two bytes.
  var halves: UnsafeMutablePointer<UInt16> {
    precondition(element != .float32, "the operation takes halves, not float32")
    return memory.address.assumingMemoryBound(to: UInt16.self) + offset
  }

  /// The first number's bytes.
  var bytes: UnsafeRawPointer { UnsafeRawPointer(mutableBytes) }
  var mutableBytes: UnsafeMutableRawPointer { memory.address + offset * element.size }

  /// Takes the numbers of a tensor of the same shape and element type as they are.
  func copyBytes(of other: Tensor) {
    precondition(
      isContiguous && other.isContiguous && count == other.count && element == other.element,
      "tensors that lie differently")
    mutableBytes.copyMemory(from: other.bytes, byteCount: count * element.size)
  }

  /// The first float of a row.
  subscript(row row: Int) -> UnsafeMutablePointer<Float> { start + row * stride }

  /// Whether both name exactly the same numbers.
  func isSame(as other: Tensor) -> Bool {
    memory === other.memory && offset == other.offset && stride == other.stride
      && rows == other.rows && columns == other.columns
  }
}

/// Where numbers lie.
public enum Place: Sendable {
  /// In the memory of the process.
  case host
}

/// Memory for a matrix that is written anew again and again: it grows and never shrinks.
public final class TensorScratch {
  private var memory: Tensor?
  private var current: Tensor?

  /// No memory yet.
  public init() {}

  /// A matrix with whatever the memory held, which may be what was reserved before.
  public func reserve(rows: Int, columns: Int) -> Tensor {
    if let current, current.rows == rows, current.columns == columns { return current }
    let wanted = rows * columns
    if (memory?.count ?? -1) < wanted {
      // The old one goes before the new one comes.
      current = nil
      memory = nil
      memory = Tensor(count: max(wanted, 1))
    }
    guard let memory else { preconditionFailure("memory was just made") }
    let tensor =
      columns > 0 && rows > 0
      ? memory.elements(0..<wanted).reshaped(columns: columns)
      : Tensor(rows: rows, columns: columns)
    current = tensor
    return tensor
  }

  /// What was reserved last.
  public var tensor: Tensor {
    guard let current else { preconditionFailure("scratch read before it was reserved") }
    return current
  }

  /// How many numbers there is memory for.
  public var capacity: Int { memory?.count ?? 0 }
}

/// A matrix held in two bytes, whose memory grows and never shrinks.
public final class HalfScratch {
  private let element: ElementType
  private var memory: Tensor?
  private var shape = (rows: 0, columns: 0)

  /// No memory yet.
  public init(_ element: ElementType) { self.element = element }

  /// Takes numbers, rounded.
  public func hold(_ x: Tensor, _ compute: Compute) {
    shape = (x.rows, x.columns)
    if (memory?.count ?? -1) < x.count {
      memory = nil
      memory = Tensor(rows: 1, columns: max(x.count, 1), element: element)
    }
    guard let memory, x.count > 0 else { return }
    compute.narrow(x, into: memory.elements(0..<x.count))
  }

  /// Gives them back, as a matrix of the shape that they had.
  public func restore(into scratch: TensorScratch, _ compute: Compute) {
    let target = scratch.reserve(rows: shape.rows, columns: shape.columns)
    guard let memory, target.count > 0 else { return }
    compute.widen(memory.elements(0..<target.count), into: target)
  }
}
