import Foundation
import Rollouts

/// Drops old arrays of a log by a rule, to save space; what a person filters by stays.
///
/// Dropped are log-probabilities, entropies, kept sets and what updates saw token by token. Token
/// ids, texts, rewards, advantages and all summaries stay. Steps whose arrays are gone can't be
/// trained from again bit for bit.
public struct LogPrune: Sendable, Equatable {
  /// The arrays of steps from this one on stay.
  public var before: Int
  /// Of the steps before, the arrays of every so manieth stay; 0 for none.
  public var keepingEvery: Int

  /// Makes a rule.
  public init(before: Int, keepingEvery: Int = 0) {
    self.before = before
    self.keepingEvery = max(0, keepingEvery)
  }

  /// What a rule comes to on a log.
  public struct Extent: Sendable, Equatable {
    /// The steps whose arrays are dropped.
    public var steps: Int
    /// The completions of those steps.
    public var completions: Int
    /// The bytes of their arrays.
    public var bytes: Int
  }

  private var condition: String {
    "steps.step < \(before)"
      + (keepingEvery > 0 ? " AND steps.step % \(keepingEvery) <> 0" : "")
      + " AND completion_tokens.sampler_logprobs IS NOT NULL"
  }

  private static let source = """
    FROM steps JOIN completions ON completions.step_id = steps.id
    JOIN completion_tokens ON completion_tokens.completion_id = completions.id
    """

  /// What the rule would drop.
  public func extent(of url: URL) throws(StoreError) -> Extent {
    try extent(in: try TrajectoryReader.connection(to: url.path))
  }

  private func extent(in connection: Connection) throws(StoreError) -> Extent {
    func length(_ names: [String]) -> String {
      names.map { "coalesce(length(\($0)), 0)" }.joined(separator: " + ")
    }
    let statement = try connection.prepare(
      """
      SELECT count(DISTINCT steps.id), count(*), total(
        \(length(["sampler_logprobs", "reference_logprobs", "entropies", "kept_sets"]))
        + coalesce((SELECT sum(\(length(["trainer_logprobs", "ratios", "clips"])))
            FROM completion_updates AS u WHERE u.completion_id = completions.id), 0))
      \(Self.source) WHERE \(condition)
      """)
    guard try statement.step() else { return Extent(steps: 0, completions: 0, bytes: 0) }
    return Extent(
      steps: statement.integer(0), completions: statement.integer(1),
      bytes: Int(clamping: statement.real(2)))
  }

  /// Drops, notes it among the log's events, and makes the file smaller.
  /// - Throws: `StoreError` where another process writes the log.
  public func apply(to url: URL) throws(StoreError) -> Extent {
    let writer = try LogWriter(path: url.path, creating: false)
    let connection = writer.connection
    let extent = try extent(in: connection)
    guard extent.completions > 0 else { return extent }
    try writer.transaction { () throws(StoreError) in
      try connection.execute(
        """
        CREATE TEMP TABLE pruned AS SELECT completions.id \(Self.source) WHERE \(condition);
        UPDATE completion_updates SET trainer_logprobs = NULL, ratios = NULL, clips = NULL, arrays = 0
          WHERE completion_id IN (SELECT id FROM pruned);
        UPDATE completion_tokens SET sampler_logprobs = NULL, reference_logprobs = NULL,
          entropies = NULL, kept_sets = NULL WHERE completion_id IN (SELECT id FROM pruned);
        DROP TABLE pruned;
        """)
    }
    let rule =
      "before step \(before)" + (keepingEvery > 0 ? ", keeping every \(keepingEvery)th" : "")
    try writer.append(
      EventRecord(
        kind: "prune",
        message: "Dropped the arrays of \(extent.completions) completions \(rule)."))
    try connection.execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
    return extent
  }
}
