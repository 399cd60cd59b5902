import Rollouts

extension Double {
  /// The lower end of ranges that leave out 0.
  static let aboveZero = Double.leastNonzeroMagnitude
  /// The upper end of ranges without one.
  static let unbounded = Double.greatestFiniteMagnitude
}

extension SettingDeclaration {
  /// A range of whole numbers in words: "2 or more", "from 1 to 1024".
  public static func describe(_ range: ClosedRange<Int>) -> String {
    if range.upperBound == .max { return "\(range.lowerBound) or more" }
    if range.lowerBound == .min { return "\(range.upperBound) or less" }
    return "from \(range.lowerBound) to \(range.upperBound)"
  }

  /// A range of numbers in words: "above 0", "from 0 to 1".
  public static func describe(_ range: ClosedRange<Double>) -> String {
    let (low, high) = (range.lowerBound, range.upperBound)
    switch (low == .aboveZero, high == .unbounded) {
    case (true, true): return "above 0"
    case (true, false): return "above 0 and at most \(text(of: high))"
    case (false, true): return "\(text(of: low)) or more"
    // 1.nextDown is the upper end of ranges that leave out 1.
    case (false, false) where high == 1.0.nextDown: return "at least \(text(of: low)) and below 1"
    case (false, false): return "from \(text(of: low)) to \(text(of: high))"
    }
  }

  /// The legal values in words; nil where the kind says everything.
  public var legalValues: String? {
    switch kind {
    case .boolean: "true, false"
    case .integer(let range): Self.describe(range)
    case .number(let range): Self.describe(range)
    case .choice(let names): names.joined(separator: ", ")
    case .bytes: "bytes, or a number with KiB, MiB, GiB, KB, MB, GB"
    case .text, .path, .list, .object, .values: nil
    }
  }
}

/// Amounts of memory as people write them.
enum ByteCount {
  private static let units: [(String, Double)] = [
    ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("tib", 1_099_511_627_776),
    ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("b", 1),
  ]

  /// Reads a whole number of bytes, or text such as `6GiB`.
  static func parse(_ json: JSONValue) throws(SettingFault) -> Int {
    if let count = json.integer, count > 0 { return count }
    if let text = json.string, let count = parse(text) { return count }
    throw SettingFault("must be bytes or a size such as \"6GiB\", not \(json.jsonText)")
  }

  private static func parse(_ text: String) -> Int? {
    let text = text.lowercased().filter { $0 != " " }
    let unit = units.first { text.hasSuffix($0.0) } ?? ("", 1)
    guard let number = Double(text.dropLast(unit.0.count)), number > 0, number.isFinite,
      number * unit.1 >= 1, number * unit.1 < 1e18
    else { return nil }
    return Int(clamping: number * unit.1)
  }
}
