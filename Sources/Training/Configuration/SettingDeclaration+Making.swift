import Rollouts

/// A key path that may cross threads, as literals may.
typealias SettingPath<Value> = any WritableKeyPath<RunConfiguration, Value> & Sendable

/// Makers of declarations: each pairs a kind with its conversion from and to JSON.
///
/// One maker for a plain value and one for a value that may be absent (`Value?`).
extension SettingDeclaration {
  static func integer(
    _ name: String, _ path: SettingPath<Int>, _ range: ClosedRange<Int>, _ section: String,
    unit: String? = nil, _ help: String, peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .integer(range), absent: nil, unit: unit, help: help,
      peers: peers, read: { .integer(Int64($0[keyPath: path])) },
      write: { configuration, json in
        capture { () throws(SettingFault) in
          configuration[keyPath: path] = try Self.integer(json, in: range)
        }
      })
  }

  static func integer(
    _ name: String, _ path: SettingPath<Int?>, _ range: ClosedRange<Int>, absent: String,
    _ section: String, unit: String? = nil, _ help: String, peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .integer(range), absent: absent, unit: unit, help: help,
      peers: peers,
      read: { $0[keyPath: path].map { .integer(Int64($0)) } ?? .null },
      write: { configuration, json in
        capture { () throws(SettingFault) in
          configuration[keyPath: path] = json.isNull ? nil : try Self.integer(json, in: range)
        }
      })
  }

  static func number(
    _ name: String, _ path: SettingPath<Double>, _ range: ClosedRange<Double>, _ section: String,
    unit: String? = nil, _ help: String, peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .number(range), absent: nil, unit: unit, help: help,
      peers: peers, read: { .number($0[keyPath: path]) },
      write: { configuration, json in
        capture { () throws(SettingFault) in
          configuration[keyPath: path] = try Self.number(json, in: range)
        }
      })
  }

  static func number(
    _ name: String, _ path: SettingPath<Double?>, _ range: ClosedRange<Double>, absent: String,
    _ section: String, unit: String? = nil, _ help: String, peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .number(range), absent: absent, unit: unit, help: help,
      peers: peers,
      read: { $0[keyPath: path].map(JSONValue.number) ?? .null },
      write: { configuration, json in
        capture { () throws(SettingFault) in
          configuration[keyPath: path] = json.isNull ? nil : try Self.number(json, in: range)
        }
      })
  }

  static func boolean(
    _ name: String, _ path: SettingPath<Bool>, _ section: String, _ help: String,
    peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .boolean, absent: nil, unit: nil, help: help,
      peers: peers, read: { .bool($0[keyPath: path]) },
      write: { configuration, json in
        guard let value = json.bool else {
          return SettingFault("must be true or false, not \(json.jsonText)")
        }
        configuration[keyPath: path] = value
        return nil
      })
  }

  static func boolean(
    _ name: String, _ path: SettingPath<Bool?>, absent: String, _ section: String, _ help: String,
    peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .boolean, absent: absent, unit: nil, help: help,
      peers: peers,
      read: { $0[keyPath: path].map(JSONValue.bool) ?? .null },
      write: { configuration, json in
        if !json.isNull, json.bool == nil {
          return SettingFault("must be true or false, not \(json.jsonText)")
        }
        configuration[keyPath: path] = json.bool
        return nil
      })
  }

  static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
    _ name: String, _ path: SettingPath<Value>, _ section: String, _ help: String,
    peers: [PeerName] = [], spellings: [String: String] = [:]
  ) -> SettingDeclaration {
    let names = Value.allCases.map(\.rawValue)
    return SettingDeclaration(
      name: name, section: section, kind: .choice(names), absent: nil, unit: nil, help: help,
      peers: peers, read: { .string($0[keyPath: path].rawValue) },
      write: { configuration, json in
        guard let value = json.string.flatMap(Value.init(rawValue:)) else {
          return notAChoice(json, of: names, spellings: spellings)
        }
        configuration[keyPath: path] = value
        return nil
      })
  }

  static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
    _ name: String, _ path: SettingPath<Value?>, _ section: String, _ help: String,
    absent: String, peers: [PeerName] = []
  ) -> SettingDeclaration {
    let names = Value.allCases.map(\.rawValue)
    return SettingDeclaration(
      name: name, section: section, kind: .choice(names), absent: absent, unit: nil, help: help,
      peers: peers,
      read: { configuration in
        configuration[keyPath: path].map { .string($0.rawValue) } ?? .null
      },
      write: { configuration, json in
        let value = json.string.flatMap(Value.init(rawValue:))
        guard value != nil || json.isNull else { return notAChoice(json, of: names) }
        configuration[keyPath: path] = value
        return nil
      })
  }

  static func text(
    _ name: String, _ path: SettingPath<String?>, _ kind: SettingKind = .text, absent: String,
    _ section: String, _ help: String, peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: kind, absent: absent, unit: nil, help: help,
      peers: peers,
      read: { $0[keyPath: path].map(JSONValue.string) ?? .null },
      write: { configuration, json in
        if !json.isNull, json.string == nil {
          return SettingFault("must be a text, not \(json.jsonText)")
        }
        if json.string?.isEmpty == true { return SettingFault("is empty") }
        if case .choice(let names) = kind, let text = json.string, !names.contains(text) {
          return notAChoice(json, of: names)
        }
        configuration[keyPath: path] = json.string
        return nil
      })
  }

  static func object(
    _ name: String, _ path: SettingPath<JSONObject>, absent: String, _ section: String,
    _ help: String, peers: [PeerName] = [],
    check: @escaping @Sendable (JSONObject) -> String? = { _ in nil }
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .object, absent: absent, unit: nil, help: help,
      peers: peers,
      read: { $0[keyPath: path].isEmpty ? .null : .object($0[keyPath: path]) },
      write: { configuration, json in
        guard let members = json.isNull ? [:] : json.object else {
          return SettingFault("must be an object {NAME: VALUE, …}, not \(json.jsonText)")
        }
        if let reason = check(members) { return SettingFault(reason) }
        configuration[keyPath: path] = members
        return nil
      })
  }

  static func bytes(
    _ name: String, _ path: SettingPath<Int?>, absent: String, _ section: String, _ help: String,
    peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .bytes, absent: absent, unit: "bytes", help: help,
      peers: peers,
      read: { $0[keyPath: path].map { .integer(Int64($0)) } ?? .null },
      write: { configuration, json in
        capture { () throws(SettingFault) in
          configuration[keyPath: path] = json.isNull ? nil : try ByteCount.parse(json)
        }
      })
  }

  static func list(
    _ name: String, _ path: SettingPath<[String]>, separator: Character? = nil,
    absent: String? = nil, _ section: String, _ help: String, peers: [PeerName] = []
  ) -> SettingDeclaration {
    SettingDeclaration(
      name: name, section: section, kind: .list(separator: separator), absent: absent, unit: nil,
      help: help, peers: peers,
      read: { .array($0[keyPath: path].map(JSONValue.string)) },
      write: { configuration, json in
        let elements = json.isNull ? [] : json.array ?? [json]
        let texts = elements.compactMap(\.string).filter { !$0.isEmpty }
        guard texts.count == elements.count else {
          return SettingFault("must be a text or a list of texts, not \(json.jsonText)")
        }
        configuration[keyPath: path] = texts
        return nil
      })
  }

  private static func integer(_ json: JSONValue, in range: ClosedRange<Int>)
    throws(SettingFault) -> Int
  {
    guard let value = json.integer else {
      throw SettingFault("must be a whole number, not \(json.jsonText)")
    }
    guard range.contains(value) else {
      throw SettingFault("must be \(describe(range)), not \(value)")
    }
    return value
  }

  private static func number(_ json: JSONValue, in range: ClosedRange<Double>)
    throws(SettingFault) -> Double
  {
    guard let value = json.double, value.isFinite else {
      throw SettingFault("must be a number, not \(json.jsonText)")
    }
    guard range.contains(value) else {
      throw SettingFault("must be \(describe(range)), not \(text(of: value))")
    }
    return value
  }

  /// The fault of a value that is none of the legal ones, with the one that may have been meant.
  /// - Parameter spellings: What the values are called elsewhere.
  static func notAChoice(
    _ json: JSONValue, of names: [String], spellings: [String: String] = [:]
  ) -> SettingFault {
    let written = json.string ?? json.jsonText
    let nearest =
      spellings[written.lowercased()] ?? Spelling.nearest(to: written, among: names)
    return SettingFault(
      "must be one of \(names.joined(separator: ", ")), not '\(written)'"
        + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
  }
}

/// The fault that `body` throws, nil where it throws none.
func capture(_ body: () throws(SettingFault) -> Void) -> SettingFault? {
  do throws(SettingFault) {
    try body()
    return nil
  } catch {
    return error
  }
}
