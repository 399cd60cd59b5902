import Rollouts

/// Reads the members of a case, naming the place of each fault.
struct CaseReader {
  private let object: JSONObject

  init(_ object: JSONObject) { self.object = object }

  func integer(_ key: String) throws(CaseError) -> Int? {
    guard let value = object[key], !value.isNull else { return nil }
    guard let integer = value.integer else { throw CaseError("\(key) is no integer") }
    return integer
  }

  /// A table of numbers, one row per completion; nil where absent.
  func rows(_ key: String, lengths: [Int]? = nil) throws(CaseError) -> [[Double]]? {
    guard let value = object[key], !value.isNull else { return nil }
    guard let rows = value.array else { throw CaseError("\(key) is not a list of rows") }
    if let lengths, rows.count != lengths.count {
      throw CaseError("\(key) has \(rows.count) rows where policy_logps has \(lengths.count)")
    }
    var table: [[Double]] = []
    for (index, row) in rows.enumerated() {
      guard let values = row.array else { throw CaseError("row \(index) of \(key) is not a list") }
      if let lengths, values.count != lengths[index] {
        throw CaseError(
          "row \(index) of \(key) has \(values.count) numbers where policy_logps has \(lengths[index])"
        )
      }
      var numbers: [Double] = []
      for (token, value) in values.enumerated() {
        guard let number = value.double else {
          throw CaseError("\(key)[\(index)][\(token)] is not a number")
        }
        numbers.append(number)
      }
      table.append(numbers)
    }
    return table
  }

  func masks(lengths: [Int]) throws(CaseError) -> [[Bool]]? {
    guard let value = object["mask"], !value.isNull else { return nil }
    guard let rows = value.array, rows.count == lengths.count else {
      throw CaseError("mask needs one row for each of the \(lengths.count) completions")
    }
    var masks: [[Bool]] = []
    for (index, row) in rows.enumerated() {
      let flags = (row.array ?? []).compactMap(Self.flag)
      guard flags.count == lengths[index] else {
        throw CaseError("row \(index) of mask needs \(lengths[index]) entries of 0 or 1")
      }
      masks.append(flags)
    }
    return masks
  }

  func flags(_ key: String, count: Int) throws(CaseError) -> [Bool]? {
    guard let value = object[key], !value.isNull else { return nil }
    let flags = (value.array ?? []).compactMap(Self.flag)
    guard flags.count == count else {
      throw CaseError("\(key) needs true or false for each of the \(count) completions")
    }
    return flags
  }

  func rewards(count: Int) throws(CaseError) -> (names: [String], columns: [[Double?]]) {
    switch object["rewards"] {
    case .array(let values)?:
      return (["reward_0"], [try column(values, name: "rewards", count: count)])
    case .object(let functions)?:
      guard !functions.isEmpty else { throw CaseError("rewards names no reward") }
      var columns: [[Double?]] = []
      for (name, value) in functions {
        guard let values = value.array else { throw CaseError("reward \(name) is not a list") }
        columns.append(try column(values, name: "reward \(name)", count: count))
      }
      return (functions.keys, columns)
    default: throw CaseError("the case has no rewards: a list, or an object of lists")
    }
  }

  private func column(
    _ values: [JSONValue], name: String, count: Int
  ) throws(CaseError) -> [Double?] {
    guard values.count == count else {
      throw CaseError("\(name) has \(values.count) entries for \(count) completions")
    }
    var column: [Double?] = []
    for (index, value) in values.enumerated() {
      guard value.isNull || value.double != nil else {
        throw CaseError("\(name)[\(index)] is neither a number nor null")
      }
      column.append(value.double)
    }
    return column
  }

  func steps(names: [String], lengths: [Int]) throws(CaseError) -> [[[StepReward]]] {
    guard let value = object["steps"], !value.isNull else { return [] }
    var result: [[[StepReward]]] = []
    for name in names {
      let lists: JSONValue? = value.array == nil ? value[name] : value
      guard let lists, !lists.isNull else {
        result.append(Array(repeating: [], count: lengths.count))
        continue
      }
      guard let rows = lists.array, rows.count == lengths.count else {
        throw CaseError("steps of \(name) need one list for each of \(lengths.count) completions")
      }
      var completions: [[StepReward]] = []
      for (index, row) in rows.enumerated() {
        var steps: [StepReward] = []
        for step in row.array ?? [] {
          guard let end = step["end"]?.integer, let score = step["score"]?.double else {
            throw CaseError("a step of completion \(index) lacks its integer end or its score")
          }
          steps.append(StepReward(end: end, reward: score))
        }
        completions.append(steps)
      }
      result.append(completions)
    }
    return result
  }

  func configs() throws(CaseError) -> [JSONObject]? {
    guard let value = object["configs"], !value.isNull else { return nil }
    guard let list = value.array else { throw CaseError("configs is not a list") }
    var configs: [JSONObject] = []
    for (index, entry) in list.enumerated() {
      guard let config = entry.object else { throw CaseError("configs[\(index)] is not an object") }
      configs.append(config)
    }
    return configs
  }

  private static func flag(_ value: JSONValue) -> Bool? {
    if let bool = value.bool { return bool }
    return value.double.flatMap { $0 == 0 ? false : $0 == 1 ? true : nil }
  }
}
