import Foundation
import Rollouts

/// Takes the rows of some problems, and so of the people in them, out of a log and its folder.
///
/// Gone are the problems, their groups, completions, tokens, scores and what updates saw of them, evaluations' rows of
/// the same prompt, events that quote them, and the log's backups; the full-text indexes are built anew, pages are
/// overwritten, the file is vacuumed and the journal emptied. Then every file of the folder is searched for the bytes.
///
/// What it costs: steps that lost groups can't be redone, replayed or trained from; their summaries stay, being numbers
/// over all of the step's completions. Weights that learned from the rows are not unlearned.
public struct LogForget: Sendable {
  /// Which problems are meant.
  public enum Selection: Sendable, Equatable {
    /// Rows of the data set, counted from 0.
    case rows(Set<Int>)
    /// Problems whose column has a value.
    case column(String, String)
  }

  /// Which problems.
  public var selection: Selection
  /// Files outside of the folder that are cleaned too: exports in JSON lines.
  public var exports: [URL]

  /// An order to forget.
  public init(_ selection: Selection, exports: [URL] = []) {
    (self.selection, self.exports) = (selection, exports)
  }

  /// What an order comes to.
  public struct Outcome: Sendable, Equatable {
    /// Problems that go.
    public var problems = 0
    /// Completions that go.
    public var completions = 0
    /// Rows of evaluations that go.
    public var evaluationRows = 0
    /// The steps that lose groups, ascending.
    public var steps: [Int] = []
    /// Lines that were taken out of each file, by its path.
    public var lines: [String: Int] = [:]
    /// Files in which the bytes still stand, though no other row says the same.
    public var remaining: [String] = []
    /// How many texts and arrays were searched for.
    public var searched = 0
  }

  /// What would go.
  /// - Throws: `StoreError` where the log can't be read, or no problem is meant.
  public func extent(of location: LogLocation) throws(StoreError) -> Outcome {
    let connection = try TrajectoryReader.connection(to: location.log.path)
    return try extent(of: try rows(in: connection), in: connection)
  }

  /// Forgets, and searches for what is left.
  /// - Throws: `StoreError` where another process writes the log, or no problem is meant.
  public func apply(to location: LogLocation) throws(StoreError) -> Outcome {
    let writer = try LogWriter(path: location.log.path, creating: false)
    let connection = writer.connection
    let rows = try rows(in: connection)
    var outcome = try extent(of: rows, in: connection)
    let traces = try ForgottenTraces(of: rows, in: connection)
    outcome.searched = traces.count
    try connection.execute("PRAGMA secure_delete = ON")
    try writer.transaction { () throws(StoreError) in
      try delete(rows, traces, in: connection)
    }
    try writer.append(
      EventRecord(
        kind: "forget",
        message: "Forgot \(outcome.problems) problems with \(outcome.completions) completions; "
          + "\(outcome.steps.count) steps can't be redone, replayed or trained from."))
    try connection.execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
    for backup in Self.backups(of: location) { try? FileManager.default.removeItem(at: backup) }
    try traces.clean(location, exports: exports, into: &outcome, in: connection)
    return outcome
  }

  /// The problems that are meant, and evaluations' rows that say the same.
  private func rows(in connection: Connection) throws(StoreError) -> ForgottenRows {
    var rows = ForgottenRows()
    let problems = try connection.prepare("SELECT id, problem_index, prompt, columns FROM problems")
    var prompts: Set<String> = []
    while try problems.step() {
      guard isMeant(index: problems.integer(1), columns: problems.text(3)) else { continue }
      rows.problems.append(problems.integer(0))
      prompts.insert(problems.text(2))
    }
    let hasColumns = try connection.column("columns", since: 2)
    let evaluated = try connection.prepare(
      "SELECT evaluation_id, problem_index, sample, prompt, \(hasColumns) FROM evaluation_completions"
    )
    while try evaluated.step() {
      let columns = evaluated.optionalText(4) ?? "{}"
      // Rows of another data set have other numbers: only a column or the prompt tells.
      let isNamed =
        if case .column = selection { isMeant(index: -1, columns: columns) } else { false }
      guard isNamed || prompts.contains(evaluated.text(3)) else { continue }
      rows.evaluated.append(
        (evaluated.integer(0), evaluated.integer(1), evaluated.integer(2)))
    }
    guard !rows.problems.isEmpty || !rows.evaluated.isEmpty else { throw nothingMeant(connection) }
    return rows
  }

  private func isMeant(index: Int, columns: String) -> Bool {
    switch selection {
    case .rows(let indices): return indices.contains(index)
    case .column(let name, let value):
      guard let found = (try? JSONValue.parse(columns))?[name] else { return false }
      return (found.string ?? found.jsonText) == value
    }
  }

  private func nothingMeant(_ connection: Connection) -> StoreError {
    switch selection {
    case .rows(let indices):
      let list = indices.sorted().map(String.init).joined(separator: ", ")
      return StoreError(
        .refused, "The log \(connection.path) has no problem of row \(list).",
        remedy: "Rows are counted from 0; 'grpo query RUN hard' lists them.")
    case .column(let name, let value):
      return StoreError(
        .refused, "No problem of the log \(connection.path) has '\(value)' in its column '\(name)'."
      )
    }
  }

  private func extent(
    of rows: ForgottenRows, in connection: Connection
  ) throws(StoreError) -> Outcome {
    var outcome = Outcome()
    outcome.problems = rows.problems.count
    outcome.evaluationRows = rows.evaluated.count
    var steps: Set<Int> = []
    let statement = try connection.prepare(
      """
      SELECT step, groups.size FROM groups JOIN steps ON steps.id = step_id WHERE problem_id = ?
      """)
    for problem in rows.problems {
      try statement.bind(problem)
      while try statement.step() {
        steps.insert(statement.integer(0))
        outcome.completions +|= statement.integer(1)
      }
    }
    outcome.steps = steps.sorted()
    return outcome
  }

  private func delete(
    _ rows: ForgottenRows, _ traces: ForgottenTraces, in connection: Connection
  ) throws(StoreError) {
    let groups = try connection.prepare("DELETE FROM groups WHERE problem_id = ?")
    let problems = try connection.prepare("DELETE FROM problems WHERE id = ?")
    for problem in rows.problems {
      try groups.run(problem)
      try problems.run(problem)
    }
    let evaluated = try connection.prepare(
      "DELETE FROM evaluation_completions WHERE evaluation_id = ? AND problem_index = ? AND sample = ?"
    )
    for row in rows.evaluated { try evaluated.run(row.evaluation, row.problem, row.sample) }
    let events = try connection.prepare(
      "DELETE FROM events WHERE instr(message, ?1) OR instr(detail, ?1)")
    for text in traces.texts { try events.run(text) }
    // An index without a copy of its text keeps what was deleted until its segments are merged.
    try connection.execute(
      """
      INSERT INTO completion_search (completion_search) VALUES ('rebuild');
      INSERT INTO problem_search (problem_search) VALUES ('rebuild');
      """)
  }

  private static func backups(of location: LogLocation) -> [URL] {
    let name = location.log.lastPathComponent
    let all =
      (try? FileManager.default.contentsOfDirectory(atPath: location.folder.path)) ?? []
    return all.filter { $0.hasPrefix(name + ".format-") }
      .map { location.folder.appendingPathComponent($0) }
  }
}

/// The rows that go.
struct ForgottenRows {
  var problems: [Int] = []
  var evaluated: [(evaluation: Int, problem: Int, sample: Int)] = []
}
