/// Which trajectories a report is about; conditions combine.
public struct TrajectoryFilter: Sendable, Equatable {
  /// The first step, inclusive.
  public var firstStep: Int?
  /// The last step, inclusive.
  public var lastStep: Int?
  /// A condition on the reward.
  public var reward: RewardCondition?
  /// An SQL expression over the columns of the view `trajectories`.
  public var condition: String?
  /// The values of the parameters that condition and order name.
  public var parameters: [String: QueryValue] = [:]
  /// A full-text query (FTS5) on the completion or its prompt.
  public var match: String?
  /// SQL terms to order by.
  public var order: String?
  /// The most rows.
  public var limit: Int?

  /// Makes a filter that lets everything through.
  public init() {}

  /// Whether it says anything about single completions, beyond steps.
  public var isByCompletion: Bool { reward != nil || condition != nil || match != nil }

  /// Sets the condition to SQL that a person wrote.
  /// - Throws: `StoreError` of kind `query` where it reaches beyond itself, and so beyond the filters.
  public mutating func setCondition(_ sql: String) throws(StoreError) {
    condition = try Self.checked(sql, "condition")
  }

  /// Sets the order to SQL terms that a person wrote.
  /// - Throws: `StoreError` of kind `query` where they reach beyond themselves.
  public mutating func setOrder(_ sql: String) throws(StoreError) {
    // A comment at its end must not swallow what follows it.
    order = try Self.checked(sql, "order") + "\n"
  }

  private static func checked(_ sql: String, _ what: String) throws(StoreError) -> String {
    if let fault = SQLExpression.fault(in: sql) {
      throw StoreError(
        .query, "The \(what) '\(sql)' \(fault).", remedy: "Give one expression over trajectories.")
    }
    return sql
  }

  /// Reads a range of steps: `17`, `10..50`, `10..` or `..50`.
  /// - Throws: `StoreError` of kind `query`, naming the forms.
  public mutating func setSteps(_ text: String) throws(StoreError) {
    let wrong = StoreError(
      .query, "'\(text)' is no range of steps.", remedy: "Write 17, 10..50, 10.. or ..50.")
    guard let dots = text.firstRange(of: "..") else {
      guard let step = Int(text) else { throw wrong }
      (firstStep, lastStep) = (step, step)
      return
    }
    let (low, high) = (text[..<dots.lowerBound], text[dots.upperBound...])
    guard low.isEmpty || Int(low) != nil, high.isEmpty || Int(high) != nil,
      !(low.isEmpty && high.isEmpty)
    else { throw wrong }
    (firstStep, lastStep) = (Int(low), Int(high))
    if let firstStep, let lastStep, firstStep > lastStep {
      throw StoreError(.query, "The range of steps '\(text)' is empty: it ends before it begins.")
    }
  }
}

/// A condition on a completion's total reward.
public enum RewardCondition: Sendable, Equatable {
  case compared(String, Double)
  case within(Double, Double)
  case missing

  /// Reads `>0.5`, `<=0`, `=1`, `!=1`, `0.2..0.8`, a number, or `null` for those without a reward.
  /// - Throws: `StoreError` of kind `query`, naming the forms.
  public init(_ text: String) throws(StoreError) {
    let word = text.filter { !$0.isWhitespace }
    if word == "null" {
      self = .missing
      return
    }
    for sign in ["<=", ">=", "!=", "<", ">", "="] where word.hasPrefix(sign) {
      if let value = Double(word.dropFirst(sign.count)), value.isFinite {
        self = .compared(sign, value)
        return
      }
    }
    if let dots = word.firstRange(of: ".."), let low = Double(word[..<dots.lowerBound]),
      let high = Double(word[dots.upperBound...])
    {
      self = .within(low, high)
    } else if let value = Double(word), value.isFinite {
      self = .compared("=", value)
    } else {
      throw StoreError(
        .query, "'\(text)' is no condition on the reward.",
        remedy: "Write '>0.5', '<=0', '=1', '0.2..0.8' or null.")
    }
  }
}

/// SQL with the values of its parameters.
struct SQLFragment {
  var sql: String
  var parameters: [String: QueryValue] = [:]
}

extension TrajectoryFilter {
  /// The filter as a WHERE clause over the view `trajectories` of one run.
  ///
  /// - Parameter inOrderOfReward: Whether the rows come by the index of rewards. Where only the run
  ///   is given, which most rows of a log belong to, an index of the run's steps is of no use: the
  ///   unary plus keeps SQLite from it.
  func conditions(run: Int, inOrderOfReward: Bool = false) -> SQLFragment {
    let isWhole = firstStep == nil && lastStep == nil && match == nil
    var terms = [inOrderOfReward && isWhole ? "+run_id = :run" : "run_id = :run"]
    var parameters = self.parameters
    parameters["run"] = .integer(Int64(run))
    if let firstStep {
      terms.append("step >= :first_step")
      parameters["first_step"] = .integer(Int64(firstStep))
    }
    if let lastStep {
      terms.append("step <= :last_step")
      parameters["last_step"] = .integer(Int64(lastStep))
    }
    switch reward {
    case .compared(let sign, let value):
      terms.append("reward \(sign) :reward")
      parameters["reward"] = .real(value)
    case .within(let low, let high):
      terms.append("reward BETWEEN :reward_low AND :reward_high")
      parameters["reward_low"] = .real(low)
      parameters["reward_high"] = .real(high)
    case .missing: terms.append("reward IS NULL")
    case nil: break
    }
    if let match {
      terms.append(
        """
        (completion_id IN (SELECT rowid FROM completion_search(:match))
          OR problem_id IN (SELECT rowid FROM problem_search(:match)))
        """)
      parameters["match"] = .text(match)
    }
    if let condition { terms.append("(\(condition)\n)") }
    return SQLFragment(sql: terms.joined(separator: "\n  AND "), parameters: parameters)
  }

  /// The filter's steps as a condition on the table `steps`.
  func stepConditions(run: Int) -> SQLFragment {
    var terms = ["steps.run_id = :run"]
    var parameters = self.parameters
    parameters["run"] = .integer(Int64(run))
    if let firstStep {
      terms.append("steps.step >= :first_step")
      parameters["first_step"] = .integer(Int64(firstStep))
    }
    if let lastStep {
      terms.append("steps.step <= :last_step")
      parameters["last_step"] = .integer(Int64(lastStep))
    }
    return SQLFragment(sql: terms.joined(separator: " AND "), parameters: parameters)
  }
}
