/// Arithmetic on numbers that come from outside, a log that others wrote above all: where a result has no
/// place in an `Int`, it is the nearest one that has, and nothing traps.
extension Int {
  /// The whole number next to a number towards zero; NaN is 0, what is too large the largest.
  public init(saturating value: Double) {
    // The largest Int rounds up to 2⁶³, which is none.
    if value.isNaN {
      self = 0
    } else if value >= 0x1p63 {
      self = .max
    } else if value <= -0x1p63 {
      self = .min
    } else {
      self = Int(value)
    }
  }

  /// The sum, or the limit that it lies beyond.
  public func addingSaturated(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other > 0 ? .max : .min) : sum
  }

  /// The difference, or the limit that it lies beyond.
  public func subtractingSaturated(_ other: Int) -> Int {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other < 0 ? .max : .min) : difference
  }
}
