/// The methods that values have.
enum TemplateMethods {
  static let string: Set<String> = [
    "capitalize", "casefold", "center", "count", "endswith", "expandtabs", "find", "format",
    "index",
    "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric",
    "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "partition",
    "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit",
    "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "upper", "zfill",
  ]
  static let dictionary: Set<String> = [
    "clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values",
  ]
  static let list: Set<String> = [
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse",
    "sort",
  ]
  /// The methods that would change a value, which the sandbox of chat templates forbids.
  static let mutating: Set<String> = [
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault",
    "sort", "update",
  ]
}

extension TemplateEvaluator {
  /// Calls a method.
  func callMethod(
    _ name: String, of receiver: TemplateValue, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    switch receiver {
    case .string(let text): return try callStringMethod(name, text, call, line)
    case .markup(let text): return try callMarkupMethod(name, of: receiver, text, call, line)
    case .dictionary(let members): return try callDictionaryMethod(name, members, call, line)
    case .list(let items), .tuple(let items):
      return try callListMethod(name, items.items, receiver, call, line)
    case .loop(let state): return try callLoopMethod(name, state, call, line)
    case .cycler(let cycler):
      guard let current = cycler.values.isEmpty ? nil : cycler.values[cycler.position] else {
        return .undefined("the cycler has no values")
      }
      if name == "next" { cycler.position = (cycler.position + 1) % cycler.values.count }
      if name == "reset" { cycler.position = 0 }
      return name == "reset" ? .none : current
    default: throw TemplateFault(line: line, reason: "there is no method '\(name)'")
    }
  }

  private func callLoopMethod(
    _ name: String, _ state: TemplateLoopState, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    if name == "cycle" {
      guard !call.positional.isEmpty else {
        throw TemplateFault(line: line, reason: "loop.cycle needs values")
      }
      return call.positional[state.index % call.positional.count]
    }
    let values = TemplateValue.list(call.positional)
    try checkList(call.positional.count, line)
    let isSame = try state.lastChanged.map { (last) throws(TemplateFault) in
      try isEqual(.list(last), values, line)
    }
    state.lastChanged = call.positional
    return .bool(isSame != true)
  }

  private func forbidden(_ name: String, _ line: Int) -> TemplateFault {
    TemplateFault(
      line: line, reason: "'\(name)' would change its value, which chat templates may not do")
  }

  private func callDictionaryMethod(
    _ name: String, _ members: TemplateDictionary, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    if TemplateMethods.mutating.contains(name) { throw forbidden(name, line) }
    try checkList(members.count, line)
    switch name {
    case "get":
      guard let key = call.argument(0, "key") else {
        throw TemplateFault(line: line, reason: "get() needs a key")
      }
      try charge(key.keyCost, line)
      return members.value(key) ?? call.argument(1, "default") ?? .none
    case "items": return .list(members.entries.map { .tuple([$0.key, $0.value]) })
    case "keys": return .list(members.entries.map(\.key))
    case "values": return .list(members.entries.map(\.value))
    default: return .dictionary(members)
    }
  }

  private func callListMethod(
    _ name: String, _ items: [TemplateValue], _ receiver: TemplateValue, _ call: TemplateCall,
    _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    if TemplateMethods.mutating.contains(name) { throw forbidden(name, line) }
    if name == "copy" { return receiver }
    let wanted = call.argument(0, "value") ?? .none
    try checkList(items.count, line)
    let places = try comparing(line) { budget in
      items.indices.filter { items[$0].isEqual(to: wanted, budget: &budget) }
    }
    if name == "count" { return .integer(places.count) }
    guard let index = places.first else {
      throw TemplateFault(line: line, reason: "the value is not in the list")
    }
    return .integer(index)
  }

  // MARK: Texts

  private func callStringMethod(
    _ name: String, _ text: String, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    if name != "startswith", name != "endswith" { try chargeReading(text, line) }
    func textArgument(_ place: Int, _ argument: String) throws(TemplateFault) -> String? {
      guard let value = call.argument(place, argument), !value.isNone else { return nil }
      guard case .string(let text) = value.unmarked else {
        throw TemplateFault(
          line: line, reason: "\(name)() needs a text, not a \(value.typeName)")
      }
      try chargeReading(text, line)
      return text
    }
    func intArgument(_ place: Int, _ argument: String) throws(TemplateFault) -> Int? {
      guard let value = call.argument(place, argument) else { return nil }
      guard let int = value.int else {
        throw TemplateFault(
          line: line, reason: "\(name)() needs an integer, not a \(value.typeName)")
      }
      return int
    }
    switch name {
    case "strip", "lstrip", "rstrip":
      return try self.text(
        PythonString.strip(
          text, try textArgument(0, "chars"), left: name != "rstrip", right: name != "lstrip"),
        line)
    case "split", "rsplit":
      let separator = try textArgument(0, "sep")
      guard separator?.isEmpty != true else {
        throw TemplateFault(line: line, reason: "the separator is empty")
      }
      let limit = try intArgument(1, "maxsplit") ?? -1
      return .list(
        try split(text, separator, limit: limit, isReverse: name == "rsplit", line)
          .map { .string($0) })
    case "splitlines":
      let keeps = call.argument(0, "keepends")?.isTrue ?? false
      return .list(try lines(text, keepingEnds: keeps, line).map { .string($0) })
    case "partition", "rpartition":
      return try partition(
        text, try textArgument(0, "sep") ?? "", isReverse: name == "rpartition", line)
    case "replace":
      guard let old = try textArgument(0, "old"), let new = try textArgument(1, "new") else {
        throw TemplateFault(line: line, reason: "replace() needs two texts")
      }
      return try replace(text, old, new, limit: try intArgument(2, "count") ?? -1, line)
    case "join":
      return try join(try elements(of: call.argument(0, "iterable") ?? .none, line), text, line)
    case "startswith", "endswith":
      return .bool(try hasAffix(name, text, call.argument(0, "prefix") ?? .none, line))
    case "removeprefix":
      let prefix = try textArgument(0, "prefix") ?? ""
      guard text.utf8.starts(with: prefix.utf8) else { return .string(text) }
      return try self.text(
        String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self), line)
    case "removesuffix":
      let suffix = try textArgument(0, "suffix") ?? ""
      guard text.utf8.reversed().starts(with: suffix.utf8.reversed()) else {
        return .string(text)
      }
      return try self.text(
        String(decoding: text.utf8.dropLast(suffix.utf8.count), as: UTF8.self), line)
    case "find", "rfind", "index", "rindex", "count":
      return try search(name, text, try textArgument(0, "sub") ?? "", line)
    case "format": return try formatBraces(text, call, line)
    case "center", "ljust", "rjust", "zfill":
      let fill = name == "zfill" ? "0" : try textArgument(1, "fillchar") ?? " "
      return try pad(name, text, to: try intArgument(0, "width") ?? 0, with: fill, line)
    case "expandtabs": return try replace(text, "\t", "        ", limit: -1, line)
    default:
      let value = Self.caseMethod(name, text)
      if case .string(let changed) = value { return try self.text(changed, line) }
      return value
    }
  }

  private static func caseMethod(_ name: String, _ text: String) -> TemplateValue {
    func all(_ condition: (Unicode.Scalar) -> Bool) -> TemplateValue {
      .bool(PythonString.all(text, condition))
    }
    func isLetter(_ scalar: Unicode.Scalar) -> Bool {
      ScalarProperties(of: scalar.value).isLetter
    }
    func isNumeric(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.numericType != nil }
    switch name {
    case "upper": return .string(text.uppercased())
    case "lower", "casefold": return .string(text.lowercased())
    case "capitalize": return .string(PythonString.capitalize(text))
    case "title": return .string(PythonString.title(text))
    case "swapcase":
      return .string(
        text.unicodeScalars.reduce(into: "") {
          $0 +=
            $1.properties.isUppercase
            ? $1.properties.lowercaseMapping : $1.properties.uppercaseMapping
        })
    case "isalpha": return all(isLetter)
    case "isalnum": return all { isLetter($0) || isNumeric($0) }
    case "isdecimal": return all { $0.properties.numericType == .decimal }
    case "isdigit":
      return all { $0.properties.numericType == .decimal || $0.properties.numericType == .digit }
    case "isnumeric": return all(isNumeric)
    case "isspace": return all(\.isPythonSpace)
    case "isascii": return .bool(text.unicodeScalars.allSatisfy(\.isASCII))
    case "isidentifier":
      guard let first = text.unicodeScalars.first else { return .bool(false) }
      return .bool(
        (first == "_" || first.properties.isXIDStart)
          && text.unicodeScalars.dropFirst().allSatisfy { $0.properties.isXIDContinue })
    case "isupper": return .bool(PythonString.isCased(text, upper: true))
    case "islower": return .bool(PythonString.isCased(text, upper: false))
    default:
      return .bool(!text.isEmpty && PythonString.title(text) == text && text.lowercased() != text)
    }
  }

  /// Splits a text, its pieces checked and counted.
  func split(
    _ text: String, _ separator: String?, limit: Int, isReverse: Bool = false, _ line: Int
  ) throws(TemplateFault) -> [String] {
    // One piece more than a list may have is enough to know that there are too many.
    let limit = limit < 0 ? Self.listLimit : min(limit, Self.listLimit)
    let pieces =
      isReverse
      ? PythonString.reverseSplit(text, separator, limit: limit)
      : PythonString.split(text, separator, limit: limit)
    try checkList(pieces.count, line)
    try charge(text.utf8.count / 32, line)
    return pieces
  }

  /// Splits a text at its line breaks, its lines checked and counted.
  func lines(
    _ text: String, keepingEnds: Bool, _ line: Int
  ) throws(TemplateFault) -> [String] {
    let lines = PythonString.lines(text, keepingEnds: keepingEnds, limit: Self.listLimit + 1)
    try checkList(lines.count, line)
    try charge(text.utf8.count / 32, line)
    return lines
  }

  /// Replaces with the size checked before.
  func replace(
    _ text: String, _ old: String, _ new: String, limit: Int, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    var places =
      old.isEmpty ? text.unicodeScalars.count + 1 : PythonString.count(old, in: text)
    if limit >= 0 { places = min(places, limit) }
    // Texts have a limit, so the product fits.
    let size = text.utf8.count + places * (new.utf8.count - old.utf8.count)
    try checkText(size, line)
    try charge(places, line)
    guard places > 0 else { return .string(text) }
    return .string(PythonString.replace(text, old, new, limit: limit))
  }

  /// Joins the spellings of values.
  func join(
    _ items: [TemplateValue], _ separator: String, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    var result = ""
    for (index, item) in items.enumerated() {
      if index > 0 { try append(separator, to: &result, line) }
      try append(try string(of: item, line), to: &result, line)
    }
    return .string(result)
  }

  private func partition(
    _ text: String, _ separator: String, isReverse: Bool, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard !separator.isEmpty else {
      throw TemplateFault(line: line, reason: "the separator is empty")
    }
    let pieces = try split(text, separator, limit: 1, isReverse: isReverse, line)
    guard pieces.count == 2 else {
      return .tuple(
        isReverse
          ? [.string(""), .string(""), .string(text)] : [.string(text), .string(""), .string("")])
    }
    return .tuple([.string(pieces[0]), .string(separator), .string(pieces[1])])
  }

  private func hasAffix(
    _ name: String, _ text: String, _ affix: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> Bool {
    try charge(1, line)
    switch affix.unmarked {
    case .string(let affix):
      try charge(min(text.utf8.count, affix.utf8.count) / 64, line)
      return name == "startswith"
        ? text.utf8.starts(with: affix.utf8)
        : text.utf8.reversed().starts(with: affix.utf8.reversed())
    case .tuple(let affixes):
      for affix in affixes where try hasAffix(name, text, affix, line) { return true }
      return false
    default:
      throw TemplateFault(line: line, reason: "\(name)() needs a text, not a \(affix.typeName)")
    }
  }

  private func search(
    _ name: String, _ text: String, _ part: String, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    if name == "count" {
      return .integer(
        part.isEmpty ? text.unicodeScalars.count + 1 : PythonString.count(part, in: text))
    }
    let isReverse = name.hasPrefix("r")
    func reversed(_ text: String) -> String {
      PythonString.string(text.unicodeScalars.reversed())
    }
    let offset =
      isReverse
      ? PythonString.find(reversed(part), in: reversed(text)) : PythonString.find(part, in: text)
    guard let offset else {
      if name.hasSuffix("find") { return .integer(-1) }
      throw TemplateFault(line: line, reason: "the text does not hold the other")
    }
    let source = isReverse ? reversed(text) : text
    let before = source.utf8.prefix(offset).count { $0 & 0xC0 != 0x80 }
    return .integer(
      isReverse ? text.unicodeScalars.count - before - part.unicodeScalars.count : before)
  }

  /// Pads a text to a width.
  func pad(
    _ name: String, _ text: String, to width: Int, with fill: String, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard fill.unicodeScalars.count == 1 else {
      throw TemplateFault(line: line, reason: "the fill must be one character")
    }
    let count = text.unicodeScalars.count
    guard width > count else { return .string(text) }
    let missing = width - count
    try checkText(text.utf8.count + min(missing, 1 << 40) * fill.utf8.count, line)
    func padding(_ count: Int) -> String { String(repeating: fill, count: count) }
    switch name {
    case "ljust": return .string(text + padding(missing))
    case "rjust": return .string(padding(missing) + text)
    case "zfill":
      let sign = text.hasPrefix("-") || text.hasPrefix("+") ? String(text.prefix(1)) : ""
      return .string(sign + padding(missing) + text.dropFirst(sign.count))
    default:
      // As in Python, an odd rest goes left where the width is odd too.
      let left = missing / 2 + (missing & width & 1)
      return .string(padding(left) + text + padding(missing - left))
    }
  }

  /// `"{} {name} {0}".format(…)`, without format specifications.
  private func formatBraces(
    _ text: String, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    var result = ""
    var place = 0
    let scalars = Array(text.unicodeScalars)
    var index = 0
    while index < scalars.count {
      let scalar = scalars[index]
      index += 1
      let isDoubled = index < scalars.count && scalars[index] == scalar
      if scalar == "{" || scalar == "}", isDoubled {
        result.unicodeScalars.append(scalar)
        index += 1
        continue
      }
      guard scalar == "{" else {
        if scalar == "}" { throw TemplateFault(line: line, reason: "a single '}' in a format") }
        result.unicodeScalars.append(scalar)
        continue
      }
      guard let end = scalars[index...].firstIndex(of: "}") else {
        throw TemplateFault(line: line, reason: "a '{' without '}' in a format")
      }
      let field = PythonString.string(scalars[index..<end])
      index = end + 1
      let value: TemplateValue?
      if field.isEmpty {
        value = place < call.positional.count ? call.positional[place] : nil
        place += 1
      } else if let number = Int(field) {
        value = call.positional.indices.contains(number) ? call.positional[number] : nil
      } else {
        value = call.named.first { $0.name == field }?.value
      }
      guard let value else {
        throw TemplateFault(line: line, reason: "the format has no value for '{\(field)}'")
      }
      try append(try string(of: value, line), to: &result, line)
    }
    return .string(result)
  }
}
