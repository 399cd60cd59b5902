import CSQLite
import Foundation
import Rollouts

/// A run as a log has it.
public struct LoggedRun: Sendable, Equatable {
  /// Its id in the log.
  public var id: Int
  /// What the run is made of.
  public var record: RunRecord
  /// When it started: UTC, ISO 8601.
  public var startedAt: String
  /// When it ended; nil while it runs, or where it died.
  public var finishedAt: String?
  /// How it ended: `done`, `interrupted`, or why it failed.
  public var outcome: String?
}

/// Reads a log while it is written, or after; never changes it.
///
/// What it gives is what was written, bit for bit. Used by one thread at a time.
public final class TrajectoryReader {
  let connection: Connection

  /// Opens a log read-only.
  /// - Throws: `StoreError` where there is no log, or a newer one.
  public init(readOnly url: URL) throws(StoreError) {
    connection = try Self.connection(to: url.path)
  }

  /// Opens a log read-only, also in a folder that can't be written.
  static func connection(to path: String) throws(StoreError) -> Connection {
    guard FileManager.default.fileExists(atPath: path) else {
      throw StoreError(
        .unreachable, "There is no log at \(path).",
        remedy: "Name a run folder, or its trajectories.sqlite.")
    }
    do throws(StoreError) {
      let connection = try Connection(path: path, mode: .readOnly)
      try LogFormat.check(try LogFormat.state(of: connection), path: path)
      try LogFormat.checkTables(of: connection)
      return connection
    } catch  where error.code & 0xFF == SQLITE_CANTOPEN || error.code & 0xFF == SQLITE_READONLY {
      // SQLite wants to write its shared memory beside the log. Where the folder can't be written,
      // nobody else writes the log either, unless a journal says otherwise.
      let attributes = try? FileManager.default.attributesOfItem(atPath: path + "-wal")
      let journal = (attributes?[.size] as? NSNumber)?.intValue ?? 0
      guard journal == 0 else { throw error }
      let connection = try Connection(path: path, mode: .immutable)
      try LogFormat.check(try LogFormat.state(of: connection), path: path)
      try LogFormat.checkTables(of: connection)
      return connection
    }
  }

  /// All runs in the log, in the order of their start.
  public func runs() throws(StoreError) -> [LoggedRun] {
    let statement = try connection.prepare(
      """
      SELECT id, name, kind, seed, program_version, config, model, model_hash, dataset,
        dataset_hash, provenance, host, started_at, finished_at, outcome
      FROM runs ORDER BY id
      """)
    var runs: [LoggedRun] = []
    while try statement.step() {
      let id = statement.integer(0)
      let record = RunRecord(
        name: statement.text(1), kind: statement.text(2), seed: statement.integer(3),
        programVersion: statement.text(4), configuration: try object(statement, 5),
        model: statement.text(6), modelHash: statement.text(7), dataset: statement.text(8),
        datasetHash: statement.text(9), provenance: try object(statement, 10),
        rewards: try rewards(of: id), host: try object(statement, 11))
      runs.append(
        LoggedRun(
          id: id, record: record, startedAt: statement.text(12),
          finishedAt: statement.optionalText(13), outcome: statement.optionalText(14)))
    }
    return runs
  }

  private func rewards(of run: Int) throws(StoreError) -> [RewardRecord] {
    let statement = try connection.prepared(
      """
      SELECT name, weight, kind, content_hash, deterministic, specification
      FROM rewards WHERE run_id = ? ORDER BY position
      """)
    try statement.bind(run)
    var rewards: [RewardRecord] = []
    while try statement.step() {
      rewards.append(
        RewardRecord(
          name: statement.text(0), weight: statement.real(1), kind: statement.text(2),
          contentHash: statement.text(3), isDeterministic: statement.integer(4) != 0,
          specification: try json(statement, 5)))
    }
    return rewards
  }

  /// The steps of a run that are committed, in order; of the last run where none is named.
  public func steps(run: Int? = nil) throws(StoreError) -> [Int] {
    let statement = try connection.prepared("SELECT step FROM steps WHERE run_id = ? ORDER BY step")
    try statement.bind(try self.run(run))
    var steps: [Int] = []
    while try statement.step() { steps.append(statement.integer(0)) }
    return steps
  }

  /// How far the last run is: its last committed step, and whether it has ended.
  ///
  /// For those who follow a log that is written: a log whose run has not begun has no step yet.
  /// - Throws: `StoreError` where the file was deleted or moved meanwhile.
  public func progress() throws(StoreError) -> (lastStep: Int?, isOver: Bool) {
    try connection.checkPresence()
    let statement = try connection.prepared(
      """
      SELECT (SELECT max(step) FROM steps WHERE run_id = runs.id), outcome IS NOT NULL
      FROM runs ORDER BY id DESC LIMIT 1
      """)
    defer { statement.reset() }
    guard try statement.step() else { return (nil, false) }
    return (statement.optionalInteger(0), statement.integer(1) != 0)
  }

  /// The last step that is committed; nil before the first.
  public func lastCommittedStep(run: Int? = nil) throws(StoreError) -> Int? {
    let statement = try connection.prepared("SELECT max(step) FROM steps WHERE run_id = ?")
    try statement.bind(try self.run(run))
    let step = try statement.step() ? statement.optionalInteger(0) : nil
    statement.reset()
    return step
  }

  /// The updates behind the policy that sampled a step; nil where the step isn't committed.
  public func policyStep(ofStep step: Int, run: Int? = nil) throws(StoreError) -> Int? {
    try row(of: step, run: run)?.policyStep
  }

  /// Whether an update of a step is committed.
  public func hasUpdates(ofStep step: Int, run: Int? = nil) throws(StoreError) -> Bool {
    guard let row = try row(of: step, run: run) else { return false }
    let statement = try connection.prepared("SELECT 1 FROM updates WHERE step_id = ? LIMIT 1")
    try statement.bind(row.id)
    defer { statement.reset() }
    return try statement.step()
  }

  /// The columns that rewards can read: those of any problem of a run, sorted.
  public func columnNames(run: Int? = nil) throws(StoreError) -> [String] {
    let statement = try connection.prepared(
      """
      SELECT DISTINCT columns.key FROM problems, json_each(problems.columns) AS columns
      WHERE run_id = ? ORDER BY columns.key
      """)
    try statement.bind(try self.run(run))
    var names: [String] = []
    while try statement.step() { names.append(statement.text(0)) }
    return names
  }

  /// The run that is meant: the last one where none is named.
  func run(_ run: Int?) throws(StoreError) -> Int {
    if let run { return run }
    guard let last = try connection.integer("SELECT max(id) FROM runs") else {
      throw StoreError(.notALog, "The log \(connection.path) holds no run yet.")
    }
    return last
  }

  func json(_ statement: Statement, _ column: Int32) throws(StoreError) -> JSONValue {
    do throws(JSONError) { return try JSONValue.parse(statement.text(column)) } catch {
      throw damaged("JSON that can't be read (\(error))")
    }
  }

  func object(_ statement: Statement, _ column: Int32) throws(StoreError) -> JSONObject {
    guard let object = try json(statement, column).object else {
      throw damaged("JSON that is not an object")
    }
    return object
  }

  func damaged(_ what: String) -> StoreError {
    StoreError(
      .damaged, "The log \(connection.path) holds \(what).",
      remedy: "It was changed by another program; use a backup.")
  }
}
