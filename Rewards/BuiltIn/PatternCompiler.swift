// From a regular expression's text to the program of `Pattern`, by way of a tree.
import RewardKit

/// A recursive-descent compiler; nesting and size are bounded.
struct PatternCompiler {
  static let word = Pattern.Class(ranges: [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
  private static let digit = Pattern.Class(ranges: [0x30...0x39])
  private static let space = Pattern.Class(
    ranges: [0x09...0x0D, 0x20...0x20, 0x85...0x85, 0xA0...0xA0, 0x2000...0x200A, 0x3000...0x3000])

  private indirect enum Node {
    case one(Pattern.Instruction)
    case sequence([Node])
    case alternatives([Node])
    case group(Node, Int)
    case repeated(Node, least: Int, most: Int?, isLazy: Bool)
  }

  private let source: [Unicode.Scalar]
  private var at = 0
  private var program: [Pattern.Instruction] = []
  private var visits = 0
  private(set) var groups = 0
  private var ignoresCase: Bool
  private var isMultiline: Bool
  private var isDotAll: Bool

  init(_ source: String, ignoresCase: Bool, isMultiline: Bool, isDotAll: Bool) {
    self.source = Array(source.unicodeScalars)
    self.ignoresCase = ignoresCase
    self.isMultiline = isMultiline
    self.isDotAll = isDotAll
  }

  mutating func compile() throws(RewardParameterError) -> [Pattern.Instruction] {
    try flagsAtTheStart()
    let tree = try alternatives(depth: 0)
    guard at == source.count else { throw fault("a ) without its (") }
    program = [.save(0)]
    try emit(tree)
    try emit(.save(1))
    try emit(.match)
    return program
  }

  private func fault(_ reason: String) -> RewardParameterError {
    RewardParameterError([
      "pattern \"\(String(String.UnicodeScalarView(source)))\": \(reason) (at character \(at + 1))"
    ])
  }

  // MARK: Reading

  private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
    at + offset < source.count ? source[at + offset] : nil
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek() == scalar else { return false }
    at += 1
    return true
  }

  private mutating func flagsAtTheStart() throws(RewardParameterError) {
    guard peek() == "(", peek(1) == "?", let letter = peek(2),
      "imsx".unicodeScalars.contains(letter)
    else { return }
    at += 2
    while let flag = peek(), flag != ")" {
      switch flag {
      case "i": ignoresCase = true
      case "m": isMultiline = true
      case "s": isDotAll = true
      default: throw fault("the flag \(flag) is not known")
      }
      at += 1
    }
    guard take(")") else { throw fault("the flags have no end") }
  }

  private mutating func alternatives(depth: Int) throws(RewardParameterError) -> Node {
    guard depth < 64 else { throw fault("nested more than 64 deep") }
    var choices = [try sequence(depth: depth)]
    while take("|") { choices.append(try sequence(depth: depth)) }
    return choices.count == 1 ? choices[0] : .alternatives(choices)
  }

  private mutating func sequence(depth: Int) throws(RewardParameterError) -> Node {
    var nodes: [Node] = []
    while let next = peek(), next != "|", next != ")" {
      nodes.append(try quantified(try atom(depth: depth)))
    }
    return .sequence(nodes)
  }

  private mutating func quantified(_ node: Node) throws(RewardParameterError) -> Node {
    var node = node
    while let (least, most) = try quantifier() {
      node = .repeated(node, least: least, most: most, isLazy: take("?"))
      if take("+") { throw fault("possessive repetition is not known") }
    }
    return node
  }

  private mutating func quantifier() throws(RewardParameterError) -> (Int, Int?)? {
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    if take("?") { return (0, 1) }
    guard peek() == "{" else { return nil }
    let start = at
    at += 1
    let least = digits()
    var most = least
    if take(",") { most = digits() }
    let hasComma = source[start..<at].contains(",")
    guard take("}"), let least = least ?? (hasComma && most != nil ? 0 : nil) else {
      // As in Python, a brace that begins no repetition is a letter.
      at = start
      return nil
    }
    if let most, most < least { throw fault("a repetition from \(least) to \(most)") }
    guard least <= Pattern.programLimit, (most ?? 0) <= Pattern.programLimit else {
      throw fault("a repetition of more than \(Pattern.programLimit)")
    }
    return (least, hasComma ? most : least)
  }

  private mutating func digits() -> Int? {
    let start = at
    while let next = peek(), ("0"..."9").contains(next) { at += 1 }
    guard at > start, at - start < 7 else { return nil }
    return Int(String(String.UnicodeScalarView(source[start..<at])))
  }

  private mutating func atom(depth: Int) throws(RewardParameterError) -> Node {
    guard let scalar = peek() else { throw fault("something is missing") }
    at += 1
    switch scalar {
    case "(": return try group(depth: depth)
    case "[": return .one(.set(folded(try set())))
    case ".": return .one(.any(newlines: isDotAll))
    case "^": return .one(.begin(multiline: isMultiline))
    case "$": return .one(.end(multiline: isMultiline))
    case "*", "+", "?": throw fault("nothing to repeat before \(scalar)")
    case "\\": return try escape()
    default: return literal(scalar.value)
    }
  }

  private mutating func group(depth: Int) throws(RewardParameterError) -> Node {
    var index: Int?
    if take("?") {
      if take(":") {
        index = nil
      } else if take("P"), take("<") {
        while let next = peek(), next != ">" { at += 1 }
        guard take(">") else { throw fault("a group's name has no end") }
        groups += 1
        index = groups
      } else {
        throw fault(
          "look-around and other (?…) are not known: patterns run in time linear in the text, so "
            + "that none can hang a run")
      }
    } else {
      groups += 1
      index = groups
    }
    let node = try alternatives(depth: depth + 1)
    guard take(")") else { throw fault("a ( without its )") }
    return index.map { .group(node, $0) } ?? node
  }

  private mutating func escape() throws(RewardParameterError) -> Node {
    guard let scalar = peek() else { throw fault("a backslash at the end") }
    switch scalar {
    case "b", "B":
      at += 1
      return .one(.boundary(scalar == "b"))
    case "A":
      at += 1
      return .one(.begin(multiline: false))
    case "Z", "z":
      at += 1
      return .one(.end(multiline: false))
    case "1"..."9": throw fault("back-references are not known, since they can take for ever")
    default:
      if let set = classEscape() { return .one(.set(set)) }
      return literal(try scalarEscape())
    }
  }

  private mutating func classEscape() -> Pattern.Class? {
    guard let scalar = peek() else { return nil }
    var set: Pattern.Class
    switch scalar {
    case "d", "D": set = Self.digit
    case "w", "W": set = Self.word
    case "s", "S": set = Self.space
    default: return nil
    }
    at += 1
    set.isNegated = scalar.properties.isUppercase
    return set
  }

  private mutating func scalarEscape() throws(RewardParameterError) -> UInt32 {
    guard let scalar = peek() else { throw fault("a backslash at the end") }
    at += 1
    switch scalar {
    case "n": return 0x0A
    case "t": return 0x09
    case "r": return 0x0D
    case "f": return 0x0C
    case "v": return 0x0B
    case "0": return 0
    case "x": return try hexadecimal(2)
    case "u": return try hexadecimal(4)
    default:
      guard !scalar.properties.isAlphabetic else { throw fault("\\\(scalar) is not known") }
      return scalar.value
    }
  }

  private mutating func hexadecimal(_ count: Int) throws(RewardParameterError) -> UInt32 {
    let text = String(String.UnicodeScalarView(source[at..<min(at + count, source.count)]))
    guard text.unicodeScalars.count == count, let value = UInt32(text, radix: 16) else {
      throw fault("expected \(count) hexadecimal digits")
    }
    at += count
    return value
  }

  private func literal(_ scalar: UInt32) -> Node {
    guard ignoresCase else { return .one(.scalar(scalar)) }
    let set = folded(Pattern.Class(ranges: [scalar...scalar]))
    return set.ranges.count == 1 ? .one(.scalar(scalar)) : .one(.set(set))
  }

  /// A class with both cases of its letters, where case doesn't count.
  private func folded(_ set: Pattern.Class) -> Pattern.Class {
    guard ignoresCase else { return set }
    var result = set
    for range in set.ranges where range.count <= 1024 {
      for value in range {
        guard let properties = Unicode.Scalar(value)?.properties else { continue }
        for mapping in [properties.lowercaseMapping, properties.uppercaseMapping] {
          let scalars = mapping.unicodeScalars
          if let other = scalars.first, scalars.count == 1, other.value != value {
            result.ranges.append(other.value...other.value)
          }
        }
      }
    }
    return result
  }

  private mutating func set() throws(RewardParameterError) -> Pattern.Class {
    var result = Pattern.Class()
    result.isNegated = take("^")
    var isFirst = true
    while let next = peek(), next != "]" || isFirst {
      isFirst = false
      guard let low = try setElement(into: &result) else { continue }
      var high = low
      if peek() == "-", let after = peek(1), after != "]" {
        at += 1
        guard let end = try setElement(into: &result) else { throw fault("a range without end") }
        high = end
      }
      guard low <= high else { throw fault("a range that runs backwards") }
      result.ranges.append(low...high)
    }
    guard take("]") else { throw fault("a [ without its ]") }
    return result
  }

  /// One scalar of a class, or nil where a whole class such as \d was added.
  private mutating func setElement(
    into set: inout Pattern.Class
  ) throws(RewardParameterError) -> UInt32? {
    guard take("\\") else {
      defer { at += 1 }
      return peek()?.value
    }
    if peek() == "b" {
      at += 1
      return 0x08
    }
    guard let inner = classEscape() else { return try scalarEscape() }
    set.ranges += inner.isNegated ? Self.complement(inner.ranges) : inner.ranges
    return nil
  }

  private static func complement(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    var next: UInt32 = 0
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if range.lowerBound > next { result.append(next...(range.lowerBound - 1)) }
      next = range.upperBound + 1
    }
    if next <= 0x10FFFF { result.append(next...0x10FFFF) }
    return result
  }

  // MARK: Writing

  private mutating func emit(_ instruction: Pattern.Instruction) throws(RewardParameterError) {
    guard program.count < Pattern.programLimit else {
      throw fault("more than \(Pattern.programLimit) instructions once repetitions are written out")
    }
    program.append(instruction)
  }

  private mutating func emit(_ node: Node) throws(RewardParameterError) {
    // A repetition of nothing emits nothing, however often it is repeated: the visits are counted too.
    visits += 1
    guard visits <= 20 * Pattern.programLimit else {
      throw fault("too many parts once repetitions are written out")
    }
    switch node {
    case .one(let instruction): try emit(instruction)
    case .sequence(let nodes): for node in nodes { try emit(node) }
    case .group(let inner, let index):
      try emit(.save(2 * index))
      try emit(inner)
      try emit(.save(2 * index + 1))
    case .alternatives(let choices):
      var jumps: [Int] = []
      for choice in choices.dropLast() {
        let split = program.count
        try emit(.match)
        try emit(choice)
        jumps.append(program.count)
        try emit(.match)
        program[split] = .split(split + 1, program.count)
      }
      if let last = choices.last { try emit(last) }
      for jump in jumps { program[jump] = .jump(program.count) }
    case .repeated(let inner, let least, let most, let isLazy):
      for _ in 0..<least { try emit(inner) }
      func split(_ into: Int, _ past: Int) -> Pattern.Instruction {
        isLazy ? .split(past, into) : .split(into, past)
      }
      if let most {
        var splits: [Int] = []
        for _ in least..<most {
          splits.append(program.count)
          try emit(.match)
          try emit(inner)
        }
        for place in splits { program[place] = split(place + 1, program.count) }
      } else {
        let start = program.count
        try emit(.match)
        try emit(inner)
        try emit(.jump(start))
        program[start] = split(start + 1, program.count)
      }
    }
  }
}
