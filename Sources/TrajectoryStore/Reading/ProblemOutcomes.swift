/// How the completions of a problem fared in some steps of a run.
public struct ProblemOutcome: Sendable, Hashable {
  /// The row in the dataset.
  public var problem: Int
  /// Its completions that have a reward.
  public var scored: Int
  /// Of them, those whose reward reaches what counts as solved.
  public var solved: Int
}

extension TrajectoryReader {
  /// How many completions of committed steps stand in groups that were kept.
  public func keptCompletions(
    ofSteps steps: ClosedRange<Int>, run: Int? = nil
  ) throws(StoreError) -> Int {
    let statement = try connection.prepared(
      "SELECT sum(completions) FROM steps WHERE run_id = ? AND step BETWEEN ? AND ?")
    try statement.bind(try self.run(run), steps.lowerBound, steps.upperBound)
    let count = try statement.step() ? statement.optionalInteger(0) ?? 0 : 0
    statement.reset()
    return count
  }

  /// The problems of committed steps, dropped groups included, in the order of their rows.
  /// - Parameters:
  ///   - steps: The steps that are looked at.
  ///   - reward: The least reward of a solved problem; rewards short of it by rounding count.
  /// - Complexity: that of reading the rewards of those steps.
  public func problemOutcomes(
    ofSteps steps: ClosedRange<Int>, solvedAt reward: Double, run: Int? = nil
  ) throws(StoreError) -> [ProblemOutcome] {
    let statement = try connection.prepared(
      """
      SELECT problem_index, count(completions.reward),
        count(*) FILTER (WHERE completions.reward >= ?)
      FROM steps JOIN groups ON groups.step_id = steps.id
        JOIN problems ON problems.id = problem_id
        JOIN completions ON completions.group_id = groups.id
      WHERE steps.run_id = ? AND step BETWEEN ? AND ?
      GROUP BY problem_index ORDER BY problem_index
      """)
    try statement.bind(
      reward - 1e-9 * max(1, reward.magnitude), try self.run(run), steps.lowerBound,
      steps.upperBound)
    var outcomes: [ProblemOutcome] = []
    while try statement.step() {
      outcomes.append(
        ProblemOutcome(
          problem: statement.integer(0), scored: statement.integer(1),
          solved: statement.integer(2)))
    }
    return outcomes
  }
}
