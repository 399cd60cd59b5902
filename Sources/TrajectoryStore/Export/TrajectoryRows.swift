import Foundation

/// A run's trajectories as rows: those of the view `trajectories`, as this program defines it.
public struct TrajectoryRows {
  private let session: QuerySession

  /// Opens a log.
  public init(readOnly url: URL) throws(StoreError) { session = try QuerySession(readOnly: url) }

  /// Hands over the names of the columns, then the rows of a range of steps; false ends the walk.
  ///
  /// The definition is the program's and not the file's, where another program may have put one that never ends.
  /// - Parameters:
  ///   - run: The run; the last one where none is named.
  ///   - isInterrupted: Asked now and then; true ends the walk.
  public func write(
    from first: Int? = nil, through last: Int? = nil, run: Int? = nil,
    isInterrupted: @escaping () -> Bool = { false },
    columns: ([String]) -> Void, row: ([QueryValue]) -> Bool
  ) throws(StoreError) {
    try session.run(
      """
      WITH trajectories AS (\(LogFormat.selection(ofView: "trajectories")))
      SELECT * FROM trajectories WHERE step BETWEEN :first AND :last
        AND run_id = coalesce(:run, (SELECT max(id) FROM runs)) ORDER BY completion_id
      """,
      parameters: [
        "first": .integer(Int64(first ?? .min)), "last": .integer(Int64(last ?? .max)),
        "run": run.map { .integer(Int64($0)) } ?? .null,
      ],
      isInterrupted: isInterrupted, columns: columns, row: row)
  }
}
