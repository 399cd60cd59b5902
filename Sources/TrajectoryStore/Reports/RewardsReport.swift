import Rollouts

extension Report {
  /// Each reward's mean, spread, correlation with the others and share of the advantage.
  static let rewards = Report(
    name: "rewards", arguments: "",
    summary: "each reward's mean, spread, correlations and share of the advantage",
    filters: .trajectories
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    let names = try request.session.select(
      "SELECT id, name, weight FROM rewards WHERE run_id = :run ORDER BY position",
      ["run": .integer(Int64(run))])
    var statistics = RewardStatistics()
    if request.filter.isByCompletion {
      try statistics.walk(request, run: run)
    } else {
      try statistics.read(request, run: run)
    }
    var page = ReportPage(title: try runTitle(request.session, run))
    page.sections.append(
      .table(key: "rewards", title: "Rewards", overview(names, statistics)))
    if names.count > 1 {
      page.sections.append(
        .table(key: "correlations", title: "Correlations", correlations(names, statistics)))
    }
    if let buckets = try StepBuckets(request, run: run), !request.filter.isByCompletion {
      page.sections.append(
        .table(key: "means", title: "Means over the steps", try means(names, buckets, request)))
    }
    if !request.filter.isByCompletion {
      let parts = try rewardParts(request, run: run)
      if !parts.rows.isEmpty {
        page.sections.append(
          .table(key: "parts", title: "Parts, means of the first and the last steps", parts))
      }
    }
    page.sections += remarks(names, statistics).map { .note($0) }
    return page
  }

  private static func overview(
    _ names: [[QueryValue]], _ statistics: RewardStatistics
  ) -> ReportTable {
    let rows = names.map { row -> [QueryValue] in
      let sums = statistics.rewards[Int64(row[0].integer ?? 0)] ?? RewardSums()
      let lost = sums.failed +| sums.unscorable
      let total = sums.scored +| lost
      return [
        row[1], row[2], .optional(sums.mean), .optional(sums.standardDeviation),
        .optional(sums.minimum), .optional(sums.maximum), .optional(sums.share),
        .integer(Int64(sums.scored)), .integer(Int64(sums.unscorable)),
        .integer(Int64(sums.failed)),
        .optional(total == 0 ? nil : Double(lost) / Double(total)),
      ]
    }
    return ReportTable(
      [
        ("reward", .plain), ("weight", .number), ("mean", .number), ("std", .number),
        ("min", .number), ("max", .number), ("share_of_advantage", .share), ("scored", .plain),
        ("unscorable", .plain), ("failed", .plain), ("lost", .share),
      ], rows: rows)
  }

  private static func correlations(
    _ names: [[QueryValue]], _ statistics: RewardStatistics
  ) -> ReportTable {
    let ids = names.map { Int64($0[0].integer ?? 0) }
    let rows = ids.enumerated().map { place, first -> [QueryValue] in
      [names[place][1]]
        + ids.map { second in
          first == second
            ? .real(1) : .optional(statistics.pair(first, second)?.correlation)
        }
    }
    return ReportTable(
      [("reward", .plain)] + names.map { ($0[1].plainText, .number) }, rows: rows)
  }

  private static func means(
    _ names: [[QueryValue]], _ buckets: StepBuckets, _ request: ReportRequest
  ) throws(StoreError) -> ReportTable {
    let conditions = request.filter.stepConditions(run: try request.runID())
    let rows = try request.session.select(
      """
      SELECT \(buckets.sql) AS bucket, reward_id, sum(sum) / sum(scored)
      FROM steps CROSS JOIN reward_summaries ON step_id = steps.id
      WHERE \(conditions.sql) GROUP BY bucket, reward_id
      """, conditions.parameters)
    var cells = (0..<buckets.count).map { bucket in
      [QueryValue.text(buckets.name(bucket))] + names.map { _ in .null }
    }
    for row in rows {
      guard let bucket = row[0].integer, cells.indices.contains(bucket),
        let place = names.firstIndex(where: { $0[0] == row[1] })
      else { continue }
      cells[bucket][place + 1] = row[2]
    }
    return ReportTable(
      [("steps", .plain)] + names.map { ($0[1].plainText, .number) }, rows: cells)
  }

  /// What a person should look at: a reward that dominates, does nothing, or works against another.
  private static func remarks(
    _ names: [[QueryValue]], _ statistics: RewardStatistics
  ) -> [String] {
    var remarks: [String] = []
    for (place, row) in names.enumerated() {
      let id = Int64(row[0].integer ?? 0)
      guard let sums = statistics.rewards[id] else { continue }
      let name = row[1].plainText
      if let share = sums.share, names.count > 1 {
        if share > 0.9 {
          remarks.append("\(name) dominates: \(percent(share)) of the advantage is its.")
        } else if share < -0.05 {
          remarks.append("\(name) works against the total: its share is \(percent(share)).")
        }
      }
      if sums.scored > 1, let deviation = sums.standardDeviation, deviation == 0 {
        remarks.append("\(name) never varies: it teaches nothing.")
      }
      for other in names[(place + 1)...] {
        if let correlation = statistics.pair(id, Int64(other[0].integer ?? 0))?.correlation,
          correlation < -0.3
        {
          remarks.append(
            "\(name) and \(other[1].plainText) pull apart (correlation "
              + "\((correlation * 100).rounded() / 100)): look at the best of each for gaming.")
        }
      }
    }
    return remarks
  }

  private static func percent(_ share: Double) -> String {
    "\(Int(clamping: (share * 100).rounded()))%"
  }
}

extension QueryValue {
  /// A number that may be missing.
  static func optional(_ value: Double?) -> QueryValue { value.map { .real($0) } ?? .null }
}

extension RewardSums {
  var mean: Double? { scored == 0 ? nil : sum / Double(scored) }

  /// Dividing by the number of scores.
  var standardDeviation: Double? {
    guard let mean else { return nil }
    let variance = sumOfSquares / Double(scored) - mean * mean
    // Below the rounding of the sums there is no spread.
    return variance > 1e-13 * sumOfSquares / Double(scored) ? variance.squareRoot() : 0
  }

  /// The part of the spread within groups that comes from this reward.
  var share: Double? { advantageTotal > 0 ? advantageShare / advantageTotal : nil }
}

/// The sums of a run's rewards, from what the writer summed or from the trajectories themselves.
struct RewardStatistics {
  var rewards: [Int64: RewardSums] = [:]
  var pairs: [RewardSummaries.Pair: RewardPairSums] = [:]

  func pair(_ first: Int64, _ second: Int64) -> RewardPairSums? {
    pairs[.init(first: min(first, second), second: max(first, second))]
  }

  /// Adds up the steps' sums.
  mutating func read(_ request: ReportRequest, run: Int) throws(StoreError) {
    let conditions = request.filter.stepConditions(run: run)
    for row in try request.session.select(
      """
      SELECT reward_id, sum(scored), sum(unscorable), sum(failed), sum(sum), sum(sum_squares),
        min(minimum), max(maximum), sum(advantage_share), sum(advantage_total)
      FROM steps CROSS JOIN reward_summaries ON step_id = steps.id
      WHERE \(conditions.sql) GROUP BY reward_id
      """, conditions.parameters)
    {
      let numbers = row.map { $0.double ?? 0 }
      var sums = RewardSums()
      (sums.scored, sums.unscorable, sums.failed) = (
        row[1].integer ?? 0, row[2].integer ?? 0, row[3].integer ?? 0
      )
      (sums.sum, sums.sumOfSquares) = (numbers[4], numbers[5])
      (sums.minimum, sums.maximum) = (row[6].double, row[7].double)
      (sums.advantageShare, sums.advantageTotal) = (numbers[8], numbers[9])
      rewards[Int64(row[0].integer ?? 0)] = sums
    }
    for row in try request.session.select(
      """
      SELECT first_reward_id, second_reward_id, sum(count), sum(first_sum), sum(second_sum),
        sum(first_sum_squares), sum(second_sum_squares), sum(sum_products)
      FROM steps CROSS JOIN reward_pairs ON step_id = steps.id
      WHERE \(conditions.sql) GROUP BY 1, 2
      """, conditions.parameters)
    {
      let numbers = row.map { $0.double ?? 0 }
      let pair = RewardSummaries.Pair(
        first: Int64(row[0].integer ?? 0), second: Int64(row[1].integer ?? 0))
      pairs[pair] = RewardPairSums(
        count: row[2].integer ?? 0, firstSum: numbers[3], secondSum: numbers[4],
        firstSumOfSquares: numbers[5], secondSumOfSquares: numbers[6], sumOfProducts: numbers[7])
    }
  }

  /// Adds up single trajectories; shares are taken within what the filter leaves of each group.
  mutating func walk(_ request: ReportRequest, run: Int) throws(StoreError) {
    let conditions = request.filter.conditions(run: run)
    let weights = try request.session.select(
      "SELECT id, weight FROM rewards WHERE run_id = :run", ["run": .integer(Int64(run))])
    var group = GroupSums(
      weights: Dictionary(
        weights.map { (Int64($0[0].integer ?? 0), $0[1].double ?? 0) }, uniquingKeysWith: { $1 }))
    var statistics = self
    try request.session.walk(
      """
      SELECT group_id, chosen.completion_id, chosen.reward, reward_id, status, value
      FROM (SELECT group_id, completion_id, reward FROM trajectories WHERE \(conditions.sql))
        AS chosen
      JOIN scores ON scores.completion_id = chosen.completion_id
      ORDER BY group_id, chosen.completion_id, reward_id
      """, conditions.parameters
    ) { statement in
      group.add(statement, to: &statistics)
    }
    group.finish(&statistics)
    self = statistics
  }

  /// What is being added up while rows come by completion and group.
  private struct GroupSums {
    var weights: [Int64: Double]
    private var group = -1
    private var completion = -1
    private var values: [(id: Int64, value: Double)] = []
    private var totals: [Int64: [(value: Double, total: Double)]] = [:]

    init(weights: [Int64: Double]) { self.weights = weights }

    mutating func add(_ row: Statement, to statistics: inout RewardStatistics) {
      if row.integer(1) != completion {
        finishCompletion(&statistics)
        completion = row.integer(1)
      }
      if row.integer(0) != group {
        finishGroup(&statistics)
        group = row.integer(0)
      }
      let id = Int64(row.integer(3))
      switch row.text(4) {
      case "scored":
        let value = row.realOrNaN(5)
        statistics.rewards[id, default: RewardSums()].add(.scored(.init(value)))
        values.append((id, value))
        if let total = row.optionalReal(2) { totals[id, default: []].append((value, total)) }
      case "unscorable":
        statistics.rewards[id, default: RewardSums()].unscorable += 1
      default: statistics.rewards[id, default: RewardSums()].failed += 1
      }
    }

    mutating func finish(_ statistics: inout RewardStatistics) {
      finishCompletion(&statistics)
      finishGroup(&statistics)
    }

    private mutating func finishCompletion(_ statistics: inout RewardStatistics) {
      for (place, first) in values.enumerated() {
        for second in values[(place + 1)...] {
          statistics.pairs[
            .init(first: first.id, second: second.id), default: RewardPairSums()
          ].add(first.value, second.value)
        }
      }
      values.removeAll(keepingCapacity: true)
    }

    private mutating func finishGroup(_ statistics: inout RewardStatistics) {
      for (id, pairs) in totals {
        statistics.rewards[id, default: RewardSums()].add(group: pairs, weight: weights[id] ?? 1)
      }
      totals.removeAll(keepingCapacity: true)
    }
  }
}
