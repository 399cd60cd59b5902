/// Where a parameter's numbers lie: a weight in panels, or a short vector as it is.
public enum ParameterStorage {
  case matrix(PackedMatrix)
  case vector(Tensor)

  /// Zeros for a tensor of a shape; only a matrix may be held in another element type than float32.
  public init(zero shape: [Int], element: ElementType = .float32) {
    self =
      shape.count == 2
      ? .matrix(PackedMatrix(rows: shape[0], columns: shape[1], element: element))
      : .vector(Tensor(count: shape.reduce(1, *)))
  }

  /// How many floats the gradient or a moment of a tensor of a shape takes: they lie as the tensor does.
  public static func storedCount(_ shape: [Int]) -> Int {
    shape.count == 2
      ? PackedLayout(rows: shape[0], columns: shape[1]).count : shape.reduce(1, *)
  }

  /// How many numbers there are, panel padding not counted.
  public var count: Int {
    switch self {
    case .matrix(let matrix): matrix.rows * matrix.columns
    case .vector(let vector): vector.count
    }
  }

  /// The numbers as they lie, to be changed; padding is zero and stays zero.
  /// - Precondition: They are float32.
  public var stored: Tensor {
    switch self {
    case .matrix(let matrix): matrix.stored
    case .vector(let vector): vector
    }
  }

  /// The numbers in row-major order.
  public var values: [Float] {
    switch self {
    case .matrix(let matrix): matrix.values
    case .vector(let vector): vector.values
    }
  }

  /// Replaces the numbers by row-major ones.
  public func fill(from values: [Float]) {
    switch self {
    case .matrix(let matrix): matrix.fill(from: values)
    case .vector(let vector): vector.fill(from: values)
    }
  }

  // MARK: In pieces, for files

  /// The ranges of rows by which the numbers pass between memory and a file.
  ///
  /// Those of a matrix are whole panels, about 4 MiB each; a vector is one piece.
  public var pieces: [Range<Int>] {
    switch self {
    case .vector(let vector): return [0..<vector.count]
    case .matrix(let matrix):
      let width = PackedLayout.panelWidth
      let atOnce = max(1, (1 << 20) / max(1, matrix.columns * width)) * width
      return stride(from: 0, to: matrix.rows, by: atOnce).map {
        $0..<min($0 + atOnce, matrix.rows)
      }
    }
  }

  /// The row-major elements that a piece is.
  public func elements(of piece: Range<Int>) -> Range<Int> {
    switch self {
    case .vector: piece
    case .matrix(let matrix): piece.lowerBound * matrix.columns..<piece.upperBound * matrix.columns
    }
  }

  /// A piece's numbers in row-major order.
  /// - Parameter other: Numbers that lie as the parameter's do (its gradient, its moments); nil for its own.
  public func values(of piece: Range<Int>, in other: Tensor? = nil) -> [Float] {
    switch self {
    case .vector(let vector): return (other ?? vector).elements(piece).values
    case .matrix(let matrix):
      guard let other else { return matrix.values(rows: piece) }
      let part = matrix.layout.part(piece)
      return [Float](unsafeUninitializedCapacity: part.rows * part.columns) { buffer, count in
        if let plain = buffer.baseAddress {
          part.unpack(other.start + piece.lowerBound * part.columns, into: plain) { $0 }
        }
        count = part.rows * part.columns
      }
    }
  }

  /// Replaces a piece's numbers by row-major ones.
  /// - Parameter other: Numbers that lie as the parameter's do; nil for its own.
  public func fill(_ piece: Range<Int>, from values: [Float], in other: Tensor? = nil) {
    switch self {
    case .vector(let vector): (other ?? vector).elements(piece).fill(from: values)
    case .matrix(let matrix):
      guard let other else { return matrix.fill(rows: piece, from: values) }
      let part = matrix.layout.part(piece)
      precondition(values.count == part.rows * part.columns, "values and piece differ in length")
      values.withUnsafeBufferPointer { plain in
        guard let plain = plain.baseAddress else { return }
        part.pack(plain, into: other.start + piece.lowerBound * part.columns, zero: 0) { $0 }
      }
    }
  }

  /// All numbers in row-major order, from where they lie as the parameter's do.
  public func values(in other: Tensor) -> [Float] { values(of: whole, in: other) }

  /// Puts row-major numbers where they lie as the parameter's do.
  public func fill(from values: [Float], in other: Tensor) { fill(whole, from: values, in: other) }

  private var whole: Range<Int> {
    switch self {
    case .matrix(let matrix): 0..<matrix.rows
    case .vector(let vector): 0..<vector.count
    }
  }
}
