import Foundation

/// The filters after `|`, by name.
enum TemplateFilters {
  typealias Filter =
    @Sendable (TemplateEvaluator, TemplateValue, TemplateCall, Int) throws(TemplateFault)
    -> TemplateValue

  static let all: [String: Filter] = {
    var all = texts.merging(lists) { $1 }.merging(selections) { $1 }.merging(others) { $1 }
    for (other, name) in [("d", "default"), ("e", "escape"), ("count", "length")] {
      all[other] = all[name]
    }
    return all
  }()

  // MARK: Texts

  private static let texts: [String: Filter] = [
    "upper": { (run, value, _, line) throws(TemplateFault) in
      try run.mapped(value, line) { $0.uppercased() }
    },
    "lower": { (run, value, _, line) throws(TemplateFault) in
      try run.mapped(value, line) { $0.lowercased() }
    },
    "capitalize": { (run, value, _, line) throws(TemplateFault) in
      try run.mapped(value, line, PythonString.capitalize)
    },
    "title": { (run, value, _, line) throws(TemplateFault) in
      try run.mapped(value, line, titled)
    },
    "trim": { (run, value, call, line) throws(TemplateFault) in
      let characters: String?
      if case .string(let text)? = call.argument(0, "chars") {
        characters = text
      } else {
        characters = nil
      }
      try run.chargeReading(characters ?? "", line)
      return try run.mapped(value, line) {
        PythonString.strip($0, characters, left: true, right: true)
      }
    },
    "string": { (run, value, _, line) throws(TemplateFault) in
      try run.text(try run.string(of: value, line), line)
    },
    // That the results are marked as HTML is the caller's business.
    "safe": { (run, value, _, line) throws(TemplateFault) in
      try run.text(try run.string(of: value, line), line)
    },
    "escape": { (run, value, _, line) throws(TemplateFault) in
      try run.mapped(value, line, TemplateValue.escaped)
    },
    "forceescape": { (run, value, _, line) throws(TemplateFault) in
      try run.mapped(value, line, TemplateValue.escaped)
    },
    "replace": { (run, value, call, line) throws(TemplateFault) in
      guard let old = call.argument(0, "old"), let new = call.argument(1, "new") else {
        throw TemplateFault(line: line, reason: "replace needs what to look for and what to put")
      }
      let count = call.argument(2, "count")
      let text = try run.string(of: value, line)
      try run.chargeReading(text, line)
      return try run.replace(
        text, try run.string(of: old, line),
        try run.string(of: new, line), limit: count?.int ?? -1, line)
    },
    "indent": { (run, value, call, line) throws(TemplateFault) in
      try indented(run, value, call, line)
    },
    "center": { (run, value, call, line) throws(TemplateFault) in
      try run.pad(
        "center", try run.string(of: value, line), to: call.argument(0, "width")?.int ?? 80,
        with: " ", line)
    },
    "truncate": { (run, value, call, line) throws(TemplateFault) in
      try truncated(run, value, call, line)
    },
    "wordcount": { (run, value, _, line) throws(TemplateFault) in
      let text = try run.string(of: value, line)
      try run.chargeReading(text, line)
      return .integer(wordCount(text))
    },
    "striptags": { (run, value, _, line) throws(TemplateFault) in
      let text = try run.string(of: value, line)
      try run.chargeReading(text, line)
      let words = try run.split(withoutTags(text), nil, limit: -1, line)
      return .string(words.joined(separator: " "))
    },
    "urlencode": { (run, value, _, line) throws(TemplateFault) in
      let unreserved = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~/".utf8)
      let source = try run.string(of: value, line)
      try run.chargeReading(source, line)
      var text = ""
      for byte in source.utf8 {
        if unreserved.contains(byte) {
          text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
          text += byte < 16 ? "%0" : "%"
          text += String(byte, radix: 16, uppercase: true)
        }
      }
      return try run.text(text, line)
    },
    "format": { (run, value, call, line) throws(TemplateFault) in
      try run.format(try run.string(of: value, line), call.positional, line)
    },
  ]

  /// Each word with a capital: words are what stands between white space and opening brackets.
  private static func titled(_ text: String) -> String {
    var result = ""
    var startsWord = true
    for scalar in text.unicodeScalars {
      result +=
        startsWord ? scalar.properties.titlecaseMapping : scalar.properties.lowercaseMapping
      startsWord = scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar)
    }
    return result
  }

  private static func wordCount(_ text: String) -> Int {
    let table = ScalarProperties.Table.shared
    var count = 0
    var isInside = false
    for scalar in text.unicodeScalars {
      let isWord = table[scalar.value].isWord
      if isWord, !isInside { count += 1 }
      isInside = isWord
    }
    return count
  }

  private static func withoutTags(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var isInside = false
    for scalar in text.unicodeScalars {
      if scalar == "<" { isInside = true }
      if !isInside { result.append(scalar) }
      if scalar == ">" { isInside = false }
    }
    return String(result)
  }

  private static func indented(
    _ run: TemplateEvaluator, _ value: TemplateValue, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    let unit: String
    switch call.argument(0, "width") ?? .integer(4) {
    case .string(let text): unit = text
    case let width: unit = String(repeating: " ", count: min(max(width.int ?? 4, 0), 1 << 12))
    }
    let indentsFirst = call.argument(1, "first")?.isTrue ?? false
    let indentsBlank = call.argument(2, "blank")?.isTrue ?? false
    // Jinja adds a line break before it cuts the lines, so that a last empty line counts.
    let text = try run.string(of: value, line) + "\n"
    try run.chargeReading(text, line)
    let lines = try run.lines(text, keepingEnds: false, line)
    try run.checkText(lines.count * (unit.utf8.count + 1), line)
    var result = indentsFirst ? unit : ""
    for (index, text) in lines.enumerated() {
      if index > 0 {
        result += "\n"
        if indentsBlank || !text.isEmpty { result += unit }
      }
      result += text
    }
    return try run.text(result, line)
  }

  private static func truncated(
    _ run: TemplateEvaluator, _ value: TemplateValue, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    let whole = try run.string(of: value, line)
    try run.chargeReading(whole, line)
    let text = Array(whole.unicodeScalars)
    let length = call.argument(0, "length")?.int ?? 255
    let kills = call.argument(1, "killwords")?.isTrue ?? false
    let end = try run.string(of: call.argument(2, "end") ?? .string("..."), line)
    let leeway = call.argument(3, "leeway")?.int ?? 5
    guard length >= end.unicodeScalars.count, leeway >= 0 else {
      throw TemplateFault(line: line, reason: "truncate's length is less than its end")
    }
    guard text.count - leeway > length else { return .string(whole) }
    let head = text.prefix(length - end.unicodeScalars.count)
    guard !kills, let space = head.lastIndex(of: " ") else {
      return try run.text(PythonString.string(head) + end, line)
    }
    return try run.text(PythonString.string(head[..<space]) + end, line)
  }

  // MARK: Others

  private static let others: [String: Filter] = [
    "default": { (_, value, call, _) throws(TemplateFault) in
      let replaces =
        value.isUndefined || call.argument(1, "boolean")?.isTrue == true && !value.isTrue
      return replaces ? call.argument(0, "default_value") ?? .string("") : value
    },
    "tojson": { (run, value, call, line) throws(TemplateFault) in
      try json(run, value, call, line)
    },
    "pprint": { (run, value, _, line) throws(TemplateFault) in
      var writer = PythonText(limit: TemplateEvaluator.textLimit)
      do throws(PythonText.Overflow) { try writer.writeRepresentation(of: value) } catch {
        throw TemplateFault(line: line, reason: "the value is too large or too deep to print")
      }
      try run.chargeReading(writer.text, line)
      return try run.text(writer.text, line)
    },
    "abs": { (_, value, _, line) throws(TemplateFault) in
      if let integer = value.int, integer != .min { return .integer(abs(integer)) }
      guard let number = value.double else {
        throw TemplateFault(line: line, reason: "a \(value.typeName) has no absolute value")
      }
      return .number(abs(number))
    },
    "int": { (run, value, call, line) throws(TemplateFault) in
      if let integer = value.int { return .integer(integer) }
      let fallback = call.argument(0, "default") ?? .integer(0)
      if case .number(let number) = value {
        return number.magnitude < 9.2e18 ? .integer(Int(number)) : fallback
      }
      guard case .string(let text) = value else { return fallback }
      try run.chargeReading(text, line)
      let trimmed = PythonString.strip(text, nil, left: true, right: true)
      let radix = call.argument(1, "base")?.int ?? 10
      if (2...36).contains(radix), let integer = Int(trimmed, radix: radix) {
        return .integer(integer)
      }
      guard let number = Double(trimmed), number.magnitude < 9.2e18 else { return fallback }
      return .integer(Int(number))
    },
    "float": { (run, value, call, line) throws(TemplateFault) in
      if let number = value.double { return .number(number) }
      if case .string(let text) = value {
        try run.chargeReading(text, line)
        if let number = Double(PythonString.strip(text, nil, left: true, right: true)) {
          return .number(number)
        }
      }
      return call.argument(0, "default") ?? .number(0)
    },
    "round": { (_, value, call, line) throws(TemplateFault) in
      guard let number = value.double else {
        throw TemplateFault(line: line, reason: "a \(value.typeName) can't be rounded")
      }
      let places = min(max(call.argument(0, "precision")?.int ?? 0, -300), 300)
      var rule = FloatingPointRoundingRule.toNearestOrEven
      if case .string(let method)? = call.argument(1, "method") {
        if method == "ceil" { rule = .up } else if method == "floor" { rule = .down }
      }
      if rule == .toNearestOrEven, places > 0 {
        // Correctly rounded decimals, as Python's round gives them.
        return .number(Double(String(format: "%.\(places)f", number)) ?? number)
      }
      let scale = pow(10, Double(places))
      let rounded = (number * scale).rounded(rule) / scale
      return .number(rounded.isFinite ? rounded : number)
    },
    "attr": { (run, value, call, line) throws(TemplateFault) in
      let name = try run.string(of: call.argument(0, "name") ?? .string(""), line)
      if case .dictionary = value, !TemplateMethods.dictionary.contains(name) {
        return .undefined("the dictionary has no attribute '\(name)'")
      }
      return try run.attribute(name, of: value, line)
    },
    "filesizeformat": { (_, value, _, line) throws(TemplateFault) in
      guard let bytes = value.double else {
        throw TemplateFault(line: line, reason: "a \(value.typeName) is no size")
      }
      // As in Jinja, what is below zero has no larger unit.
      guard bytes > -9.2e18, bytes < .infinity else {
        throw TemplateFault(line: line, reason: "\(PythonText.text(of: bytes)) is no size")
      }
      if bytes == 1 { return .string("1 Byte") }
      if bytes < 1000 { return .string("\(Int(bytes)) Bytes") }
      var unit = 1000.0
      for name in ["kB", "MB", "GB", "TB", "PB", "EB", "ZB"] {
        if bytes < unit * 1000 { return .string(String(format: "%.1f \(name)", bytes / unit)) }
        unit *= 1000
      }
      return .string(String(format: "%.1f YB", bytes / unit))
    },
  ]

  /// `json.dumps` as transformers calls it: text as it is, keys in their order.
  private static func json(
    _ run: TemplateEvaluator, _ value: TemplateValue, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    var layout = PythonText.JSONLayout()
    layout.escapesNonASCII = call.argument(0, "ensure_ascii")?.isTrue ?? false
    switch call.argument(1, "indent") ?? .none {
    case .string(let text): layout.indentation = text
    case let indent:
      if let width = indent.int {
        layout.indentation = String(repeating: " ", count: min(max(width, 0), 1 << 10))
      }
    }
    if layout.indentation != nil { layout.itemSeparator = "," }
    if let separators = call.argument(2, "separators")?.elements, separators.count == 2 {
      layout.itemSeparator = try run.string(of: separators[0], line)
      layout.keySeparator = try run.string(of: separators[1], line)
    }
    layout.sortsKeys = call.argument(3, "sort_keys")?.isTrue ?? false
    var writer = PythonText(limit: TemplateEvaluator.textLimit)
    do throws(PythonText.JSONFault) {
      try writer.writeJSON(value, layout)
    } catch {
      switch error {
      case .overflow:
        throw TemplateFault(line: line, reason: "the value is too large or too deep for JSON")
      case .notSerializable(let type):
        throw TemplateFault(line: line, reason: "\(type) has no JSON")
      }
    }
    try run.chargeReading(writer.text, line)
    return try run.text(writer.text, line)
  }
}

extension TemplateEvaluator {
  /// A value's text, changed scalar by scalar; what is looked at and made is counted.
  func mapped(
    _ value: TemplateValue, _ line: Int, _ change: (String) -> String
  ) throws(TemplateFault) -> TemplateValue {
    let text = try string(of: value, line)
    try chargeReading(text, line)
    return try self.text(change(text), line)
  }
}
