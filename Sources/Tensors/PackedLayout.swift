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

  /// How many are stored as pairs of neighbouring columns: an odd matrix has a column of zeros more.
  var pairedCount: Int { panels * ((columns + 1) / 2 * 2) * Self.panelWidth }

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
