import Rollouts

/// Values of rows by the name of a column, which may stand in the row, in its `columns`, or, after a dot, in an object.
struct ColumnValues {
  let rows: [JSONObject]
  /// What errors call the rows.
  let source: String

  /// The value of a column; null where the row has none.
  func value(_ name: String, _ row: Int) -> JSONValue {
    let columns = rows[row]
    if let value = columns[name] ?? columns["columns"]?[name] { return value }
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return .null }
    return columns[parts[0]]?[parts[1]] ?? columns["columns"]?[parts[0]]?[parts[1]] ?? .null
  }

  /// Whether any row has the column.
  func has(_ name: String) -> Bool { rows.indices.contains { !value(name, $0).isNull } }

  /// The columns there are.
  var names: [String] {
    var names: [String] = []
    var seen: Set<String> = []
    for row in rows {
      for key in row.keys + (row["columns"]?.object?.keys ?? []) where seen.insert(key).inserted {
        names.append(key)
      }
    }
    return names
  }

  /// The columns, for a sentence.
  var list: String {
    let names = names
    return names.isEmpty
      ? "no columns"
      : names.prefix(12).map { "'\($0)'" }.joined(separator: ", ")
        + (names.count > 12 ? ", …" : "")
  }

  /// Refuses columns that no row has, naming the nearest.
  func require(_ wanted: [String], _ option: String) throws(UsageError) {
    let faults = wanted.filter { !has($0) }.map { name in
      "\(option): \(source) has no column '\(name)'; "
        + (Spelling.nearest(to: name, among: names).map { "did you mean '\($0)'?" }
          ?? "it has \(list)")
    }
    if !faults.isEmpty { throw UsageError(faults) }
  }

  /// The row's texts of some columns; nil where it lacks one.
  func texts(_ columns: [String], _ row: Int) -> [String]? {
    var texts: [String] = []
    for name in columns {
      let value = value(name, row)
      if value.isNull { return nil }
      texts.append(Self.text(value))
    }
    return texts
  }

  /// A value as people write it.
  static func text(_ value: JSONValue) -> String { value.string ?? value.jsonText }

  /// A number, or a truth value as 1 or 0; CSV writes both as text.
  static func number(_ value: JSONValue) -> Double? {
    if let truth = value.bool { return truth ? 1 : 0 }
    if let number = value.double { return number.isFinite ? number : nil }
    guard let text = value.string else { return nil }
    switch text.lowercased() {
    case "true", "yes": return 1
    case "false", "no": return 0
    default: return Double(text).flatMap { $0.isFinite ? $0 : nil }
    }
  }
}
