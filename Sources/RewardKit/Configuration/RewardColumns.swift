import Rollouts

/// Gives a dataset's columns the names that a reward reads them by.
struct RewardColumns: Sendable {
  /// For each of the reward's columns, in alphabetical order, the path in the row.
  private let renamed: [(name: String, path: String)]

  init(_ columns: [String: String]) {
    renamed = columns.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// The row as the reward sees it: every column, the renamed ones under their new names as well.
  /// - Parameter reads: the columns that the reward wants; nil for all.
  func apply(to row: JSONObject, reading reads: Set<String>?) -> JSONObject {
    guard !renamed.isEmpty || reads != nil else { return row }
    var result = row
    for (name, path) in renamed {
      if let value = Self.value(at: path, of: row) { result[name] = value }
    }
    guard let reads else { return result }
    return JSONObject(result.filter { reads.contains($0.key) }.map { ($0.key, $0.value) })
  }

  /// The value of a column, or of a member of an object in it: `reward_model.ground_truth`.
  static func value(at path: String, of row: JSONObject) -> JSONValue? {
    if let value = row[path] { return value }
    var value: JSONValue? = .object(row)
    for component in path.split(separator: ".") { value = value?[String(component)] }
    return value
  }

  /// What is wrong with a mapping for data with these columns.
  static func faults(
    of specification: RewardSpecification, needing needed: [String], columns: [String],
    data: String, reward name: String
  ) -> [String] {
    let list = columns.isEmpty ? "it has none" : "it has \(columns.joined(separator: ", "))"
    var faults: [String] = []
    for (own, path) in specification.columns.sorted(by: { $0.key < $1.key }) {
      let first = path.split(separator: ".").first.map(String.init) ?? ""
      guard !columns.contains(path), !columns.contains(first) else { continue }
      let hint =
        Spelling.nearest(to: path, among: columns).map { "did you mean \"\($0)\"?" } ?? list
      faults.append(
        "reward \"\(name)\": columns.\(own) names the column \"\(path)\", which \(data) lacks "
          + "(\(hint))")
    }
    for own in needed where !columns.contains(own) && specification.columns[own] == nil {
      faults.append(
        "reward \"\(name)\" reads the column \"\(own)\", which \(data) lacks (\(list)): name "
          + "the data's own with columns: {\(own): \"…\"}")
    }
    return faults
  }
}
