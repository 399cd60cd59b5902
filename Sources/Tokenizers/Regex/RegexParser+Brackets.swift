/// Sets in brackets, with ranges, classes, intersections and sets inside.
extension RegexParser {
  /// Reads a bracket expression after its '['.
  mutating func bracket() throws(RegexError) -> ScalarSet {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.depthLimit else { throw fault("brackets nested too deep") }
    let isNegated = take("^")
    var operands: [ScalarSet] = []
    var set = ScalarSet()
    var isFirst = true
    while true {
      guard let scalar = next else { throw fault("expected ']'") }
      if scalar == "]", !isFirst {
        position += 1
        break
      }
      isFirst = false
      if take("&&") {
        operands.append(set)
        set = ScalarSet()
        isFirst = false
        continue
      }
      if take("[:") {
        set.unions.append(try posixClass())
        continue
      }
      if take("[") {
        set.unions.append(try bracket())
        continue
      }
      try bracketItem(into: &set)
    }
    operands.append(set)
    var result = operands.removeFirst()
    if !operands.isEmpty {
      var wrapper = ScalarSet()
      wrapper.unions = [result]
      wrapper.intersections = operands
      result = wrapper
    }
    return isNegated ? result.complement : result
  }

  mutating func posixClass() throws(RegexError) -> ScalarSet {
    let isNegated = take("^")
    var name = ""
    while let scalar = next, scalar != ":" {
      name.unicodeScalars.append(scalar)
      position += 1
    }
    guard take(":]"), let set = ScalarSet(property: name) else {
      throw fault("an unknown class [:\(name):]")
    }
    guard isNegated else { return set }
    var wrapper = ScalarSet()
    wrapper.unions = [set]
    wrapper.isNegated = true
    return wrapper
  }

  mutating func bracketItem(into set: inout ScalarSet) throws(RegexError) {
    if isNext("\\") {
      position += 1
      if let inner = try classEscape() {
        set.unions.append(inner)
        return
      }
      position -= 1
    }
    let low = try bracketCharacter()
    guard isNext("-"), position + 1 < scalars.count, scalars[position + 1] != "]" else {
      return insert(low.value...low.value, into: &set)
    }
    let mark = position
    position += 1
    if isNext("\\") {
      position += 1
      if let inner = try classEscape() {
        // `[a-\d]`: the hyphen is itself.
        insert(low.value...low.value, into: &set)
        insert(0x2D...0x2D, into: &set)
        set.unions.append(inner)
        return
      }
      position -= 1
    } else if isNext("[") {
      position = mark + 1
      insert(low.value...low.value, into: &set)
      insert(0x2D...0x2D, into: &set)
      return
    }
    let high = try bracketCharacter()
    guard low.value <= high.value else { throw fault("a range that runs backwards") }
    insert(low.value...high.value, into: &set)
  }

  mutating func bracketCharacter() throws(RegexError) -> Unicode.Scalar {
    guard let scalar = next else { throw fault("expected ']'") }
    position += 1
    guard scalar == "\\" else { return scalar }
    if take("b") { return "\u{8}" }
    return try characterEscape()
  }

  func insert(_ range: ClosedRange<UInt32>, into set: inout ScalarSet) {
    set.insert(range)
    // Case variants of long ranges (whole scripts) lie inside them or don't matter to a tokenizer.
    guard ignoresCase, range.count <= 512 else { return }
    for value in range {
      guard let scalar = Unicode.Scalar(value) else { continue }
      for variant in CaseVariants.of(scalar) { set.insert(variant.value...variant.value) }
    }
  }
}
