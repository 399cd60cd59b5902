/// Where a completion stands: its row in the log, and its key in the run.
public struct CompletionPlace: Sendable, Equatable {
  /// Its id in the log, as the reports print it.
  public var id: Int
  /// The step.
  public var step: Int
  /// The draw of its group in the step.
  public var draw: Int
  /// Its place in the group, from 0.
  public var sample: Int
}

extension TrajectoryReader {
  /// The place of a completion of a run by its id; nil where the run has none of that id.
  public func place(ofCompletion id: Int, run: Int? = nil) throws(StoreError) -> CompletionPlace? {
    try place("completions.id = :id", ["id": id], run: run)
  }

  /// The place of a completion of a run by its key; nil where there is none.
  public func place(
    step: Int, draw: Int, sample: Int, run: Int? = nil
  ) throws(StoreError) -> CompletionPlace? {
    try place(
      "step = :step AND draw = :draw AND sample = :sample",
      ["step": step, "draw": draw, "sample": sample], run: run)
  }

  private func place(
    _ condition: String, _ parameters: [String: Int], run: Int?
  ) throws(StoreError) -> CompletionPlace? {
    let statement = try connection.prepared(
      """
      SELECT completions.id, step, draw, sample FROM completions
      JOIN groups ON groups.id = group_id JOIN steps ON steps.id = completions.step_id
      WHERE steps.run_id = :run AND \(condition)
      """)
    var values = parameters.mapValues { QueryValue.integer(Int64($0)) }
    values["run"] = .integer(Int64(try self.run(run)))
    statement.bind(named: values)
    defer { statement.reset() }
    guard try statement.step() else { return nil }
    return CompletionPlace(
      id: statement.integer(0), step: statement.integer(1), draw: statement.integer(2),
      sample: statement.integer(3))
  }
}
