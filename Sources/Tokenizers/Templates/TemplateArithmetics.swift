import Foundation

extension TemplateEvaluator {
  /// Python's arithmetic on numbers, texts and lists.
  func arithmetic(
    _ operation: TemplateArithmetic, _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    if case .undefined(let hint) = left {
      throw TemplateFault(line: line, reason: Self.sentence(hint))
    }
    if case .undefined(let hint) = right {
      throw TemplateFault(line: line, reason: Self.sentence(hint))
    }
    if left.isMarkup || right.isMarkup,
      let result = try markupArithmetic(operation, left, right, line)
    {
      return result
    }
    switch (operation, left, right) {
    case (.add, .string(let first), .string(let second)):
      try checkText(first.utf8.count + second.utf8.count, line)
      return .string(first + second)
    case (.add, .list(let first), .list(let second)):
      try checkList(first.count + second.count, line)
      return .list(first.items + second.items)
    case (.add, .tuple(let first), .tuple(let second)):
      try checkList(first.count + second.count, line)
      return .tuple(first.items + second.items)
    case (.multiply, .string(let text), let count):
      return try repeated(text, count, line)
    case (.multiply, let count, .string(let text)): return try repeated(text, count, line)
    case (.multiply, .list(let items), let count):
      return .list(try repeated(items.items, count, line))
    case (.multiply, let count, .list(let items)):
      return .list(try repeated(items.items, count, line))
    case (.modulo, .string(let format), _):
      let values: [TemplateValue]
      if case .tuple(let items) = right { values = items.items } else { values = [right] }
      return try self.format(format, values, line)
    default: return try numeric(operation, left, right, line)
    }
  }

  private func repeated(
    _ text: String, _ count: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard let count = count.int else {
      throw TemplateFault(line: line, reason: "a text can't be multiplied by a \(count.typeName)")
    }
    let (size, overflow) = text.utf8.count.multipliedReportingOverflow(by: max(count, 0))
    try checkText(overflow ? .max : size, line)
    return .string(text.isEmpty ? "" : String(repeating: text, count: max(count, 0)))
  }

  private func repeated(
    _ items: [TemplateValue], _ count: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> [TemplateValue] {
    guard let count = count.int else {
      throw TemplateFault(line: line, reason: "a list can't be multiplied by a \(count.typeName)")
    }
    guard !items.isEmpty else { return [] }
    let (size, overflow) = items.count.multipliedReportingOverflow(by: max(count, 0))
    try checkList(overflow ? .max : size, line)
    var result: [TemplateValue] = []
    for _ in 0..<max(count, 0) { result += items }
    return result
  }

  private func numeric(
    _ operation: TemplateArithmetic, _ left: TemplateValue, _ right: TemplateValue, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard let first = left.double, let second = right.double else {
      throw TemplateFault(
        line: line,
        reason: "'\(operation.rawValue)' does not apply to a \(left.typeName) and a "
          + right.typeName)
    }
    if let first = left.int, let second = right.int, operation != .divide {
      return try integral(operation, first, second, line)
    }
    if second == 0, [.divide, .floorDivide, .modulo].contains(operation) {
      throw TemplateFault(line: line, reason: "division by zero")
    }
    switch operation {
    case .add: return .number(first + second)
    case .subtract: return .number(first - second)
    case .multiply: return .number(first * second)
    case .divide: return .number(first / second)
    case .floorDivide: return .number((first / second).rounded(.down))
    case .modulo:
      let rest = first.truncatingRemainder(dividingBy: second)
      return .number(rest != 0 && (rest < 0) != (second < 0) ? rest + second : rest)
    case .power: return .number(pow(first, second))
    }
  }

  private func integral(
    _ operation: TemplateArithmetic, _ first: Int, _ second: Int, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    let result: (partialValue: Int, overflow: Bool)
    switch operation {
    case .add: result = first.addingReportingOverflow(second)
    case .subtract: result = first.subtractingReportingOverflow(second)
    case .multiply: result = first.multipliedReportingOverflow(by: second)
    case .divide, .floorDivide, .modulo:
      guard second != 0 else { throw TemplateFault(line: line, reason: "division by zero") }
      let (quotient, overflow) = first.dividedReportingOverflow(by: second)
      let rest = overflow ? 0 : first % second
      let isRoundedUp = rest != 0 && (rest < 0) != (second < 0)
      result =
        operation == .modulo
        ? (isRoundedUp ? rest + second : rest, overflow)
        : (isRoundedUp ? quotient - 1 : quotient, overflow)
    case .power: return try integralPower(first, second, line)
    }
    guard !result.overflow else {
      throw TemplateFault(line: line, reason: "the number is too large")
    }
    return .integer(result.partialValue)
  }

  private func integralPower(
    _ base: Int, _ exponent: Int, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    guard exponent >= 0 else { return .number(pow(Double(base), Double(exponent))) }
    if base == 0 || base == 1 { return .integer(exponent == 0 ? 1 : base) }
    if base == -1 { return .integer(exponent % 2 == 0 ? 1 : -1) }
    var result = 1
    for _ in 0..<min(exponent, 64) {
      let (product, overflow) = result.multipliedReportingOverflow(by: base)
      guard !overflow else { throw TemplateFault(line: line, reason: "the number is too large") }
      result = product
    }
    guard exponent <= 64 else { throw TemplateFault(line: line, reason: "the number is too large") }
    return .integer(result)
  }

  // MARK: Formatting

  /// Python's `format % values` with `%s %r %d %i %f %g %e %x %%`, width and precision.
  /// - Parameter escapes: Whether texts are escaped, as into a `Markup`.
  func format(
    _ format: String, _ values: [TemplateValue], escapes: Bool = false, _ line: Int
  ) throws(TemplateFault) -> TemplateValue {
    try chargeReading(format, line)
    var result = ""
    var place = 0
    let scalars = Array(format.unicodeScalars)
    var index = 0
    while index < scalars.count {
      guard scalars[index] == "%" else {
        result.unicodeScalars.append(scalars[index])
        index += 1
        continue
      }
      index += 1
      var flags: Set<Unicode.Scalar> = []
      while index < scalars.count, "-+ 0#".unicodeScalars.contains(scalars[index]) {
        flags.insert(scalars[index])
        index += 1
      }
      let width = Self.number(scalars, &index) ?? 0
      var precision: Int?
      if index < scalars.count, scalars[index] == "." {
        index += 1
        precision = Self.number(scalars, &index) ?? 0
      }
      guard index < scalars.count else {
        throw TemplateFault(line: line, reason: "the format ends after '%'")
      }
      let conversion = scalars[index]
      index += 1
      if conversion == "%" {
        result += "%"
        continue
      }
      guard place < values.count else {
        throw TemplateFault(line: line, reason: "the format needs more values")
      }
      let piece = try formatted(
        values[place], conversion, precision, flags, escapes: escapes, line)
      place += 1
      let padding = max(min(width, 1 << 16) - piece.unicodeScalars.count, 0)
      try checkText(piece.utf8.count + padding, line)
      if flags.contains("-") {
        result += piece + String(repeating: " ", count: padding)
      } else if flags.contains("0"), conversion != "s", conversion != "r" {
        let sign = piece.hasPrefix("-") || piece.hasPrefix("+") ? String(piece.prefix(1)) : ""
        result += sign + String(repeating: "0", count: padding) + piece.dropFirst(sign.count)
      } else {
        result += String(repeating: " ", count: padding) + piece
      }
      if result.utf8.count > Self.textLimit { try checkText(result.utf8.count, line) }
    }
    guard place == values.count || values.count == 1 && place == 0 && values[0].elements != nil
    else {
      throw TemplateFault(line: line, reason: "the format needs fewer values")
    }
    return .string(result)
  }

  private static func number(_ scalars: [Unicode.Scalar], _ index: inout Int) -> Int? {
    var value: Int?
    while index < scalars.count, ("0"..."9").contains(scalars[index]) {
      value = min((value ?? 0) * 10 + Int(scalars[index].value - 0x30), 1 << 16)
      index += 1
    }
    return value
  }

  private func formatted(
    _ value: TemplateValue, _ conversion: Unicode.Scalar, _ precision: Int?,
    _ flags: Set<Unicode.Scalar>, escapes: Bool, _ line: Int
  ) throws(TemplateFault) -> String {
    func signed(_ text: String) -> String {
      text.hasPrefix("-")
        ? text : flags.contains("+") ? "+" + text : flags.contains(" ") ? " " + text : text
    }
    switch conversion {
    case "s", "r":
      var text = try string(of: value, line)
      try chargeReading(text, line)
      if conversion == "r", case .string(let plain) = value.unmarked {
        text = PythonText.representation(of: plain)
      }
      if escapes, conversion == "r" || !value.isMarkup { text = TemplateValue.escaped(text) }
      return precision.map { String(String.UnicodeScalarView(text.unicodeScalars.prefix($0))) }
        ?? text
    case "d", "i", "x", "X", "o":
      guard let number = value.double, number.magnitude < 9e18 else {
        throw TemplateFault(
          line: line, reason: "%\(conversion) needs a number, not a \(value.typeName)")
      }
      let integer = value.int ?? Int(number)
      let radix = conversion == "o" ? 8 : conversion == "x" || conversion == "X" ? 16 : 10
      return signed(String(integer, radix: radix, uppercase: conversion == "X"))
    case "f", "F", "e", "E", "g", "G":
      guard let number = value.double else {
        throw TemplateFault(
          line: line, reason: "%\(conversion) needs a number, not a \(value.typeName)")
      }
      return signed(String(format: "%.\(min(precision ?? 6, 100))\(conversion)", number))
    default: throw TemplateFault(line: line, reason: "unknown format %\(conversion)")
    }
  }
}
