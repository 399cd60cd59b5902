/// Where a parameter's numbers lie: a weight in panels, several in one tensor, or a short vector as it is.
///
/// A weight has the shape that files give it. Most are [outputs, inputs]; one that files keep as [inputs, outputs] lies in
/// the same panels, and is transposed on its way in and out.
public enum ParameterStorage {
  case matrix(PackedMatrix)
  /// The matrix is the transpose of the parameter.
  case transposed(PackedMatrix)
  /// The transposes of the parameter's matrices.
  case stack(MatrixStack)
  case vector(Tensor)

  /// Zeros for a tensor of a shape; only matrices may be held in another element type than float32.
  public init(zero shape: [Int], form: StorageForm, element: ElementType = .float32) {
    switch form {
    case .plain: self = .vector(Tensor(count: shape.reduce(1, *)))
    case .matrix:
      self = .matrix(PackedMatrix(rows: shape[0], columns: shape[1], element: element))
    case .transposed:
      self = .transposed(PackedMatrix(rows: shape[1], columns: shape[0], element: element))
    case .transposedStack:
      self = .stack(
        MatrixStack(count: shape[0], rows: shape[2], columns: shape[1], element: element))
    }
  }

  /// The matrix that products read, nil for a vector or several matrices.
  public var matrix: PackedMatrix? {
    switch self {
    case .matrix(let matrix), .transposed(let matrix): matrix
    case .vector, .stack: nil
    }
  }

  /// How many numbers there are, panel padding not counted.
  public var count: Int {
    switch self {
    case .matrix(let matrix), .transposed(let matrix): matrix.rows * matrix.columns
    case .stack(let stack): stack.matrices.count * stack.layout.rows * stack.layout.columns
    case .vector(let vector): vector.count
    }
  }

  /// The numbers as they lie, to be changed; padding is zero and stays zero.
  /// - Precondition: They are float32.
  public var stored: Tensor {
    switch self {
    case .matrix(let matrix), .transposed(let matrix): matrix.stored
    case .stack(let stack): stack.stored
    case .vector(let vector): vector
    }
  }

  /// The numbers in row-major order.
  public var values: [Float] { pieces.flatMap { values(of: $0) } }

  /// Replaces the numbers by row-major ones.
  public func fill(from values: [Float]) {
    for piece in pieces { fill(piece, from: Array(values[elements(of: piece)])) }
  }

  // MARK: In pieces, for files

  /// The ranges of rows by which the numbers pass between memory and a file.
  ///
  /// Those of a matrix are whole panels, about 4 MiB each; of a stack they are its matrices; a vector is one piece.
  public var pieces: [Range<Int>] {
    let width: Int
    switch self {
    case .vector(let vector): return [0..<vector.count]
    case .stack(let stack): return stack.matrices.indices.map { $0..<$0 + 1 }
    case .matrix: width = PackedLayout.panelWidth
    case .transposed: width = 1
    }
    let (rows, columns) = (rowCount, rowWidth)
    let atOnce = max(1, (1 << 20) / max(1, columns * width)) * width
    return stride(from: 0, to: rows, by: atOnce).map { $0..<min($0 + atOnce, rows) }
  }

  /// The row-major elements that a piece is.
  public func elements(of piece: Range<Int>) -> Range<Int> {
    piece.lowerBound * rowWidth..<piece.upperBound * rowWidth
  }

  /// A piece's numbers in row-major order.
  /// - Parameter other: Numbers that lie as the parameter's do (its gradient, its moments); nil for its own.
  public func values(of piece: Range<Int>, in other: Tensor? = nil) -> [Float] {
    switch self {
    case .vector(let vector): return (other ?? vector).elements(piece).values
    case .stack(let stack):
      let expert = piece.lowerBound
      return ParameterStorage.transposed(stack.matrices[expert]).values(
        of: 0..<stack.layout.columns, in: other.map { stack.part(expert, of: $0) })
    case .matrix(let matrix):
      guard let other else { return matrix.values(rows: piece) }
      let part = matrix.layout.part(piece)
      return Self.plain(part.rows * part.columns) {
        part.unpack(other.start + piece.lowerBound * part.columns, into: $0) { $0 }
      }
    case .transposed(let matrix):
      guard let other else { return matrix.values(columns: piece) }
      return Self.plain(piece.count * matrix.rows) {
        matrix.layout.unpackTransposed(other.start, columns: piece, into: $0) { $0 }
      }
    }
  }

  /// Replaces a piece's numbers by row-major ones.
  /// - Parameter other: Numbers that lie as the parameter's do; nil for its own.
  public func fill(_ piece: Range<Int>, from values: [Float], in other: Tensor? = nil) {
    precondition(values.count == elements(of: piece).count, "values and piece differ in length")
    switch self {
    case .vector(let vector): (other ?? vector).elements(piece).fill(from: values)
    case .stack(let stack):
      let expert = piece.lowerBound
      ParameterStorage.transposed(stack.matrices[expert]).fill(
        0..<stack.layout.columns, from: values, in: other.map { stack.part(expert, of: $0) })
    case .matrix(let matrix):
      guard let other else { return matrix.fill(rows: piece, from: values) }
      let part = matrix.layout.part(piece)
      values.withUnsafeBufferPointer { plain in
        guard let plain = plain.baseAddress else { return }
        part.pack(plain, into: other.start + piece.lowerBound * part.columns, zero: 0) { $0 }
      }
    case .transposed(let matrix):
      guard let other else { return matrix.fill(columns: piece, from: values) }
      values.withUnsafeBufferPointer { plain in
        guard let plain = plain.baseAddress else { return }
        matrix.layout.packTransposed(plain, columns: piece, into: other.start, zero: 0) { $0 }
      }
    }
  }

  /// All numbers in row-major order, from where they lie as the parameter's do.
  public func values(in other: Tensor) -> [Float] { pieces.flatMap { values(of: $0, in: other) } }

  /// Puts row-major numbers where they lie as the parameter's do.
  public func fill(from values: [Float], in other: Tensor) {
    for piece in pieces { fill(piece, from: Array(values[elements(of: piece)]), in: other) }
  }

  /// The rows of the parameter, as files have it; each number of a vector is one, and each matrix of a stack.
  private var rowCount: Int {
    switch self {
    case .vector(let vector): vector.count
    case .stack(let stack): stack.matrices.count
    case .matrix(let matrix): matrix.rows
    case .transposed(let matrix): matrix.columns
    }
  }

  private var rowWidth: Int {
    switch self {
    case .vector: 1
    case .stack(let stack): stack.layout.rows * stack.layout.columns
    case .matrix(let matrix): matrix.columns
    case .transposed(let matrix): matrix.rows
    }
  }

  private static func plain(
    _ count: Int, _ write: (UnsafeMutablePointer<Float>) -> Void
  ) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { buffer, written in
      if let start = buffer.baseAddress { write(start) }
      written = count
    }
  }
}
