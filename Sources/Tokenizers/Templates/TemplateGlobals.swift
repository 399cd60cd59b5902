import Foundation

/// The functions that every template can call.
enum TemplateGlobals {
  static let names: Set<String> = [
    "range", "dict", "namespace", "cycler", "joiner", "raise_exception", "strftime_now", "lipsum",
  ]
  /// The longest `range`, as in Jinja's sandbox.
  static let rangeLimit = 100_000
}

extension TemplateEvaluator {
  /// Calls a global function.
  func callGlobal(
    _ name: String, _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    switch name {
    case "range": return try range(call, line)
    case "dict", "namespace":
      var members = TemplateDictionary()
      if let first = call.positional.first {
        guard case .dictionary(let given) = first else {
          throw TemplateFault(line: line, reason: "\(name)() needs a dictionary")
        }
        members = given
        // Copied with its index as soon as it changes.
        try checkList(4 * given.count, line)
      }
      for (name, value) in call.named {
        try charge(1 + name.utf8.count / 32, line)
        members[name] = value
      }
      return name == "dict" ? .dictionary(members) : .namespace(keep(TemplateNamespace(members)))
    case "cycler": return .cycler(keep(TemplateCycler(call.positional)))
    case "joiner":
      return .joiner(keep(TemplateCycler([call.argument(0, "sep") ?? .string(", ")])))
    case "raise_exception":
      let message = try string(of: call.argument(0, "message") ?? .string(""), line)
      throw TemplateFault(line: line, reason: "the template refuses: \(message)")
    case "strftime_now":
      let format = try string(of: call.argument(0, "format") ?? .string(""), line)
      guard format.utf8.count <= 4096 else {
        throw TemplateFault(line: line, reason: "the format of strftime_now is too long")
      }
      return try text(Self.formatted(now, format), line)
    default: throw TemplateFault(line: line, reason: "'\(name)' is not available to chat templates")
    }
  }

  private func range(
    _ call: TemplateCall, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    var bounds: [Int] = []
    for value in call.positional {
      guard let bound = value.int else {
        throw TemplateFault(line: line, reason: "range() needs integers, not a \(value.typeName)")
      }
      bounds.append(bound)
    }
    guard (1...3).contains(bounds.count) else {
      throw TemplateFault(line: line, reason: "range() needs one to three integers")
    }
    let start = bounds.count > 1 ? bounds[0] : 0
    let stop = bounds.count > 1 ? bounds[1] : bounds[0]
    let step = bounds.count > 2 ? bounds[2] : 1
    guard step != 0 else { throw TemplateFault(line: line, reason: "a range's step can't be zero") }
    let span = step > 0 ? Double(stop) - Double(start) : Double(start) - Double(stop)
    guard span / Double(step.magnitude) <= Double(TemplateGlobals.rangeLimit) else {
      throw TemplateFault(
        line: line, reason: "a range has more than \(TemplateGlobals.rangeLimit) numbers")
    }
    let numbers = Array(stride(from: start, to: stop, by: step))
    try checkList(numbers.count, line)
    return .list(numbers.map { .integer($0) })
  }

  /// A moment in local time as C's `strftime` spells it.
  static func formatted(_ moment: Date, _ format: String) -> String {
    guard !format.isEmpty else { return "" }
    var seconds = time_t(moment.timeIntervalSince1970.rounded(.down))
    var parts = tm()
    guard localtime_r(&seconds, &parts) != nil else { return "" }
    var buffer = [CChar](repeating: 0, count: 256 + 16 * format.utf8.count)
    let count = strftime(&buffer, buffer.count, format, &parts)
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
