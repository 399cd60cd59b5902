import Rollouts

/// Reads the object form of a reward, collecting every fault.
struct SpecificationReader {
  let object: JSONObject
  let place: String
  var faults: [String] = []

  init(object: JSONObject, place: String) {
    self.object = object
    self.place = place
  }

  mutating func specification() -> RewardSpecification {
    reportUnknownKeys()
    var result = RewardSpecification(use: text("use") ?? "")
    if object["use"] == nil {
      fault("use", "is missing: a built-in's name, a path, or path.py:function")
    } else if result.use.isEmpty, object["use"]?.string != nil {
      fault("use", "is empty: expected a built-in's name, a path, or path.py:function")
    }
    result.name = text("name")
    number("weight", -1e12...1e12, into: &result.weight)
    if let value = present("parameters") {
      if let parameters = value.object {
        result.parameters = parameters
      } else {
        fault("parameters", "is \(value.jsonText), expected an object")
      }
    }
    result.columns = columns()
    number("time_limit", 0.001...86_400, into: &result.timeLimit)
    var batchLimit = -1.0
    number("batch_time_limit", 0.001...86_400, into: &batchLimit)
    result.batchTimeLimit = batchLimit > 0 ? batchLimit : nil
    number("start_limit", 0.01...86_400, into: &result.startLimit)
    choice("on_error", into: &result.onError)
    integer("workers", 1...1024, into: &result.workers)
    var batch = 0
    integer("batch", 1...65_536, into: &batch)
    result.batch = batch > 0 ? batch : nil
    if present("sandbox") != nil {
      var sandbox = Sandbox.none
      choice("sandbox", into: &sandbox)
      result.sandbox = sandbox
    }
    result.sandboxRead = paths("sandbox_read")
    bytes("memory_limit", into: &result.memoryLimit)
    bytes("file_limit", into: &result.fileLimit)
    integer("cpu_limit", 0...1_000_000_000, into: &result.cpuLimit)
    integer("process_limit", 1...60_000, into: &result.processLimit)
    integer("restart_limit", 1...1_000_000, into: &result.restartLimit)
    number("failure_limit", 0...1, into: &result.failureLimit)
    result.environment = environment()
    if let value = present("cache") {
      if let flag = value.bool {
        result.cache = flag
      } else {
        fault("cache", "is \(value.jsonText), expected true or false")
      }
    }
    result.python = text("python")
    return result
  }

  private mutating func reportUnknownKeys() {
    for key in object.keys where !RewardSpecification.keys.contains(key) {
      let hint =
        Spelling.nearest(to: key, among: RewardSpecification.keys).map { "did you mean \"\($0)\"?" }
        ?? "known: \(RewardSpecification.keys.joined(separator: ", ")); a reward's own settings "
        + "stand in \"parameters\""
      faults.append("\(place): unknown key \"\(key)\" (\(hint))")
    }
  }

  private mutating func fault(_ key: String, _ clause: String) {
    faults.append("\(place).\(key) \(clause)")
  }

  /// The value of a key, nil where it is absent or null.
  private func present(_ key: String) -> JSONValue? {
    guard let value = object[key], !value.isNull else { return nil }
    return value
  }

  private mutating func text(_ key: String) -> String? {
    guard let value = present(key) else { return nil }
    if value.string == nil { fault(key, "is \(value.jsonText), expected a text") }
    return value.string
  }

  private mutating func number(
    _ key: String, _ range: ClosedRange<Double>, into result: inout Double
  ) {
    guard let value = present(key) else { return }
    guard let number = value.double, range.contains(number) else {
      return fault(
        key,
        "is \(value.jsonText), expected a number from \(range.lowerBound) to \(range.upperBound)")
    }
    result = number
  }

  private mutating func integer(_ key: String, _ range: ClosedRange<Int>, into result: inout Int) {
    guard let value = present(key) else { return }
    guard let number = value.integer, range.contains(number) else {
      return fault(
        key,
        "is \(value.jsonText), expected a whole number from \(range.lowerBound) to "
          + "\(range.upperBound)")
    }
    result = number
  }

  private mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, into result: inout Choice
  ) where Choice.RawValue == String {
    guard let value = present(key) else { return }
    guard let choice = value.string.flatMap({ Choice(rawValue: $0) }) else {
      let known = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      return fault(key, "is \(value.jsonText), expected one of \(known)")
    }
    result = choice
  }

  /// A number of bytes, or a text such as "512 MiB" or "4GB".
  private mutating func bytes(_ key: String, into result: inout Int) {
    guard let value = present(key) else { return }
    let parsed = value.integer ?? value.string.flatMap(Self.bytes(of:))
    guard let parsed, parsed >= 0 else {
      return fault(key, "is \(value.jsonText), expected bytes, or a text such as \"512 MiB\"")
    }
    result = parsed
  }

  private static func bytes(of text: String) -> Int? {
    let units = [
      ("kib", 1024.0), ("mib", 1_048_576), ("gib", 1_073_741_824), ("kb", 1e3), ("mb", 1e6),
      ("gb", 1e9), ("b", 1),
    ]
    let lower = text.lowercased().filter { !$0.isWhitespace }
    for (suffix, factor) in units where lower.hasSuffix(suffix) {
      guard let number = Double(lower.dropLast(suffix.count)) else { return nil }
      return Int(exactly: (number * factor).rounded())
    }
    return Int(lower)
  }

  private mutating func columns() -> [String: String] {
    guard let value = present("columns") else { return [:] }
    guard let members = value.object, members.allSatisfy({ $0.value.string != nil }) else {
      fault(
        "columns",
        "is \(value.jsonText), expected an object such as {\"answer\": \"target\"} that "
          + "names the dataset's column for each of the reward's")
      return [:]
    }
    return members.dictionary.compactMapValues(\.string)
  }

  private mutating func paths(_ key: String) -> [String] {
    guard let value = present(key) else { return [] }
    let paths = value.array?.compactMap(\.string) ?? []
    guard paths.count == value.array?.count, paths.allSatisfy({ !$0.isEmpty }) else {
      fault(key, "is \(value.jsonText), expected a list of folders or files")
      return []
    }
    return paths
  }

  private mutating func environment() -> [String] {
    guard let value = present("environment") else { return [] }
    let names = value.array?.compactMap(\.string) ?? []
    guard names.count == value.array?.count, names.allSatisfy({ !$0.isEmpty && !$0.contains("=") })
    else {
      fault(
        "environment",
        "is \(value.jsonText), expected a list of variables' names (not their "
          + "values, which would end up in the log)")
      return []
    }
    return names
  }
}
