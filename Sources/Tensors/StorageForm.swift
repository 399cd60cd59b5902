/// How a parameter's numbers lie in memory, against their order in files.
public enum StorageForm: Sendable, Hashable {
  /// As they are in files.
  case plain
  /// A matrix [N, K] in panels.
  case matrix
  /// The same of what files keep as [K, N].
  case transposed
  /// Several matrices, each in panels of its own, which files keep as [E, K, N].
  case transposedStack

  /// How many elements are stored for a tensor of a shape, the zeros of panels included.
  public func storedCount(_ shape: [Int]) -> Int {
    switch self {
    case .plain: shape.reduce(1, *)
    case .matrix: PackedLayout(rows: shape[0], columns: shape[1]).count
    case .transposed: PackedLayout(rows: shape[1], columns: shape[0]).count
    case .transposedStack: shape[0] * PackedLayout(rows: shape[2], columns: shape[1]).count
    }
  }
}
