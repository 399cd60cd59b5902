import Rollouts

extension QuerySession {
  /// Rows of a query of ours; parameters that it doesn't name are left out.
  func select(
    _ sql: String, _ parameters: [String: QueryValue] = [:]
  ) throws(StoreError) -> [[QueryValue]] {
    var rows: [[QueryValue]] = []
    try walk(sql, parameters) { statement in
      rows.append((0..<statement.columnCount).map { statement.value($0) })
    }
    return rows
  }

  /// Calls a body with each row of a query of ours.
  func walk(
    _ sql: String, _ parameters: [String: QueryValue] = [:], _ body: (Statement) -> Void
  ) throws(StoreError) {
    let statement = try connection.prepare(sql)
    let missing = statement.bind(named: parameters)
    guard missing.isEmpty else {
      throw StoreError(
        .query, "The filters have no value for \(missing.joined(separator: ", ")).",
        remedy: "Give it with --param name=value.")
    }
    while try statement.step() { body(statement) }
  }

  /// The run that a request means: by id, or the last one.
  func runID(_ run: Int?) throws(StoreError) -> Int {
    let last = try connection.integer("SELECT max(id) FROM runs")
    guard let id = run ?? last else {
      throw StoreError(.query, "The log \(path) holds no run yet.")
    }
    guard try connection.integer("SELECT id FROM runs WHERE id = \(id)") != nil else {
      throw StoreError(
        .query, "The log \(path) has no run \(id).",
        remedy: "Its runs: SELECT id, name FROM runs.")
    }
    return id
  }
}

extension ReportRequest {
  /// The id of the run that is meant.
  func runID() throws(StoreError) -> Int { try session.runID(run) }

  /// An argument that must be a whole number.
  func integerArgument(_ index: Int, _ name: String) throws(StoreError) -> Int {
    guard index < arguments.count else {
      throw StoreError(.query, "The report needs \(name).")
    }
    guard let value = Int(arguments[index]) else {
      throw StoreError(.query, "'\(arguments[index])' is no \(name): a whole number is.")
    }
    return value
  }

  /// The reward from which a completion counts as solved.
  ///
  /// Where none is given: the highest of the run, less a thousandth of its size for rounding.
  func solvedThreshold(run: Int) throws(StoreError) -> Double? {
    if let solvedAt { return solvedAt }
    let best = try session.select(
      "SELECT max(reward_max) FROM steps WHERE run_id = :run", ["run": .integer(Int64(run))])
    guard let best = best.first?.first?.double else { return nil }
    return best - best.magnitude / 1000
  }

  /// The rows that a list shows where the request doesn't say.
  var limit: Int { filter.limit ?? 20 }
}

extension ReportSection.Fact {
  init(_ name: String, _ value: QueryValue, _ format: ReportTable.Format = .plain) {
    self.init(name: name, value: value, format: format)
  }

  init(_ name: String, _ value: Double?, _ format: ReportTable.Format = .number) {
    self.init(name: name, value: value.map { .real($0) } ?? .null, format: format)
  }
}
