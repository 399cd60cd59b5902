import CSQLite
import Rollouts

extension Report {
  /// How long completions are, and whether length pays.
  static let lengths = Report(
    name: "lengths", arguments: "", summary: "how long completions are, and whether length pays",
    filters: .trajectories
  ) { (request) throws(StoreError) in
    let run = try request.runID()
    guard let buckets = try StepBuckets(request, run: run) else {
      return ReportPage(
        title: try runTitle(request.session, run), sections: [.note("No steps yet.")])
    }
    var all = LengthSums()
    var byBucket = [LengthSums](repeating: LengthSums(), count: buckets.count)
    let byCompletion = request.filter.isByCompletion
    let conditions =
      byCompletion
      ? request.filter.conditions(run: run) : request.filter.stepConditions(run: run)
    try request.session.walk(
      byCompletion
        ? "SELECT step, length, finish, reward FROM trajectories WHERE \(conditions.sql)"
        : """
        SELECT steps.step, length, finish, reward
        FROM steps CROSS JOIN completions ON step_id = steps.id WHERE \(conditions.sql)
        """, conditions.parameters
    ) { statement in
      let length = statement.integer(1)
      let isTruncated = statement.integerOfFirstByte(2) == UInt8(ascii: "l")
      let reward = statement.optionalReal(3)
      all.add(length, isTruncated, reward)
      byBucket[buckets.index(of: statement.integer(0))].add(length, isTruncated, reward)
    }
    let columns: [(String, ReportTable.Format)] = [
      ("steps", .plain), ("completions", .plain), ("mean", .number), ("p10", .plain),
      ("median", .plain), ("p90", .plain), ("max", .plain), ("truncated", .share),
      ("correlation_with_reward", .number),
    ]
    var rows = byBucket.enumerated().map { $1.row(buckets.name($0)) }
    rows.append(all.row("all"))
    return ReportPage(
      title: try runTitle(request.session, run),
      sections: [
        .table(key: "lengths", title: "Tokens per completion", ReportTable(columns, rows: rows)),
        .note(
          "A correlation far from 0 says that the reward pays for length, or for brevity."),
      ])
  }
}

extension Statement {
  /// The first byte of a text, 0 where there is none: quicker than the text.
  func integerOfFirstByte(_ column: Int32) -> UInt8 {
    guard let bytes = sqlite3_column_text(handle, column) else { return 0 }
    return bytes[0]
  }
}

/// The distribution of lengths, and what they have to do with the reward.
private struct LengthSums {
  private var counts: [Int] = []
  private var total = 0
  private var truncated = 0
  private var withReward = RewardPairSums()
  private var sum = 0

  /// Longer completions are counted as this long in the quantiles, which bounds memory.
  private static let longest = 1 << 17

  mutating func add(_ length: Int, _ isTruncated: Bool, _ reward: Double?) {
    let place = min(max(length, 0), Self.longest)
    if place >= counts.count {
      counts.append(contentsOf: repeatElement(0, count: place + 1 - counts.count))
    }
    counts[place] += 1
    total += 1
    sum = sum +| length
    if isTruncated { truncated += 1 }
    if let reward { withReward.add(Double(length), reward) }
  }

  /// The least length that a share of the completions doesn't exceed.
  private func quantile(_ share: Double) -> QueryValue {
    guard total > 0 else { return .null }
    var seen = 0
    for (length, count) in counts.enumerated() {
      seen += count
      if Double(seen) >= share * Double(total) { return .integer(Int64(length)) }
    }
    return .integer(Int64(counts.count - 1))
  }

  func row(_ name: String) -> [QueryValue] {
    [
      .text(name), .integer(Int64(total)),
      .optional(total == 0 ? nil : Double(sum) / Double(total)), quantile(0.1), quantile(0.5),
      quantile(0.9), quantile(1),
      .optional(total == 0 ? nil : Double(truncated) / Double(total)),
      .optional(withReward.correlation),
    ]
  }
}
