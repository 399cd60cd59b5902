import Rollouts

extension Report {
  /// Runs side by side.
  static let compare = Report(
    name: "compare", arguments: "RUN2 …",
    summary: "runs side by side: settings, curves, results; seeds of one setting are averaged",
    filters: [.step]
  ) { (request) throws(StoreError) in
    guard !request.others.isEmpty else {
      throw StoreError(.query, "The report compare needs a second run.")
    }
    var runs = [try ComparedRun(request)]
    for other in request.others {
      var same = request
      (same.session, same.run) = (other.session, other.run)
      runs.append(try ComparedRun(same))
    }
    let variants = RunVariant.variants(of: runs)
    var page = ReportPage(title: RunVariant.title(variants))
    if runs.count > 2 {
      page.sections.append(.table(key: "runs", title: "Runs", RunVariant.members(variants)))
    }
    page.sections.append(
      .table(
        key: "settings", title: "Settings that differ", RunVariant.differences(variants)))
    if runs.count == 2 { page.sections.append(.note(runs[0].firstDifference(from: runs[1]))) }
    page.sections.append(
      .table(key: "results", title: "Results", RunVariant.results(variants)))
    page.sections.append(
      .curves(key: "curves", title: "Over the steps", RunVariant.curves(variants)))
    return page
  }
}

/// A run with what a comparison reads of it.
private struct ComparedRun {
  /// What is compared of each step, exact summaries of its trajectories.
  static let numbers = [
    "reward", "reward std", "length", "entropy", "log-prob", "truncated", "tied groups",
  ]

  let title: String
  /// Settings and hashes by name, as JSON; the seed apart.
  let settings: [String: String]
  let seed: String
  /// The step, then `numbers`.
  let rows: [[QueryValue]]
  let evaluations: [ReportSection.Curve]

  init(_ request: ReportRequest) throws(StoreError) {
    let run = try request.runID()
    title = try Report.runTitle(request.session, run)
    (settings, seed) = try Self.describe(request.session, run)
    let conditions = request.filter.stepConditions(run: run)
    rows = try request.session.select(
      """
      SELECT step, reward_mean, \(Report.rewardDeviation), length_mean, entropy_mean, logprob_mean,
        1.0 * truncated / nullif(completions, 0), 1.0 * tied_groups / nullif(groups, 0)
      FROM steps WHERE \(conditions.sql) ORDER BY step
      """, conditions.parameters)
    evaluations = try Report.evaluationCurves(request.session, run)
  }

  private static func describe(
    _ session: QuerySession, _ run: Int
  ) throws(StoreError) -> (settings: [String: String], seed: String) {
    let rows = try session.select(
      """
      SELECT config, seed, model, model_hash, dataset, dataset_hash, program_version
      FROM runs WHERE id = :run
      """, ["run": .integer(Int64(run))])
    guard let row = rows.first else { return ([:], "") }
    var values: [String: String] = [:]
    let settings = (try? JSONValue.parse(row[0].plainText))?.object ?? [:]
    for (name, value) in settings { values[name] = value.jsonText }
    for (name, value) in zip(
      ["model", "model hash", "dataset", "dataset hash", "program"], row.dropFirst(2))
    { values[name] = value.plainText }
    values["seed"] = nil
    // Weights that the seed drew differ as the seed does.
    if let model = settings["model"], model.isNull { values["model hash"] = nil }
    return (values, row[1].plainText)
  }

  /// The values of a number of `numbers`, step by step.
  func values(_ number: Int) -> [Double] { rows.compactMap { $0[number + 1].double } }

  /// Means over the first and last tenth of the run, so that one step's noise says little, and over all of it.
  func summary(_ number: Int) -> (start: Double?, end: Double?, mean: Double?) {
    let values = values(number)
    let tenth = max(1, values.count / 10)
    return (
      Self.mean(values.prefix(tenth)), Self.mean(values.suffix(tenth)), Self.mean(values[...])
    )
  }

  private static func mean(_ values: ArraySlice<Double>) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  /// Says from which step on two runs differ, as far as the steps' summaries tell.
  func firstDifference(from other: ComparedRun) -> String {
    for (a, b) in zip(rows, other.rows) where a != b {
      return "The runs differ from step \(a[0].plainText) on."
    }
    let common = min(rows.count, other.rows.count)
    return rows.count == other.rows.count
      ? "The summaries of all \(common) steps are equal in every bit."
      : "The summaries of the first \(common) steps are equal in every bit; "
        + "the runs have \(rows.count) and \(other.rows.count) steps."
  }
}

/// Runs that differ in nothing but the seed; of two runs each is its own.
private struct RunVariant {
  /// `1` and `2` where there are two runs, else a letter.
  let name: String
  var runs: [ComparedRun]

  static func variants(of runs: [ComparedRun]) -> [RunVariant] {
    guard runs.count > 2 else {
      return runs.enumerated().map { RunVariant(name: "\($0.offset + 1)", runs: [$0.element]) }
    }
    var variants: [RunVariant] = []
    for run in runs {
      if let place = variants.firstIndex(where: { $0.runs[0].settings == run.settings }) {
        variants[place].runs.append(run)
      } else {
        variants.append(RunVariant(name: letter(variants.count), runs: [run]))
      }
    }
    return variants
  }

  /// A variant's name by its place: A, B, … Z, AA, and so on.
  private static func letter(_ place: Int) -> String {
    let last = String(UnicodeScalar(UInt8(65 + place % 26)))
    return place < 26 ? last : letter(place / 26 - 1) + last
  }

  static func title(_ variants: [RunVariant]) -> String {
    let runs = variants.flatMap(\.runs)
    guard runs.count > 2 else { return runs.map(\.title).joined(separator: " against ") }
    return "\(runs.count) runs, \(variants.count) settings"
  }

  /// Which run is of which variant.
  static func members(_ variants: [RunVariant]) -> ReportTable {
    var table = ReportTable([
      ("variant", .plain), ("run", .plain), ("seed", .plain), ("steps", .plain),
    ])
    for variant in variants {
      for run in variant.runs {
        table.rows.append([
          .text(variant.name), .text(run.title), .text(run.seed), .integer(Int64(run.rows.count)),
        ])
      }
    }
    return table
  }

  /// Settings and hashes whose values differ between variants; the seed too where each has one run.
  static func differences(_ variants: [RunVariant]) -> ReportTable {
    var settings = variants.map { $0.runs[0].settings }
    if variants.count == 2, variants.allSatisfy({ $0.runs.count == 1 }) {
      for place in variants.indices { settings[place]["seed"] = variants[place].runs[0].seed }
    }
    let key = variants.contains { $0.runs.count > 1 } || variants.count > 2 ? "variant" : "run"
    var table = ReportTable(
      [("setting", .plain)] + variants.map { ("\(key)_\($0.name)", .text) })
    for name in Set(settings.flatMap(\.keys)).sorted()
    where Set(settings.map { $0[name] }).count > 1 {
      table.rows.append(
        [.text(name)] + settings.map { $0[name].map { .text($0) } ?? .null })
    }
    return table
  }

  /// Whether an evaluation's number says how good the policy is; the others say how it fails.
  static func isCompared(_ name: String) -> Bool {
    ["/accuracy", "/reward"].contains(where: name.hasSuffix) || name.contains("/pass@")
  }

  /// Two runs with start, end and mean of each; more of them with the mean of each variant's ends.
  static func results(_ variants: [RunVariant]) -> ReportTable {
    let isPair = variants.count == 2 && variants.allSatisfy { $0.runs.count == 1 }
    return isPair ? pair(variants[0].runs[0], variants[1].runs[0]) : averages(variants)
  }

  private static func pair(_ first: ComparedRun, _ second: ComparedRun) -> ReportTable {
    var table = ReportTable(
      [
        ("number", .plain), ("start_1", .number), ("start_2", .number), ("end_1", .number),
        ("end_2", .number), ("difference_at_end", .number), ("mean_1", .number),
        ("mean_2", .number),
      ])
    for (place, name) in ComparedRun.numbers.enumerated() {
      let (one, two) = (first.summary(place), second.summary(place))
      let difference = one.end.flatMap { a in two.end.map { $0 - a } }
      table.rows.append(
        [.text(name)]
          + [one.start, two.start, one.end, two.end, difference, one.mean, two.mean]
          .map { .optional($0) })
    }
    for evaluation in first.evaluations where isCompared(evaluation.name) {
      guard let other = second.evaluations.first(where: { $0.name == evaluation.name }) else {
        continue
      }
      table.rows.append(
        [.text(evaluation.name)]
          + [
            evaluation.values.first, other.values.first, evaluation.values.last, other.values.last,
            evaluation.values.last.flatMap { a in other.values.last.map { $0 - a } }, nil, nil,
          ].map { .optional($0) })
    }
    table.yield("mean_2", "mean_1", "start_2", "start_1")
    return table
  }

  /// The means of the ends with 95% intervals over the seeds.
  private static func averages(_ variants: [RunVariant]) -> ReportTable {
    var table = ReportTable(
      [("number_at_the_end", .plain)]
        + variants.flatMap { variant in
          [
            ("\(variant.name)_mean", .number), ("\(variant.name)_low", .number),
            ("\(variant.name)_high", .number),
          ]
        })
    func add(_ name: String, _ ends: (ComparedRun) -> Double?) {
      table.rows.append(
        [.text(name)]
          + variants.flatMap { variant -> [QueryValue] in
            let interval = MeanInterval(variant.runs.compactMap(ends))
            return [interval?.mean, interval?.lower, interval?.upper].map { .optional($0) }
          })
    }
    for (place, name) in ComparedRun.numbers.enumerated() { add(name) { $0.summary(place).end } }
    let names = variants.flatMap(\.runs).first?.evaluations.map(\.name) ?? []
    for name in names where isCompared(name) {
      add(name) { run in run.evaluations.first { $0.name == name }?.values.last }
    }
    table.dropEmptyColumns()
    return table
  }

  /// The reward and the evaluations of each variant, averaged over its runs where all of them have the step.
  static func curves(_ variants: [RunVariant]) -> [ReportSection.Curve] {
    let rewards = variants.map { variant in
      average(
        "\(variant.name) reward",
        variant.runs.map { run in
          run.rows.compactMap { row in
            row[0].double.flatMap(Int.init(exactly:)).flatMap { step in
              row[1].double.map { (step, $0) }
            }
          }
        })
    }
    let evaluations = variants.flatMap { variant in
      (variant.runs.first?.evaluations ?? []).filter { RunVariant.isCompared($0.name) }.map {
        evaluation in
        average(
          "\(variant.name) \(evaluation.name)",
          variant.runs.map { run in
            run.evaluations.first { $0.name == evaluation.name }
              .map { Array(zip($0.steps, $0.values)) } ?? []
          })
      }
    }
    return rewards + evaluations
  }

  private static func average(
    _ name: String, _ runs: [[(step: Int, value: Double)]]
  ) -> ReportSection.Curve {
    var sums: [Int: (sum: Double, count: Int)] = [:]
    for (step, value) in runs.joined() {
      let old = sums[step] ?? (0, 0)
      sums[step] = (old.sum + value, old.count + 1)
    }
    let whole = sums.filter { $0.value.count == runs.count }.sorted { $0.key < $1.key }
    return .init(
      name: name, steps: whole.map(\.key),
      values: whole.map { $0.value.sum / Double($0.value.count) })
  }
}
