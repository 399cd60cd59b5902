import Foundation
import Rollouts
import TrajectoryStore

/// A run as a model card: everything that it says is read from the log.
struct ModelCard {
  /// The model's license, which no log knows.
  var license: String?
  /// The model's languages, which no log knows.
  var languages: [String] = []

  private let run: RunRecord
  private let evaluations: [EvaluationRecord]
  private let audits: [EventRecord]
  private let totals: [String: Double]
  private let outcome: String

  init(_ location: LogLocation) throws {
    let reader = try TrajectoryReader(readOnly: location.log)
    guard let logged = try reader.runs().last else {
      throw UsageError("\(location.log.relativePath) holds no run yet")
    }
    run = logged.record
    outcome = logged.outcome ?? "not recorded"
    evaluations = try reader.evaluations()
    audits = try reader.events().filter { $0.kind == "audit" }
    let session = try QuerySession(readOnly: location.log)
    let sums = [
      ("steps", "count(*)"), ("groups", "total(groups)"), ("completions", "total(completions)"),
      ("tokens", "total(tokens)"), ("unscored", "total(unscored)"),
      ("truncated", "total(truncated)"), ("dropped", "total(dropped_groups)"),
    ]
    let row =
      try session.rows(
        "SELECT \(sums.map(\.1).joined(separator: ", ")) FROM steps WHERE run_id = (SELECT max(id) FROM runs)"
      ).rows.first ?? []
    var totals: [String: Double] = [:]
    for (index, sum) in sums.enumerated() where index < row.count {
      totals[sum.0] = row[index].double
    }
    let times = try session.rows(
      """
      SELECT name, total(value) FROM metrics JOIN steps ON steps.id = step_id
      WHERE run_id = (SELECT max(id) FROM runs) AND update_index = -1 AND name GLOB 'time/*'
      GROUP BY name
      """)
    for row in times.rows { totals[row[0].plainText] = row[1].double }
    self.totals = totals
  }

  /// The card as Markdown with its YAML head.
  var text: String {
    let sections = [head, opening, data, method, evaluation, auditing, privacy, cost, limits]
    return sections.joined(separator: "\n\n")
  }

  private func setting(_ name: String) -> String? {
    guard let value = run.configuration[name], !value.isNull else { return nil }
    return value.string ?? value.jsonText
  }

  private func total(_ name: String) -> String {
    NumberFormat.grouped(Int(clamping: totals[name] ?? 0))
  }

  // MARK: The head

  private var head: String {
    var lines = ["---"]
    if let license { lines.append("license: \(Self.yaml(license))") }
    if !languages.isEmpty {
      lines += ["language:"] + languages.map { "- \(Self.yaml($0))" }
    }
    lines.append("library_name: transformers")
    lines.append("pipeline_tag: text-generation")
    if !["", "randomly initialised"].contains(run.model) {
      lines.append("base_model: \(Self.yaml(run.model))")
    }
    lines += ["datasets:", "- \(Self.yaml(run.dataset))"]
    lines += ["tags:", "- grpo", "- reinforcement-learning"]
    if let preset = setting("like") { lines.append("- \(Self.yaml(preset))") }
    if let last = evaluations.last { lines += results(of: last) }
    return (lines + ["---"]).joined(separator: "\n")
  }

  private func results(of evaluation: EvaluationRecord) -> [String] {
    let metrics = evaluation.metrics.filter {
      ["accuracy", "reward"].contains($0.key) && $0.value.isFinite
    }
    guard !metrics.isEmpty else { return [] }
    var lines =
      [
        "metrics:"
      ] + metrics.keys.sorted().map { "- \($0)" }
    lines += [
      "model-index:", "- name: \(Self.yaml(run.name))", "  results:", "  - task:",
      "      type: text-generation", "    dataset:", "      name: \(Self.yaml(evaluation.dataset))",
      "      type: \(Self.yaml(evaluation.dataset))", "    metrics:",
    ]
    for name in metrics.keys.sorted() {
      lines += ["    - type: \(name)", "      value: \(metrics[name] ?? 0)"]
    }
    return lines
  }

  /// A YAML scalar in double quotes, which JSON's strings are.
  private static func yaml(_ text: String) -> String { JSONValue.string(text).jsonText }

  // MARK: The text

  private var opening: String {
    """
    # \(Self.line(run.name))

    Trained with GRPO by grpo \(run.programVersion) from \(run.model.isEmpty ? "a model that the log does not name" : Self.line(run.model)): \(total("steps")) steps, \
    \(total("groups")) groups, \(total("completions")) completions, \(total("tokens")) sampled tokens. \
    How the run ended: \(outcome).
    """
  }

  private var data: String {
    let rewards = run.rewards.map {
      "`\(Self.line($0.name))` × \(NumberFormat.significant($0.weight))"
    }
    return """
      ## Data

      Prompts of \(Self.line(run.dataset)), SHA-256 `\(run.datasetHash)`. Rewards: \
      \(rewards.joined(separator: ", ")). \(total("unscored")) completions could not be scored, \
      \(total("truncated")) met the limit on their length, \(total("dropped")) groups were dropped.

      Consent and license of the data are not recorded in the log: see the data set's own card.
      """
  }

  private var method: String {
    let names = [
      "loss_type", "scale_rewards", "importance_sampling_level", "epsilon", "epsilon_high", "beta",
      "num_iterations", "updates_per_rollout", "learning_rate", "lr_scheduler_type",
      "prompts_per_step", "num_generations", "max_completion_length", "temperature", "top_p",
      "seed",
    ]
    let rows = names.compactMap { name in setting(name).map { "| `\(name)` | \(Self.line($0)) |" } }
    return """
      ## Method

      | setting | value |
      |---|---|
      \(rows.joined(separator: "\n"))

      \(citations.map { "- \($0)" }.joined(separator: "\n"))
      """
  }

  private var citations: [String] {
    var list = [
      "GRPO: Shao et al. 2024, DeepSeekMath, [arXiv 2402.03300](https://arxiv.org/abs/2402.03300)."
    ]
    switch setting("loss_type") {
    case "dr_grpo":
      list.append(
        "Dr. GRPO: Liu et al. 2025, [arXiv 2503.20783](https://arxiv.org/abs/2503.20783).")
    case "dapo":
      list.append("DAPO: Yu et al. 2025, [arXiv 2503.14476](https://arxiv.org/abs/2503.14476).")
    default: break
    }
    if setting("importance_sampling_level") == "sequence" {
      list.append("GSPO: Zheng et al. 2025, [arXiv 2507.18071](https://arxiv.org/abs/2507.18071).")
    }
    return list
  }

  private var evaluation: String {
    guard let last = evaluations.last else {
      return "## Evaluation\n\nThe run made no evaluation."
    }
    let shown = evaluations.count > 1 ? [evaluations[0], last] : [last]
    let rows = shown.map { record -> String in
      func number(_ name: String) -> String {
        record.metrics[name].flatMap { $0.isFinite ? NumberFormat.fixed($0, 4) : nil } ?? "–"
      }
      let interval = "[\(number("accuracy_low")), \(number("accuracy_high"))]"
      return
        "| \(record.step) | \(Self.line(record.dataset)) | \(number("accuracy")) | \(interval) | "
        + "\(number("reward")) |"
    }
    return """
      ## Evaluation

      | after step | data | accuracy | 95% interval (Wilson) | mean reward |
      |--:|---|--:|---|--:|
      \(rows.joined(separator: "\n"))
      """
  }

  private var auditing: String {
    let lines = audits.map { "- \(Self.line($0.message))" }
    return "## Audits\n\n"
      + (lines.isEmpty
        ? "None is recorded: `grpo audit bias RUN --record` makes one."
        : lines.joined(separator: "\n"))
  }

  private var privacy: String {
    var lines: [String] = []
    if let notes = run.provenance["redacted"]?.array {
      lines.append("The log was redacted: \(notes.map(\.jsonText).joined(separator: "; ")).")
    }
    lines.append("The run gives no guarantee of differential privacy.")
    return "## Privacy\n\n" + lines.joined(separator: " ")
  }

  private var cost: String {
    let phases = ["rollout", "reference", "update", "log"].compactMap { name in
      totals["time/\(name)"].map { "\(name) \(NumberFormat.duration($0))" }
    }
    let whole = totals["time/step"].map { NumberFormat.duration($0) } ?? "not recorded"
    let hosts = ["processor", "threads"].compactMap { key in
      run.host[key].map { "\(key) \(Self.line($0.string ?? $0.jsonText))" }
    }
    return """
      ## Cost

      Steps took \(whole)\(phases.isEmpty ? "" : " (\(phases.joined(separator: ", ")))")\
      \(hosts.isEmpty ? "" : " on \(hosts.joined(separator: ", "))").
      """
  }

  private var limits: String {
    """
    ## Limits

    The model was rewarded for what its rewards measure and for nothing else; how it answers prompts unlike those of \
    its data was not measured here. Figures above are of this run alone, with one seed.
    """
  }

  /// Text from a log on one line, without what Markdown would take for a table's border.
  private static func line(_ text: String) -> String {
    TextLayout.singleLine(text).replacing("|", with: "\\|")
  }
}
