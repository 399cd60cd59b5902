import Rollouts

/// What is wrong with a setting's value, as the end of a sentence that begins with its name.
struct SettingFault: Error, Sendable, CustomStringConvertible {
  var reason: String
  init(_ reason: String) { self.reason = reason }
  var description: String { reason }
}

/// Another toolkit's name for a setting of ours.
public struct PeerName: Sendable, Hashable {
  /// The toolkit: "TRL", "verl".
  public var peer: String
  /// Its spelling, with underscores.
  public var name: String
  /// What differs there, as a clause; nil where it means the same.
  public var difference: String?

  /// Makes a peer's name.
  public init(peer: String, name: String, difference: String? = nil) {
    self.peer = peer
    self.name = name
    self.difference = difference
  }

  /// Whether a word is this name, dashes for underscores and leading sections aside.
  ///
  /// `actor_rollout_ref.rollout.n` matches `rollout.n`, and `algorithm.norm_adv_by_std_in_grpo` its last part.
  public func matches(_ word: String) -> Bool {
    let word = word.replacing("-", with: "_").lowercased()
    return word == name || word.hasSuffix("." + name)
  }
}

/// What values a setting takes.
public enum SettingKind: Sendable, Hashable {
  case boolean
  case integer(ClosedRange<Int>)
  case number(ClosedRange<Double>)
  case choice([String])
  case text
  /// A path to a file or a folder.
  case path
  /// Bytes: a whole number, or a number with a unit such as `6GiB`.
  case bytes
  /// A list of texts; an option adds one, or several where a separator is given.
  case list(separator: Character?)
  /// A JSON object; of options that are given again the last counts.
  case object
  /// A list of JSON values; an option adds one, as text or as an object.
  case values

  /// Whether an option that is given again adds to what it gave before.
  public var addsUp: Bool {
    switch self {
    case .list, .values: true
    case .boolean, .integer, .number, .choice, .text, .path, .bytes, .object: false
    }
  }
}

/// The one declaration of a setting: key of a config file, option, help, checks, documentation.
public struct SettingDeclaration: Sendable {
  /// The name, in snake case: the key in a config file.
  public let name: String
  /// The heading under which it is listed.
  public let section: String
  /// What values it takes.
  public let kind: SettingKind
  /// What leaving it out, or null, means, where no fixed value stands for it.
  public let absent: String?
  /// The unit of its value.
  public let unit: String?
  /// What it does: a clause without full stop.
  public let help: String
  /// What other toolkits call it.
  public let peers: [PeerName]
  let read: @Sendable (RunConfiguration) -> JSONValue
  let write: @Sendable (inout RunConfiguration, JSONValue) -> SettingFault?

  /// The name as an option: kebab case, without dashes in front.
  public var optionName: String { name.replacing("_", with: "-") }

  /// The word that, as an option's value, takes back what a preset or a config file gives.
  public static let none = "none"

  /// Whether an option may say `none`: null in a config file.
  public var acceptsNone: Bool {
    guard absent != nil else { return false }
    if case .choice(let names) = kind { return !names.contains(Self.none) }
    return true
  }

  /// The setting's value in a configuration; null where it is absent.
  public func value(in configuration: RunConfiguration) -> JSONValue { read(configuration) }

  /// The default as text; nil where there is none.
  public var defaultText: String? {
    let value = read(RunConfiguration())
    switch value {
    case .null: return nil
    case .string(let text): return text
    case .number(let number): return Self.text(of: number)
    case .array(let elements):
      return elements.isEmpty
        ? nil : elements.map { $0.string ?? $0.jsonText }.joined(separator: ",")
    default: return value.jsonText
    }
  }

  /// A number as people write it: 1e-6, 0.2, 3.
  static func text(of number: Double) -> String {
    if let whole = Int(exactly: number), whole.magnitude < 1_000_000 { return String(whole) }
    return "\(number)".replacing("e-0", with: "e-")
  }
}

extension SettingDeclaration {
  /// Reads an option's words as this setting's JSON value.
  ///
  /// Repeated options add up in lists; elsewhere the last counts. `none` alone is null where null is
  /// a value; a text or file of that name can be given by a config file, or as `./none`.
  func json(ofWords words: [String]) throws(SettingFault) -> JSONValue {
    guard let last = words.last else { return .null }
    if acceptsNone, last == Self.none, words.count == 1 || !kind.addsUp { return .null }
    switch kind {
    case .boolean:
      switch last.lowercased() {
      case "true", "yes", "on", "1": return .bool(true)
      case "false", "no", "off", "0": return .bool(false)
      default: throw SettingFault("must be true or false, not '\(last)'")
      }
    case .integer:
      if let value = Int64(last.filter { $0 != "_" }) { return .integer(value) }
      guard let value = Double(last), let whole = Int64(exactly: value) else {
        throw SettingFault("must be a whole number, not '\(last)'")
      }
      return .integer(whole)
    case .number:
      guard let value = Double(last), value.isFinite else {
        throw SettingFault("must be a number, not '\(last)'")
      }
      return .number(value)
    case .choice, .text, .path, .bytes: return .string(last)
    case .object:
      do { return try JSON5.parse(last) } catch {
        throw SettingFault("isn't JSON: \(error.reason)")
      }
    case .list(let separator):
      guard let separator else { return .array(words.map(JSONValue.string)) }
      return .array(
        words.flatMap { $0.split(separator: separator) }.map { JSONValue.string(String($0)) })
    case .values:
      var values: [JSONValue] = []
      for word in words {
        guard let first = word.first(where: { !$0.isWhitespace }), first == "{" || first == "["
        else {
          values.append(.string(word))
          continue
        }
        let value: JSONValue
        do { value = try JSON5.parse(word) } catch {
          throw SettingFault("isn't JSON: \(error.reason)")
        }
        values += value.array ?? [value]
      }
      return .array(values)
    }
  }
}
