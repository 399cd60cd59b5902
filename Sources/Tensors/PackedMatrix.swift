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

  /// Copies a row-major matrix into packed storage, zeros included.
  public func pack(_ plain: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
    pack(into: packed, zero: 0) { plain[$0] }
  }

  /// Fills packed storage from what `value` gives for each index of the row-major matrix.
  @inline(__always)
  func pack<Stored>(
    into packed: UnsafeMutablePointer<Stored>, zero: Stored, _ value: (Int) -> Stored
  ) {
    for panel in 0..<panels {
      let first = panel * Self.panelWidth
      let width = min(Self.panelWidth, rows - first)
      for column in 0..<columns {
        let target = packed + (panel * columns + column) * Self.panelWidth
        for lane in 0..<width { target[lane] = value((first + lane) * columns + column) }
        for lane in width..<Self.panelWidth { target[lane] = zero }
      }
    }
  }

  /// Copies some rows of packed storage, whole panels, into row-major ones.
  public func unpack(
    rows range: Range<Int>, of packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>
  ) {
    part(range).unpack(packed + range.lowerBound * columns, into: plain)
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

  /// Copies packed storage into a row-major matrix.
  public func unpack(_ packed: UnsafePointer<Float>, into plain: UnsafeMutablePointer<Float>) {
    for panel in 0..<panels {
      let first = panel * Self.panelWidth
      let width = min(Self.panelWidth, rows - first)
      for column in 0..<columns {
        let source = packed + (panel * columns + column) * Self.panelWidth
        for lane in 0..<width { plain[(first + lane) * columns + column] = source[lane] }
      }
    }
  }
}

/// How the elements of a weight are held in memory.
public enum WeightFormat: String, Sendable {
  /// What is trained.
  case float32
  /// Half the bytes, for frozen weights only; widened exactly where it is used.
  case bfloat16
}

/// A linear layer's weight [N, K] or an embedding table [V, C], packed; there is no plain copy.
public final class PackedMatrix {
  /// Where the elements lie.
  public let layout: PackedLayout
  /// How the elements are held.
  public let format: WeightFormat

  private let memory: AlignedMemory
  /// Row-major values for OpenBLAS; only a comparison with its forward products makes them.
  var plainCopy: FloatBuffer?

  /// A matrix of zeros.
  public init(rows: Int, columns: Int, format: WeightFormat = .float32) {
    layout = PackedLayout(rows: rows, columns: columns)
    self.format = format
    memory = AlignedMemory(byteCount: layout.count * (format == .float32 ? 4 : 2))
  }

  /// Rows of the matrix: N or V.
  public var rows: Int { layout.rows }
  /// Columns of the matrix: K or C.
  public var columns: Int { layout.columns }
  /// Bytes of storage.
  public var byteCount: Int { layout.count * (format == .float32 ? 4 : 2) }
  /// The panels, whatever their format.
  public var panels: UnsafeRawPointer { UnsafeRawPointer(memory.address) }

  /// The packed floats, to be changed; a frozen bfloat16 matrix has none.
  public var pointer: UnsafeMutablePointer<Float> {
    precondition(format == .float32, "a bfloat16 matrix is frozen and has no floats to change")
    plainCopy = nil
    return floats
  }

  private var floats: UnsafeMutablePointer<Float> {
    memory.address.assumingMemoryBound(to: Float.self)
  }

  private var halves: UnsafeMutablePointer<UInt16> {
    memory.address.assumingMemoryBound(to: UInt16.self)
  }

  private var changedHalves: UnsafeMutablePointer<UInt16> {
    plainCopy = nil
    return halves
  }

  var storedFormat: Int32 {
    Int32(format == .float32 ? STORED_FLOAT32 : STORED_BFLOAT16)
  }

  /// Takes row-major values [rows, columns]; into bfloat16 they are rounded to nearest, ties to even.
  public func pack(from plain: UnsafePointer<Float>) { pack(rows: 0..<rows, from: plain) }

  /// Takes some rows of the matrix, so that a large one needs no whole plain copy.
  /// - Precondition: They begin at a multiple of the panels' width and end at one, or at the last row.
  public func pack(rows range: Range<Int>, from plain: UnsafePointer<Float>) {
    let part = layout.part(range)
    let start = range.lowerBound * columns
    switch format {
    case .float32: part.pack(plain, into: pointer + start)
    case .bfloat16: part.pack(into: changedHalves + start, zero: 0) { BFloat16.round(plain[$0]) }
    }
  }

  /// Takes row-major bfloat16 values [rows, columns], exactly.
  public func pack(bfloat16 plain: UnsafePointer<UInt16>) {
    switch format {
    case .float32: layout.pack(into: pointer, zero: 0) { BFloat16.widen(plain[$0]) }
    case .bfloat16: layout.pack(into: changedHalves, zero: 0) { plain[$0] }
    }
  }

  /// Gives row-major values [rows, columns], widened where they are bfloat16.
  public func unpack(into plain: UnsafeMutablePointer<Float>) {
    unpack(rows: 0..<rows, into: plain)
  }

  /// Gives some rows of the matrix, whole panels, in row-major order.
  public func unpack(rows range: Range<Int>, into plain: UnsafeMutablePointer<Float>) {
    if format == .float32 {
      layout.unpack(rows: range, of: floats, into: plain)
    } else {
      for (place, row) in range.enumerated() { self.row(row, into: plain + place * columns) }
    }
  }

  /// Gives one row [columns]: the embedding of token `row`.
  public func row(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
    precondition(row >= 0 && row < rows, "row \(row) of a matrix that has \(rows)")
    let start = layout.offset(row: row, column: 0)
    switch format {
    case .float32:
      let source = floats + start
      for column in 0..<columns { destination[column] = source[column &* PackedLayout.panelWidth] }
    case .bfloat16:
      let source = halves + start
      for column in 0..<columns {
        destination[column] = BFloat16.widen(source[column &* PackedLayout.panelWidth])
      }
    }
  }
}

/// The upper half of a float: 8 bits of exponent, 7 of fraction.
public enum BFloat16 {
  /// The float of the same value.
  public static func widen(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// The nearest bfloat16, ties to even; a NaN stays one.
  public static func round(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}
