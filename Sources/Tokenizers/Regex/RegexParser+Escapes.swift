/// Escapes: `\d`, `\p{L}`, `\x{1F600}`, `\n`, and what stands for itself.
extension RegexParser {
  mutating func escape() throws(RegexError) -> RegexNode {
    guard let scalar = next else { throw fault("a backslash at the end") }
    switch scalar {
    case "b", "B", "A", "z", "Z":
      position += 1
      switch scalar {
      case "b": return .assertion(.wordBoundary)
      case "B": return .assertion(.notWordBoundary)
      case "A": return .assertion(.textStart)
      case "z": return .assertion(.textEnd)
      default: return .assertion(.textEndBeforeBreak)
      }
    case "1"..."9", "k": throw fault("back-references are not supported")
    case "G", "K", "R", "X", "g": throw fault("\\\(scalar) is not supported")
    default:
      if let set = try classEscape() { return node(set) }
      return node(literal(try characterEscape()))
    }
  }

  /// Reads `\s`, `\p{…}` and their like after the backslash; nil where a character comes.
  mutating func classEscape() throws(RegexError) -> ScalarSet? {
    guard let scalar = next else { return nil }
    var set = ScalarSet()
    switch scalar {
    case "s", "S": set.flags = ScalarProperties.space
    case "w", "W": set = ScalarSet(property: "word") ?? set
    case "d", "D": set.categories = ScalarSet(property: "Nd")?.categories ?? 0
    case "h", "H": set = ScalarSet(property: "xdigit") ?? set
    case "N": set = ScalarSet(ranges: [0x0A...0x0A])
    case "p", "P":
      position += 1
      return try property(isNegated: scalar == "P")
    default: return nil
    }
    position += 1
    set.isNegated = ("A"..."Z").contains(scalar)
    return set
  }

  mutating func property(isNegated: Bool) throws(RegexError) -> ScalarSet {
    var name = ""
    var isNegated = isNegated
    if take("{") {
      if take("^") { isNegated.toggle() }
      while let scalar = next, scalar != "}" {
        name.unicodeScalars.append(scalar)
        position += 1
      }
      guard take("}") else { throw fault("expected '}'") }
    } else if let scalar = next {
      name = String(scalar)
      position += 1
    }
    guard let set = ScalarSet(property: name) else {
      throw fault("unknown property \"\(name)\"")
    }
    return isNegated ? set.complement : set
  }

  mutating func characterEscape() throws(RegexError) -> Unicode.Scalar {
    guard let scalar = next else { throw fault("a backslash at the end") }
    position += 1
    switch scalar {
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "f": return "\u{C}"
    case "v": return "\u{B}"
    case "a": return "\u{7}"
    case "e": return "\u{1B}"
    case "0": return "\0"
    case "x":
      if take("{") {
        let value = hexadecimal(upTo: 8)
        guard take("}") else { throw fault("expected '}'") }
        return try self.scalar(value)
      }
      return try self.scalar(hexadecimal(upTo: 2))
    case "u": return try self.scalar(hexadecimal(upTo: 4))
    default: return scalar
    }
  }

  mutating func hexadecimal(upTo count: Int) -> UInt32? {
    var value: UInt32?
    for _ in 0..<count {
      guard let scalar = next, let digit = Character(scalar).hexDigitValue else { break }
      value = (value ?? 0) << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  func scalar(_ value: UInt32?) throws(RegexError) -> Unicode.Scalar {
    guard let value, let scalar = Unicode.Scalar(value) else {
      throw fault("expected the hexadecimal value of a character")
    }
    return scalar
  }
}
