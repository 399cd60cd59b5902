/// The matrices [N, K] of all experts of a layer, one behind the other in memory; in files each is transposed, [E, K, N].
public final class MatrixStack {
  /// The matrix of each expert.
  public let matrices: [PackedMatrix]
  /// All elements in packed order; nil where they are frozen in bfloat16, each matrix by itself.
  private let memory: Tensor?

  /// Matrices of zeros.
  init(count: Int, rows: Int, columns: Int, element: ElementType) {
    precondition(count > 0, "a stack has matrices")
    guard element == .float32 else {
      memory = nil
      matrices = (0..<count).map { _ in
        PackedMatrix(rows: rows, columns: columns, element: element)
      }
      return
    }
    let size = PackedLayout(rows: rows, columns: columns).count
    let memory = Tensor(count: count * size)
    self.memory = memory
    matrices = (0..<count).map {
      PackedMatrix(
        rows: rows, columns: columns, memory: memory.elements($0 * size..<($0 + 1) * size))
    }
  }

  /// The layout of each.
  public var layout: PackedLayout { matrices[0].layout }

  /// All elements in packed order, to be changed as their gradient and moments are, which lie alike.
  /// - Precondition: They are float32.
  var stored: Tensor {
    guard let memory else {
      preconditionFailure("bfloat16 matrices are frozen and have no floats to change")
    }
    // Whoever asks may change them: what was made from them is out of date.
    for matrix in matrices { _ = matrix.stored }
    return memory
  }

  /// An expert's part of numbers that lie as these do.
  public func part(_ expert: Int, of other: Tensor) -> Tensor {
    other.elements(expert * layout.count..<(expert + 1) * layout.count)
  }
}
