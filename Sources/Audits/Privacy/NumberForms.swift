/// Numbers that are a payment card's or a telephone's.
enum NumberForms {
  /// A run of digits that single signs part, as people write long numbers.
  private struct Run {
    var bytes: Range<Int>
    /// The groups of digits between the signs.
    var groups: [[UInt8]]
    var hasPlus: Bool
    var digits: [UInt8] { groups.flatMap { $0 } }
  }

  static func matches(in bytes: [UInt8]) -> [PersonalDataMatch] {
    runs(in: bytes).compactMap { run in
      if isCard(run) { return PersonalDataMatch(kind: .card, bytes: run.bytes) }
      return isPhone(run) ? PersonalDataMatch(kind: .phone, bytes: run.bytes) : nil
    }
  }

  private static func runs(in bytes: [UInt8]) -> [Run] {
    var runs: [Run] = []
    var index = 0
    while index < bytes.count {
      guard bytes[index].isASCIIDigit else {
        index += 1
        continue
      }
      var start = index
      var groups: [[UInt8]] = []
      var end = index
      while index < bytes.count, bytes[index].isASCIIDigit {
        let first = index
        while index < bytes.count, bytes[index].isASCIIDigit { index += 1 }
        groups.append(bytes[first..<index].map { $0 - 0x30 })
        end = index
        // One separator, or a closing bracket and a space, and then a digit.
        var next = index
        var signs = 0
        while next < bytes.count, signs < 2, " -./()".utf8.contains(bytes[next]) {
          next += 1
          signs += 1
        }
        if signs > 0, next < bytes.count, bytes[next].isASCIIDigit { index = next }
      }
      if start > 0, bytes[start - 1] == UInt8(ascii: "(") { start -= 1 }
      let hasPlus = start > 0 && bytes[start - 1] == UInt8(ascii: "+")
      if hasPlus { start -= 1 }
      let before = start > 0 ? bytes[start - 1] : 0x20
      let after = end < bytes.count ? bytes[end] : 0x20
      // Part of a word or of a decimal number is neither.
      guard !before.isASCIILetter, before != 0x2E, !after.isASCIILetter else { continue }
      runs.append(Run(bytes: start..<end, groups: groups, hasPlus: hasPlus))
    }
    return runs
  }

  /// 13 to 19 digits that begin as card numbers do, whose check digit is right (ISO/IEC 7812).
  private static func isCard(_ run: Run) -> Bool {
    let digits = run.digits
    guard !run.hasPlus, (13...19).contains(digits.count), let first = digits.first,
      (2...6).contains(first), Set(digits).count > 1
    else { return false }
    return hasLuhnDigit(digits)
  }

  static func hasLuhnDigit(_ digits: [UInt8]) -> Bool {
    var sum = 0
    for (place, digit) in digits.reversed().enumerated() {
      let value = place.isMultiple(of: 2) ? Int(digit) : 2 * Int(digit)
      sum += value > 9 ? value - 9 : value
    }
    return sum.isMultiple(of: 10)
  }

  private static func isPhone(_ run: Run) -> Bool {
    let digits = run.digits
    let lengths = run.groups.map(\.count)
    if run.hasPlus { return (8...15).contains(digits.count) && digits.first != 0 }
    // 00 and a country's code.
    if digits.starts(with: [0, 0]) { return (10...17).contains(digits.count) && digits[2] != 0 }
    // North America: 415-555-0132, also after a 1.
    if lengths == [3, 3, 4] || lengths == [1, 3, 3, 4] && digits.first == 1 {
      return run.groups[lengths.count - 3][0] > 1
    }
    // A trunk prefix and groups: 030 1234567, 07700 900 123.
    return digits.first == 0 && digits.count > 8 && digits.count < 13 && lengths.count > 1
      && lengths[0] > 2 && lengths.allSatisfy { $0 > 1 }
  }
}

/// Keys and tokens of services, which have beginnings of their own.
enum SecretForms {
  /// A beginning, how many signs follow it at least, and whether `-` and `_` are among them.
  private static let forms: [(prefix: [UInt8], least: Int, hasDashes: Bool)] = [
    ("sk-", 20, true), ("sk_live_", 16, true), ("rk_live_", 16, true), ("pk_live_", 16, true),
    ("ghp_", 36, false), ("gho_", 36, false), ("ghs_", 36, false), ("ghu_", 36, false),
    ("github_pat_", 40, true), ("glpat-", 20, true), ("hf_", 30, false), ("AKIA", 16, false),
    ("ASIA", 16, false), ("AIza", 35, true), ("xoxb-", 20, true), ("xoxp-", 20, true),
    ("xapp-", 20, true), ("npm_", 36, false), ("pypi-", 40, true), ("eyJ", 40, true),
  ].map { (Array($0.0.utf8), $0.1, $0.2) }

  private static let privateKey = Array("-----BEGIN ".utf8)
  private static let privateKeyEnd = Array("PRIVATE KEY-----".utf8)

  static func matches(in bytes: [UInt8]) -> [PersonalDataMatch] {
    let beginnings = Set(forms.map { $0.prefix[0] } + [privateKey[0]])
    var matches: [PersonalDataMatch] = []
    var index = 0
    while index < bytes.count {
      defer { index += 1 }
      guard beginnings.contains(bytes[index]),
        index == 0 || !(bytes[index - 1].isASCIIAlphanumeric || bytes[index - 1] == 0x5F)
      else { continue }
      if let end = end(of: bytes, from: index) {
        matches.append(PersonalDataMatch(kind: .key, bytes: index..<end))
        index = end - 1
      }
    }
    return matches
  }

  private static func end(of bytes: [UInt8], from start: Int) -> Int? {
    for form in forms where bytes[start...].starts(with: form.prefix) {
      var end = start + form.prefix.count
      let first = end
      while end < bytes.count,
        bytes[end].isASCIIAlphanumeric
          || (form.hasDashes && (bytes[end] == 0x2D || bytes[end] == 0x5F || bytes[end] == 0x2E))
      { end += 1 }
      while end > first, bytes[end - 1] == 0x2E { end -= 1 }
      if end - first >= form.least { return end }
    }
    guard bytes[start...].starts(with: privateKey) else { return nil }
    let line = bytes[start...].prefix { $0 != 0x0A }.prefix(80)
    guard let head = line.firstRange(of: privateKeyEnd) else { return nil }
    // The whole block, where it ends.
    let closing = Array("-----END ".utf8)
    guard let close = bytes[head.upperBound...].prefix(16 << 10).firstRange(of: closing),
      let last = bytes[close.upperBound...].prefix(80).firstRange(of: privateKeyEnd)
    else { return head.upperBound }
    return last.upperBound
  }
}
