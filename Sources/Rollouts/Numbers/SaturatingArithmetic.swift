// Arithmetic on numbers from outside: settings, files, replies, headers.
//
// Swift's + - * end the program where a result does not fit, which is right for a mistake of ours and wrong for a
// number that a user wrote. Where a plan or a limit is computed from such numbers, these stop at the ends of Int
// instead (Zig's spelling): what does not fit is then "too much", and the comparison with the limit refuses it.

infix operator +| : AdditionPrecedence
infix operator -| : AdditionPrecedence
infix operator *| : MultiplicationPrecedence
infix operator +|= : AssignmentPrecedence

extension Int {
  /// The sum, or the end of Int that it lies beyond.
  public static func +| (left: Int, right: Int) -> Int {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? (right < 0 ? .min : .max) : sum
  }

  /// The difference, or the end of Int that it lies beyond.
  public static func -| (left: Int, right: Int) -> Int {
    let (difference, overflow) = left.subtractingReportingOverflow(right)
    return overflow ? (right < 0 ? .max : .min) : difference
  }

  /// The product, or the end of Int that it lies beyond.
  public static func *| (left: Int, right: Int) -> Int {
    let (product, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? ((left < 0) == (right < 0) ? .max : .min) : product
  }

  /// Adds, stopping at the ends of Int.
  public static func +|= (left: inout Int, right: Int) { left = left +| right }

  /// The whole part of a number, or the end of Int that it lies beyond; 0 for what is not a number.
  public init(clamping number: Double) {
    if let whole = Int(exactly: number.rounded(.towardZero)) {
      self = whole
    } else {
      self = number.isNaN ? 0 : number < 0 ? .min : .max
    }
  }
}

extension Sequence<Int> {
  /// The sum of the numbers, stopping at the ends of Int.
  public var saturatingSum: Int { reduce(0, +|) }
  /// The product of the numbers, stopping at the ends of Int; 0 where one of them is 0.
  public var saturatingProduct: Int { contains(0) ? 0 : reduce(1, *|) }
}
