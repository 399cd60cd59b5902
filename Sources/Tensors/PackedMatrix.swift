import CKernels

/// Where the elements of a matrix [rows, columns] lie once packed for products.
///
/// Rows come in panels of 32: element (n, k) stands at `(n / 32 · columns + k) · 32 + n % 32`, and
/// the last panel is filled with zeros. A weight, its gradient and its two AdamW moments share the
/// layout, so that the optimiser walks all four side by side.
public struct PackedLayout: Equatable, Sendable {
  /// Rows of the matrix: the outputs of a linear layer.
  public let rows: Int
  /// Columns of the matrix: the inputs of a linear layer.
  public let columns: Int

  /// Rows in a panel.
  public static let panelWidth = Int(PANEL_WIDTH)

  /// The layout of a matrix of `rows` × `columns`.
  public init(rows: Int, columns: Int) {
    precondition(rows >= 0 && columns >= 0, "a matrix cannot be \(rows) × \(columns)")
    self.rows = rows
    self.columns = columns
  }

  /// How many panels there are.
  public var panels: Int { (rows + Self.panelWidth - 1) / Self.panelWidth }
  /// How many elements are stored, the zeros of the last panel included.
  public var count: Int { panels * columns * Self.panelWidth }

  /// Where element (row, column) stands.
  public func offset(row: Int, column: Int) -> Int {
    (row / Self.panelWidth * columns + column) * Self.panelWidth + row % Self.panelWidth
  }

  /// The layout of some rows, which lie in packed storage from `range.lowerBound * columns` on.
  /// - Precondition: They begin at a multiple of the panels' width and end at one, or at the last row.
  func part(_ range: Range<Int>) -> PackedLayout {
    let width = Self.panelWidth
    precondition(
      range.lowerBound % width == 0 && (range.upperBound % width == 0 || range.upperBound == rows),
      "rows \(range) are not whole panels")
    return PackedLayout(rows: range.count, columns: columns)
  }

  /// Copies a row-major matrix into packed storage, zeros included.
  @inline(__always)
  func pack<Plain, Stored>(
    _ plain: UnsafePointer<Plain>, into packed: UnsafeMutablePointer<Stored>, zero: Stored,
    _ convert: (Plain) -> Stored
  ) {
    for panel in 0..<panels {
      let first = panel * Self.panelWidth
      let width = min(Self.panelWidth, rows - first)
      for column in 0..<columns {
        let target = packed + (panel * columns + column) * Self.panelWidth
        for lane in 0..<width { target[lane] = convert(plain[(first + lane) * columns + column]) }
        for lane in width..<Self.panelWidth { target[lane] = zero }
      }
    }
  }

  /// Copies columns of a matrix, each stored as a row of its transpose, into packed storage, zeros included.
  @inline(__always)
  func packTransposed<Plain, Stored>(
    _ plain: UnsafePointer<Plain>, columns range: Range<Int>,
    into packed: UnsafeMutablePointer<Stored>, zero: Stored, _ convert: (Plain) -> Stored
  ) {
    for panel in 0..<panels {
      let first = panel * Self.panelWidth
      let width = min(Self.panelWidth, rows - first)
      for column in range {
        let target = packed + (panel * columns + column) * Self.panelWidth
        let source = plain + (column - range.lowerBound) * rows + first
        for lane in 0..<width { target[lane] = convert(source[lane]) }
        for lane in width..<Self.panelWidth { target[lane] = zero }
      }
    }
  }

  /// Copies columns of packed storage out, each as a row of the transpose.
  @inline(__always)
  func unpackTransposed<Stored, Plain>(
    _ packed: UnsafePointer<Stored>, columns range: Range<Int>,
    into plain: UnsafeMutablePointer<Plain>, _ convert: (Stored) -> Plain
  ) {
    for panel in 0..<panels {
      let first = panel * Self.panelWidth
      let width = min(Self.panelWidth, rows - first)
      for column in range {
        let source = packed + (panel * columns + column) * Self.panelWidth
        let target = plain + (column - range.lowerBound) * rows + first
        for lane in 0..<width { target[lane] = convert(source[lane]) }
      }
    }
  }

  /// Copies packed storage into a row-major matrix.
  @inline(__always)
  func unpack<Stored, Plain>(
    _ packed: UnsafePointer<Stored>, into plain: UnsafeMutablePointer<Plain>,
    _ convert: (Stored) -> Plain
  ) {
    for panel in 0..<panels {
      let first = panel * Self.panelWidth
      let width = min(Self.panelWidth, rows - first)
      for column in 0..<columns {
        let source = packed + (panel * columns + column) * Self.panelWidth
        for lane in 0..<width { plain[(first + lane) * columns + column] = convert(source[lane]) }
      }
    }
  }
}

/// A linear layer's weight [N, K] or an embedding table [V, C], packed; there is no plain copy.
public final class PackedMatrix {
  /// Where the elements lie.
  public let layout: PackedLayout

  /// The elements in packed order.
  private let memory: Tensor
  /// Row-major values for OpenBLAS; only a comparison with its forward products makes them.
  var plainCopy: Tensor?

  /// A matrix of zeros; in bfloat16 for frozen weights only, half the bytes, widened exactly where it is used.
  public init(rows: Int, columns: Int, element: ElementType = .float32) {
    precondition(element != .float16, "weights in float16 are widened when they are read")
    layout = PackedLayout(rows: rows, columns: columns)
    memory = Tensor(rows: 1, columns: layout.count, element: element)
  }

  /// How the elements are held.
  public var element: ElementType { memory.element }
  /// Rows of the matrix: N or V.
  public var rows: Int { layout.rows }
  /// Columns of the matrix: K or C.
  public var columns: Int { layout.columns }
  /// Bytes of storage.
  public var byteCount: Int { layout.count * element.size }

  /// The elements in packed order, to be changed as their gradient and moments are, which lie alike.
  /// - Precondition: They are float32: a bfloat16 matrix is frozen.
  public var stored: Tensor {
    precondition(element == .float32, "a bfloat16 matrix is frozen and has no floats to change")
    plainCopy = nil
    return memory
  }

  /// The panels, whatever their element.
  var panels: UnsafeRawPointer { memory.bytes }

  var storedFormat: Int32 {
    Int32(element == .float32 ? STORED_FLOAT32 : STORED_BFLOAT16)
  }

  /// Takes row-major values [rows, columns]; into bfloat16 they are rounded to nearest, ties to even.
  public func fill(from values: [Float]) { fill(rows: 0..<rows, from: values) }

  /// Takes some rows of the matrix, so that a large one needs no whole plain copy.
  /// - Precondition: They begin at a multiple of the panels' width and end at one, or at the last row.
  public func fill(rows range: Range<Int>, from values: [Float]) {
    precondition(values.count == range.count * columns, "the values are not those of the rows")
    plainCopy = nil
    let part = layout.part(range)
    let start = range.lowerBound * columns
    values.withUnsafeBufferPointer { plain in
      guard let plain = plain.baseAddress else { return }
      if element == .float32 {
        part.pack(plain, into: memory.start + start, zero: 0) { $0 }
      } else {
        part.pack(plain, into: memory.halves + start, zero: 0, HalfPrecision.bfloat16)
      }
    }
  }

  /// Row-major values [rows, columns], widened where they are bfloat16.
  public var values: [Float] { values(rows: 0..<rows) }

  /// Some rows of the matrix, whole panels, in row-major order.
  public func values(rows range: Range<Int>) -> [Float] {
    let part = layout.part(range)
    let start = range.lowerBound * columns
    return [Float](unsafeUninitializedCapacity: range.count * columns) { buffer, count in
      if let plain = buffer.baseAddress {
        if element == .float32 {
          part.unpack(memory.start + start, into: plain) { $0 }
        } else {
          part.unpack(memory.halves + start, into: plain, HalfPrecision.float(bfloat16:))
        }
      }
      count = range.count * columns
    }
  }

  // MARK: The transpose

  /// Takes some columns of the matrix, each a row of its transpose.
  public func fill(columns range: Range<Int>, from values: [Float]) {
    precondition(values.count == range.count * rows, "the values are not those of the columns")
    plainCopy = nil
    values.withUnsafeBufferPointer { plain in
      guard let plain = plain.baseAddress else { return }
      if element == .float32 {
        layout.packTransposed(plain, columns: range, into: memory.start, zero: 0) { $0 }
      } else {
        layout.packTransposed(
          plain, columns: range, into: memory.halves, zero: 0, HalfPrecision.bfloat16)
      }
    }
  }

  /// Some columns of the matrix, each as a row of its transpose.
  public func values(columns range: Range<Int>) -> [Float] {
    [Float](unsafeUninitializedCapacity: range.count * rows) { buffer, count in
      if let plain = buffer.baseAddress {
        if element == .float32 {
          layout.unpackTransposed(memory.start, columns: range, into: plain) { $0 }
        } else {
          layout.unpackTransposed(
            memory.halves, columns: range, into: plain, HalfPrecision.float(bfloat16:))
        }
      }
      count = range.count * rows
    }
  }

  /// Adds one row [columns] to what is there.
  func addRow(_ row: Int, to destination: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < rows, "row \(row) of a matrix that has \(rows)")
    let start = layout.offset(row: row, column: 0)
    for column in 0..<columns {
      let place = start + column * PackedLayout.panelWidth
      destination[column] +=
        element == .float32
        ? memory.start[place] : HalfPrecision.float(bfloat16: memory.halves[place])
    }
  }

  /// Gives one row [columns]: the embedding of token `row`.
  func row(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < rows, "row \(row) of a matrix that has \(rows)")
    let start = layout.offset(row: row, column: 0)
    if element == .float32 {
      let source = memory.start + start
      for column in 0..<columns { destination[column] = source[column &* PackedLayout.panelWidth] }
    } else {
      let source = memory.halves + start
      for column in 0..<columns {
        destination[column] = HalfPrecision.float(
          bfloat16: source[column &* PackedLayout.panelWidth])
      }
    }
  }
}
