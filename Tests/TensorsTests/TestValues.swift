import Tensors

/// What the tests of this target share: pseudo-random values, and the tables that run here.
enum TestValues {
  /// Every instruction set that this machine can run.
  static let instructionSets = InstructionSet.allCases.filter(\.isSupported)

  /// `count` values, normal around 0, that `stream` decides.
  static func normal(_ count: Int, stream: Int, scale: Float = 1) -> [Float] {
    let random = Philox(seed: 20_251_122, purpose: .data, step: stream)
    return (0..<count).map { Float(random.normal(at: $0)) * scale }
  }

  /// `count` integers below `bound`.
  static func integers(_ count: Int, below bound: Int, stream: Int) -> [Int32] {
    let random = Philox(seed: 7, purpose: .data, step: stream)
    return (0..<count).map { Int32(random.integer(below: bound, at: $0)) }
  }
}

extension PackedMatrix {
  /// A matrix with the given row-major values.
  convenience init(
    rows: Int, columns: Int, values: [Float], element: ElementType = .float32
  ) {
    self.init(rows: rows, columns: columns, element: element)
    fill(from: values)
  }
}

extension [Float] {
  /// The bits: two arrays are the same only if every bit is, signs of zeros and NaNs included.
  var bits: [UInt32] { map(\.bitPattern) }
}

/// The largest difference of two arrays, divided by the largest magnitude of the second.
func relativeError(_ actual: [Float], _ expected: [Double]) -> Double {
  guard actual.count == expected.count else { return .infinity }
  let size = expected.map(abs).max() ?? 0
  let difference = zip(actual, expected).map { abs(Double($0) - $1) }.max() ?? 0
  if actual.contains(where: \.isNaN) { return .infinity }
  return size == 0 ? difference : difference / size
}
