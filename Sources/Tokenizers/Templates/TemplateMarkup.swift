/// Texts that count as HTML, as markupsafe's `Markup` behaves.
///
/// Templates run without autoescaping, yet `safe` and `escape` still give a `Markup`: what is added to
/// it, formatted into it or joined by it is escaped, and its methods give a `Markup` again. Printed, or
/// concatenated by `~`, it is its plain text.
extension TemplateValue {
  var isMarkup: Bool { if case .markup = self { true } else { false } }

  /// The value without the mark.
  var unmarked: TemplateValue { if case .markup(let text) = self { .string(text) } else { self } }

  /// A text of this value's kind: marked where this is.
  func retext(_ text: String) -> TemplateValue { isMarkup ? .markup(text) : .string(text) }

  /// What an operation on this value's plain text gave, its texts marked where this is.
  func marking(_ result: TemplateValue) -> TemplateValue {
    guard isMarkup else { return result }
    switch result {
    case .string(let text): return .markup(text)
    case .list(let items): return .list(items.map { marking($0) })
    case .tuple(let items): return .tuple(items.map { marking($0) })
    default: return result
    }
  }

  /// HTML's five special characters, as markupsafe spells them.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&#34;"
      case "'": result += "&#39;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension TemplateEvaluator {
  /// The filters that give a `Markup` again where they are given one.
  private static let markKeeping: Set<String> = [
    "upper", "lower", "capitalize", "trim", "string", "center", "indent", "truncate", "reverse",
  ]
  /// The filters that hand on what they are given.
  private static let handingOn: Set<String> = ["default", "d", "map", "pprint"]

  /// The text of a value as it may stand in HTML: a `Markup` as it is, anything else escaped.
  func escapedString(of value: TemplateValue, _ line: Int) throws(TemplateFault) -> String {
    if case .markup(let text) = value { return text }
    let text = try string(of: value, line)
    try chargeReading(text, line)
    return TemplateValue.escaped(text)
  }

  /// Applies a filter, with what it makes of a `Markup`.
  func applyFilter(
    _ name: String, to value: TemplateValue, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard let filter = TemplateFilters.all[name] else {
      throw TemplateFault(line: line, reason: "unknown filter '\(name)'")
    }
    if Self.handingOn.contains(name) { return try filter(self, value, call, line) }
    if name == "format", case .markup(let format) = value {
      return value.marking(try self.format(format, call.positional, escapes: true, line))
    }
    var call = call
    try unmark(&call, escapes: value.isMarkup && name == "truncate", line)
    let result = try filter(self, value.unmarked, call, line)
    switch name {
    case "safe", "forceescape": return TemplateValue.markup("").marking(result)
    case "escape", "e": return value.isMarkup ? value : TemplateValue.markup("").marking(result)
    default: return Self.markKeeping.contains(name) ? value.marking(result) : result
    }
  }

  /// Calls a method of a `Markup`.
  func callMarkupMethod(
    _ name: String, of receiver: TemplateValue, _ text: String, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    var call = call
    switch name {
    case "join":
      var items: [TemplateValue] = []
      for item in try elements(of: call.argument(0, "iterable") ?? .none, line) {
        items.append(.string(try escapedString(of: item, line)))
      }
      call = TemplateCall(positional: [.list(items)])
    case "format", "ljust", "rjust", "center": try unmark(&call, escapes: true, line)
    case "replace":
      // What is looked for stays as it is.
      let old = call.positional.first?.unmarked
      try unmark(&call, escapes: true, line)
      if let old { call.positional[0] = old }
    default: try unmark(&call, escapes: false, line)
    }
    return receiver.marking(
      try callMethod(name, of: .string(text), call, line))
  }

  /// Makes the `Markup` arguments of a call plain; what isn't one is escaped where asked, if it is a text.
  private func unmark(
    _ call: inout TemplateCall, escapes: Bool, _ line: Int
  ) throws(TemplateFault) {
    func plain(_ value: TemplateValue) throws(TemplateFault) -> TemplateValue {
      guard escapes, value.int == nil, value.double == nil else { return value.unmarked }
      return .string(try escapedString(of: value, line))
    }
    for index in call.positional.indices {
      call.positional[index] = try plain(call.positional[index])
    }
    for index in call.named.indices { call.named[index].value = try plain(call.named[index].value) }
  }

  /// `+`, `*` and `%` where one side is a `Markup`; nil where the operation has nothing to do with it.
  func markupArithmetic(
    _ operation: TemplateArithmetic, _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> TemplateValue? {
    switch (operation, left, right) {
    case (.add, .markup, .markup), (.add, .markup, .string), (.add, .string, .markup):
      let first = try escapedString(of: left, line)
      let second = try escapedString(of: right, line)
      try checkText(first.utf8.count + second.utf8.count, line)
      return .markup(first + second)
    case (.multiply, .markup, _), (.multiply, _, .markup):
      return TemplateValue.markup("").marking(
        try arithmetic(.multiply, left.unmarked, right.unmarked, line))
    case (.modulo, .markup(let format), _):
      let values: [TemplateValue]
      if case .tuple(let items) = right { values = items.items } else { values = [right] }
      return .markup(
        try string(of: try self.format(format, values, escapes: true, line), line))
    default: return nil
    }
  }
}
