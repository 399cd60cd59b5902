import Foundation

/// Hides the values of variables that were handed to a plugin in the bytes that it writes.
///
/// It stands where bytes enter, before lines are cut, parsed or shortened, so that no way out needs a mask of its own.
/// A value is found as it is and as JSON, or JSON within JSON, may write it (`\/`, `\u0041`, `\\\"`), and a match may
/// lie across two reads. Not found is what the plugin itself changed: a part, or another encoding.
package struct SecretMask: Sendable {
  /// Values shorter than this, and plain numbers shorter than `shortestNumber`, are not secrets: hiding them would
  /// spoil ordinary replies.
  private static let shortest = 4
  private static let shortestNumber = 12

  private static let backslash = UInt8(ascii: "\\")

  private struct Secret {
    var scalars: [Unicode.Scalar]
    var replacement: [UInt8]
  }

  private let secrets: [Secret]
  private let canBegin: [Bool]
  /// What may be the beginning of a secret and waits for more.
  private var held: [UInt8] = []

  /// The mask for variables of an environment.
  package init(
    names: [String], environment: [String: String] = ProcessInfo.processInfo.environment
  ) {
    self.init(values: names.compactMap { name in environment[name].map { (name, $0) } })
  }

  /// The mask for values, each with the name that is shown instead.
  package init(values: [(name: String, value: String)]) {
    var secrets: [Secret] = []
    for (name, value) in values {
      let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x5C && $0 < 0x7F }
      let replacement = Array("[\(isPlain ? name : "secret")]".utf8)
      // A value of several lines is hidden line by line as well, since a raw line's end always ends a match.
      let lines = value.split(whereSeparator: \.isNewline).map(String.init)
      for text in Set([value] + lines) where Self.isSecret(text) {
        secrets.append(Secret(scalars: Array(text.unicodeScalars), replacement: replacement))
      }
    }
    // The longest first, so that a value within another leaves nothing of it.
    secrets.sort { $0.scalars.count > $1.scalars.count }
    self.secrets = secrets
    var canBegin = [Bool](repeating: false, count: 256)
    for secret in secrets { canBegin[Int(String(secret.scalars[0]).utf8.first ?? 0)] = true }
    canBegin[Int(Self.backslash)] = !secrets.isEmpty
    self.canBegin = canBegin
  }

  private static func isSecret(_ text: String) -> Bool {
    if text.utf8.count < shortest { return false }
    let isNumber = text.utf8.allSatisfy { "0123456789.+-".utf8.contains($0) }
    return !isNumber || text.utf8.count >= shortestNumber
  }

  /// A whole text with its secrets hidden.
  package func mask(_ text: String) -> String {
    guard !secrets.isEmpty else { return text }
    var copy = self
    var result: [UInt8] = []
    Array(text.utf8).withUnsafeBufferPointer { bytes in
      copy.pass(bytes) { result.append(contentsOf: $0) }
    }
    copy.finish { result.append(contentsOf: $0) }
    return String(decoding: result, as: UTF8.self)
  }

  /// Takes bytes as they come, and hands on what is certain.
  package mutating func pass(
    _ bytes: UnsafeBufferPointer<UInt8>, to take: (UnsafeBufferPointer<UInt8>) -> Void
  ) {
    guard !secrets.isEmpty else { return take(bytes) }
    let input = held + bytes
    held = []
    var output: [UInt8] = []
    output.reserveCapacity(input.count)
    var index = 0
    while index < input.count {
      guard canBegin[Int(input[index])] else {
        output.append(input[index])
        index += 1
        continue
      }
      switch match(input, at: index) {
      case .whole(let end, let replacement):
        output += replacement
        index = end
      case .unfinished:
        held = Array(input[index...])
        index = input.count
      case .none:
        output.append(input[index])
        index += 1
      }
    }
    output.withUnsafeBufferPointer(take)
  }

  /// Hands on what waited for more at the end of the stream.
  ///
  /// A process that was killed while it wrote a secret has written most of it: that is hidden too.
  package mutating func finish(_ take: (UnsafeBufferPointer<UInt8>) -> Void) {
    guard !held.isEmpty else { return }
    let rest = held.count < Self.shortest ? held : Array("[secret]".utf8)
    held = []
    rest.withUnsafeBufferPointer(take)
  }

  private enum Match {
    case none, unfinished
    case whole(end: Int, replacement: [UInt8])
  }

  private func match(_ input: [UInt8], at start: Int) -> Match {
    var result = Match.none
    for secret in secrets {
      switch end(of: secret.scalars, in: input, at: start) {
      case .whole(let end, _): return .whole(end: end, replacement: secret.replacement)
      // A longer one may still come; a shorter one that is there already goes first.
      case .unfinished: result = .unfinished
      case .none: break
      }
    }
    return result
  }

  /// Where a secret ends that begins at a place: each character as it is, or behind backslashes as JSON, or JSON within
  /// JSON, escapes it.
  private func end(of secret: [Unicode.Scalar], in input: [UInt8], at start: Int) -> Match {
    var index = start
    var matched = 0
    while matched < secret.count {
      let run = input[index...].prefix { $0 == Self.backslash }.count
      let own = secret[matched...].prefix { $0 == "\\" }.count
      guard index + run < input.count else { return .unfinished }
      // A backslash of the secret may be written by its number as well.
      if run > 0, own > 0 {
        switch Escape(input, at: index + run) {
        case .unfinished: return .unfinished
        case .scalar("\\", let next):
          index = next
          matched += 1
          continue
        default: break
        }
      }
      guard run >= own else { return .none }
      if matched + own == secret.count {
        return .whole(end: index + (run >= 2 * own ? 2 * own : own), replacement: [])
      }
      index += run
      matched += own
      if run > own {
        switch Escape(input, at: index) {
        case .unfinished: return .unfinished
        case .scalar(let scalar, let next) where scalar == secret[matched]:
          index = next
          matched += 1
          continue
        default: break
        }
      }
      for byte in String(secret[matched]).utf8 {
        guard index < input.count else { return .unfinished }
        guard input[index] == byte else { return .none }
        index += 1
      }
      matched += 1
    }
    return .whole(end: index, replacement: [])
  }
}

/// What follows a backslash in JSON, as the character that it stands for.
private enum Escape {
  case none, unfinished
  case scalar(Unicode.Scalar, next: Int)

  init(_ input: [UInt8], at start: Int) {
    let simple: [UInt8: Unicode.Scalar] = [
      0x62: "\u{8}", 0x66: "\u{C}", 0x6E: "\n", 0x72: "\r", 0x74: "\t",
    ]
    if let scalar = simple[input[start]] {
      self = .scalar(scalar, next: start + 1)
    } else {
      self = Self.unicode(input, at: start)
    }
  }

  /// `uXXXX`, or two of them that make a pair, with backslashes between.
  private static func unicode(_ input: [UInt8], at start: Int) -> Escape {
    guard let high = number(input, at: start) else {
      let digits = input[(start + 1)...].prefix(4)
      let isBegun = input[start] == UInt8(ascii: "u") && digits.count < 4
      return isBegun && digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        ? .unfinished : .none
    }
    guard (0xD800..<0xDC00).contains(high) else {
      return Unicode.Scalar(high).map { .scalar($0, next: start + 5) } ?? .none
    }
    let second = start + 5 + input[(start + 5)...].prefix { $0 == UInt8(ascii: "\\") }.count
    guard second + 5 <= input.count else { return .unfinished }
    guard let low = number(input, at: second), (0xDC00..<0xE000).contains(low),
      let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    else { return .none }
    return .scalar(scalar, next: second + 5)
  }

  private static func number(_ input: [UInt8], at start: Int) -> UInt32? {
    guard start + 5 <= input.count, input[start] == UInt8(ascii: "u") else { return nil }
    return UInt32(String(decoding: input[(start + 1)..<(start + 5)], as: UTF8.self), radix: 16)
  }
}
