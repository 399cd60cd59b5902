import Rollouts

/// The charts of a run, those that matter most first.
extension PageData {
  func charts() throws(StoreError) -> [JSONValue] {
    var metrics = try metricCurves()
    let charts =
      try rewardCharts() + evaluationCharts() + stepCharts() + Self.mainCharts(&metrics)
      + Self.otherCharts(metrics)
    return charts.compactMap { $0.shown?.json }
  }

  // MARK: Exact summaries of the steps' trajectories

  private func rewardCharts() throws(StoreError) -> [PageChart] {
    let total = try stepCurves([
      ("mean", "reward_mean"), ("standard deviation", Report.rewardDeviation),
    ])
    var charts = [PageChart(title: "reward", unit: "reward", curves: total.map { PageCurve($0) })]
    let components = try rewardCurves()
    if components.count > 1 {
      charts.append(
        PageChart(
          title: "rewards by name", unit: "reward before its weight",
          curves: components.map { PageCurve($0) }))
    }
    return charts
  }

  private func stepCharts() throws(StoreError) -> [PageChart] {
    let charts: [(title: String, unit: String, scale: PageChart.Scale, sql: String)] = [
      ("length", "tokens", .fitted, "length_mean"),
      ("entropy", "nats per token", .zero, "entropy_mean"),
      ("log-prob", "nats per token", .fitted, "logprob_mean"),
      (
        "truncated", "share of completions", .zero,
        "1.0 * truncated / nullif(completions, 0)"
      ),
      ("tied groups", "share of groups", .zero, "1.0 * tied_groups / nullif(groups, 0)"),
    ]
    let curves = try stepCurves(charts.map { ($0.title, $0.sql) })
    return charts.compactMap { chart in
      curves.first { $0.name == chart.title }.map {
        PageChart(title: chart.title, unit: chart.unit, scale: chart.scale, curves: [PageCurve($0)])
      }
    }
  }

  private func stepCurves(
    _ columns: [(name: String, sql: String)]
  ) throws(StoreError) -> [ReportSection.Curve] {
    var curves = columns.map { ReportSection.Curve(name: $0.name, steps: [], values: []) }
    try session.walk(
      "SELECT step, \(columns.map(\.sql).joined(separator: ", ")) FROM steps "
        + "WHERE run_id = :run ORDER BY step", runParameter
    ) { statement in
      for index in columns.indices {
        guard let value = statement.optionalReal(Int32(clamping: index + 1)) else { continue }
        curves[index].add(statement.integer(0), value)
      }
    }
    return curves.filter { !$0.values.isEmpty }
  }

  private func rewardCurves() throws(StoreError) -> [ReportSection.Curve] {
    var curves: [String: ReportSection.Curve] = [:]
    var names: [String] = []
    try session.walk(
      """
      SELECT step, name, sum / scored FROM steps
      CROSS JOIN reward_summaries ON step_id = steps.id
      JOIN rewards ON rewards.id = reward_id
      WHERE steps.run_id = :run AND scored > 0 ORDER BY step, position
      """, runParameter
    ) { statement in
      let name = statement.text(1)
      if curves[name] == nil { names.append(name) }
      curves[name, default: .init(name: name, steps: [], values: [])].add(
        statement.integer(0), statement.real(2))
    }
    return names.compactMap { curves[$0] }
  }

  // MARK: Evaluations

  /// Numbers that say the same as accuracy where the reward is 0 or 1 and a problem has one completion.
  private static let twins: Set = ["reward", "pass@1", "maj@1"]

  /// Accuracy with its Wilson interval first.
  ///
  /// A reward of 0 and 1 that is equal to its accuracy in every point is
  /// drawn once, under both names; other numbers that happen to be equal are other numbers.
  private func evaluationCharts() throws(StoreError) -> [PageChart] {
    var curves = try Report.evaluationCurves(session, run)
    func take(_ name: String) -> ReportSection.Curve? {
      curves.firstIndex { $0.name == name }.map { curves.remove(at: $0) }
    }
    var charts: [PageChart] = []
    for name in curves.map(\.name) where name.hasSuffix("/accuracy") {
      guard let accuracy = take(name) else { continue }
      var curve = PageCurve(accuracy, isExact: true)
      if let low = take(name + "_low"), let high = take(name + "_high"),
        low.steps == accuracy.steps, high.steps == accuracy.steps
      {
        curve.band = (low.values, high.values)
      }
      let twins = curves.filter {
        Self.twins.contains($0.name.split(separator: "/").last.map(String.init) ?? "")
          && $0.steps == accuracy.steps && $0.values == accuracy.values
      }
      curves.removeAll { twins.contains($0) }
      charts.append(
        PageChart(
          title: ([name] + twins.map(\.name)).joined(separator: " = ") + " (95% interval)",
          unit: "share of problems", scale: .unit, curves: [curve]))
    }
    charts += curves.map { curve in
      let word = curve.name.split(separator: "/").last.map(String.init) ?? curve.name
      let isShare = word.hasPrefix("pass@") || word.hasPrefix("maj@") || word.hasPrefix("wrong_")
      return PageChart(
        title: curve.name, unit: isShare ? "share of problems" : word.replacing("_", with: " "),
        scale: isShare ? .unit : .fitted, curves: [PageCurve(curve, isExact: true)],
        isMain: word == "reward" || word.hasPrefix("pass@"))
    }
    return charts
  }

  // MARK: Metrics

  /// Metrics that share a frame or stand first: a name and a metric for each curve.
  private static let mainMetrics: [(chart: PageChart, curves: [(name: String, metric: String)])] = [
    (PageChart(title: "kl", unit: "nats per token", scale: .zero, curves: []), [("kl", "kl")]),
    (
      PageChart(title: "ratio clip", unit: "share of tokens", scale: .zero, curves: []),
      [("low", "clip_ratio/low_mean"), ("high", "clip_ratio/high_mean")]
    ),
    (
      PageChart(title: "gradient norm", unit: "before clipping", scale: .zero, curves: []),
      [("grad_norm", "grad_norm")]
    ),
    (PageChart(title: "loss", unit: "loss", curves: []), [("loss", "loss")]),
    (
      PageChart(title: "learning rate", unit: "per update", scale: .zero, curves: []),
      [("learning_rate", "learning_rate")]
    ),
    (
      PageChart(title: "speed", unit: "tokens per second", scale: .zero, curves: []),
      [
        ("sampling", "time/sampling_tokens_per_second"),
        ("update", "time/update_tokens_per_second"),
      ]
    ),
  ]

  /// Set by a schedule, not measured: drawn as they are.
  private static let exactMetrics: Set<String> = ["learning_rate"]

  private static func mainCharts(_ metrics: inout [String: ReportSection.Curve]) -> [PageChart] {
    mainMetrics.map { chart, parts in
      var chart = chart
      chart.curves = parts.compactMap { name, metric in
        guard var curve = metrics.removeValue(forKey: metric) else { return nil }
        curve.name = name
        return PageCurve(curve, isExact: exactMetrics.contains(metric))
      }
      return chart
    }
  }

  /// Metrics that neither the steps' own summaries nor the first charts show.
  private static func otherCharts(_ metrics: [String: ReportSection.Curve]) -> [PageChart] {
    let shown: Set<String> = ["reward", "reward_std", "entropy", "completions/mean_length"]
    return metrics.values.filter { !shown.contains($0.name) && $0.values.count > 1 }
      .sorted { $0.name < $1.name }
      .map {
        PageChart(
          title: $0.name, unit: $0.name.hasPrefix("time/") ? "seconds" : "value",
          curves: [PageCurve($0)], isMain: false)
      }
  }

  /// Each metric over the steps: that of the step where there is one, else the mean of its updates.
  private func metricCurves() throws(StoreError) -> [String: ReportSection.Curve] {
    var curves: [String: ReportSection.Curve] = [:]
    var updates: (step: Int, sums: [String: (sum: Double, count: Double)]) = (-1, [:])
    func finishUpdates() {
      for (name, mean) in updates.sums where curves[name]?.steps.last != updates.step {
        curves[name, default: .init(name: name, steps: [], values: [])].add(
          updates.step, mean.sum / mean.count)
      }
      updates.sums.removeAll(keepingCapacity: true)
    }
    try session.walk(
      """
      SELECT step, name, update_index, value FROM steps
      CROSS JOIN metrics ON metrics.step_id = steps.id
      WHERE steps.run_id = :run ORDER BY step, update_index
      """, runParameter
    ) { statement in
      let step = statement.integer(0)
      if step != updates.step {
        finishUpdates()
        updates.step = step
      }
      guard let value = statement.optionalReal(3) else { return }
      let name = statement.text(1)
      if statement.integer(2) < 0 {
        curves[name, default: .init(name: name, steps: [], values: [])].add(step, value)
      } else {
        let old = updates.sums[name] ?? (0, 0)
        updates.sums[name] = (old.sum + value, old.count + 1)
      }
    }
    finishUpdates()
    return curves
  }
}

extension ReportSection.Curve {
  fileprivate mutating func add(_ step: Int, _ value: Double) {
    steps.append(step)
    values.append(value)
  }
}
