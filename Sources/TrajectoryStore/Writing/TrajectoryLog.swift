import Foundation
import Rollouts
import Synchronization

/// The log of a run, open for writing: the run's write-ahead log and its memory.
///
/// One process at a time has a log open for writing; the right to it ends with the process, however
/// it ends. Each `append` is one transaction, durable when it returns (`synchronous=FULL`), and
/// undone as a whole when it throws. Calls may come from any thread and are executed one after
/// another; a trainer runs them on a background thread and waits for them where it must.
public final class TrajectoryLog: Sendable {
  /// How much of the log is kept in memory at most: a writer appends, and needs little.
  public static let cacheBytes = 16 << 20

  private let writer: Mutex<LogWriter>

  /// The log's file.
  public let url: URL

  /// Makes a new log.
  ///
  /// A file that stopped before its first commit is taken over.
  /// - Throws: `StoreError` where a log is already there, or the folder can't be written.
  public init(creating url: URL) throws(StoreError) {
    self.url = url
    writer = Mutex(try LogWriter(path: url.path, creating: true))
  }

  /// Opens a log to continue its last run, migrating an older format after a backup.
  /// - Throws: `StoreError` where there is no log, a newer one, or another process writes it.
  public init(opening url: URL) throws(StoreError) {
    self.url = url
    writer = Mutex(try LogWriter(path: url.path, creating: false))
  }

  /// Starts a run, which the records that follow belong to; returns its id.
  @discardableResult
  public func begin(run: RunRecord) throws(StoreError) -> Int {
    try writer.withLock { (writer) throws(StoreError) in try writer.begin(run) }
  }

  /// Says how the run ended: `done`, `interrupted`, or why it failed.
  public func finish(outcome: String) throws(StoreError) {
    try writer.withLock { (writer) throws(StoreError) in try writer.finish(outcome) }
  }

  /// Commits a step's rollout in one transaction.
  /// - Throws: `StoreError` where the step is already there, or an array's length is not its tokens'.
  public func append(step: StepRecord) throws(StoreError) {
    try writer.withLock { (writer) throws(StoreError) in try writer.append(step) }
  }

  /// Commits what an update saw and did; the same update again replaces what was there.
  public func append(update: UpdateRecord) throws(StoreError) {
    try writer.withLock { (writer) throws(StoreError) in try writer.append(update) }
  }

  /// Commits an evaluation; the same one again replaces what was there.
  public func append(evaluation: EvaluationRecord) throws(StoreError) {
    try writer.withLock { (writer) throws(StoreError) in try writer.append(evaluation) }
  }

  /// Commits that a checkpoint is whole; the same path again replaces what was there.
  public func append(checkpoint: CheckpointRecord) throws(StoreError) {
    try writer.withLock { (writer) throws(StoreError) in try writer.append(checkpoint) }
  }

  /// Commits an event.
  public func append(event: EventRecord) throws(StoreError) {
    try writer.withLock { (writer) throws(StoreError) in try writer.append(event) }
  }

  /// Removes the run's steps after one, with all that belongs to them, evaluations and checkpoints too.
  public func removeSteps(after step: Int) throws(StoreError) {
    try writer.withLock { (writer) throws(StoreError) in try writer.removeSteps(after: step) }
  }
}

/// The one connection that writes a log, and the run it writes.
struct LogWriter {
  let connection: Connection
  private let lock: FolderLock
  var run: CurrentRun?

  /// The run that records belong to.
  struct CurrentRun {
    var id: Int64
    /// The rewards' rows and weights by name.
    var rewards: [String: (id: Int64, weight: Double)]
  }

  init(path: String, creating: Bool) throws(StoreError) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    lock = try FolderLock(folder: folder)
    if !creating, !FileManager.default.fileExists(atPath: path) {
      throw StoreError(.unreachable, "There is no log at \(path).")
    }
    connection = try Connection(path: path, mode: creating ? .create : .readWrite)
    let state = try LogFormat.state(of: connection)
    if creating {
      guard state == .empty else {
        throw StoreError(
          .refused, "There is already a log at \(path).",
          remedy: "Resume its run, or choose another run folder.")
      }
      try connection.execute("PRAGMA page_size = \(Self.pageSize)")
    } else {
      try LogFormat.check(state, path: path)
    }
    try Self.configure(connection)
    switch state {
    case .log(let version):
      try LogFormat.checkTables(of: connection)
      try LogFormat.migrate(connection, from: version)
    case .empty, .foreign: try LogFormat.create(in: connection)
    }
    run = try Self.lastRun(in: connection)
  }

  /// Bytes per page: a trajectory of 64 tokens with its arrays is about 1 kB, so that few pages are
  /// touched a completion and little is wasted at their ends.
  static let pageSize = 8192

  /// Pages of the journal before they are copied into the log, 32 MiB: pages that many steps touch
  /// (indexes, full-text segments) are then copied once for many of them.
  private static let checkpointPages = 4000

  static func configure(_ connection: Connection) throws(StoreError) {
    try connection.execute(
      """
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA foreign_keys = ON;
      PRAGMA cache_size = -\(TrajectoryLog.cacheBytes >> 10);
      PRAGMA wal_autocheckpoint = \(checkpointPages);
      PRAGMA journal_size_limit = 67108864;
      """)
  }

  private static func lastRun(in connection: Connection) throws(StoreError) -> CurrentRun? {
    guard let id = try connection.integer("SELECT max(id) FROM runs") else { return nil }
    var rewards: [String: (id: Int64, weight: Double)] = [:]
    let statement = try connection.prepare("SELECT name, id, weight FROM rewards WHERE run_id = ?")
    try statement.bind(id)
    while try statement.step() {
      rewards[statement.text(0)] = (Int64(statement.integer(1)), statement.real(2))
    }
    return CurrentRun(id: Int64(id), rewards: rewards)
  }

  func currentRun() throws(StoreError) -> CurrentRun {
    guard let run else {
      throw StoreError(.refused, "The log \(connection.path) has no run to write to.")
    }
    return run
  }

  /// One transaction, refused where the file is no longer where it was.
  func transaction(_ body: () throws(StoreError) -> Void) throws(StoreError) {
    try connection.checkPresence()
    try connection.transaction(body)
  }

  mutating func begin(_ record: RunRecord) throws(StoreError) -> Int {
    var id: Int64 = 0
    var rewards: [String: (id: Int64, weight: Double)] = [:]
    try transaction { () throws(StoreError) in
      try connection.prepared(
        """
        INSERT INTO runs (name, kind, seed, program_version, config, model, model_hash, dataset,
          dataset_hash, provenance, host, started_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \(Self.now))
        """
      ).run(
        record.name, record.kind, record.seed, record.programVersion,
        text(record.configuration), record.model, record.modelHash, record.dataset,
        record.datasetHash, text(record.provenance), text(record.host))
      id = connection.lastInsertedRow
      for (position, reward) in record.rewards.enumerated() {
        try connection.prepared(
          """
          INSERT INTO rewards (run_id, position, name, weight, kind, content_hash, deterministic,
            specification)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)
          """
        ).run(
          id, position, reward.name, reward.weight, reward.kind, reward.contentHash,
          reward.isDeterministic, reward.specification.jsonText)
        rewards[reward.name] = (connection.lastInsertedRow, reward.weight)
      }
    }
    run = CurrentRun(id: id, rewards: rewards)
    return Int(id)
  }

  func finish(_ outcome: String) throws(StoreError) {
    let run = try currentRun()
    try transaction { () throws(StoreError) in
      try connection.prepared(
        "UPDATE runs SET finished_at = \(Self.now), outcome = ? WHERE id = ?"
      ).run(outcome, run.id)
    }
  }

  /// The time as the log writes it.
  ///
  /// SQLite tells none after the year 9999: a clock that says so is taken at the last moment that can be
  /// written, rather than end the run.
  static let now = "coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '9999-12-31T23:59:59.999Z')"
}
