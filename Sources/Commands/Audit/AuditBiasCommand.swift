import Audits
import Foundation
import Rollouts
import TrajectoryStore

/// `grpo audit bias`: whether a reward or a policy treats groups alike.
struct AuditBiasCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "bias", summary: "whether a reward or a policy treats groups alike",
      discussion: """
        Compares groups of rows: of a file of scores, of a run's log, or of what a model answers \
        (--model and --dataset). Rates of favourable outcomes are compared as fairlearn and AIF360 \
        name them, scores, refusals and lengths by their means, each with its 95% bootstrap \
        interval and the smallest difference that so many rows could show.

        With --label, rows are compared where their label is alike: equalized odds is judged, \
        otherwise demographic parity. Exit 0: every judged figure is within the threshold. Exit 1: \
        one is beyond it, or the rows are too few to tell.

        Several --group are judged one by one and together. --pairs names a table of words that \
        stand for each other, a column for each group: {"male": "he", "female": "she"}. Prompts that \
        are the same but for these words are compared pair by pair; with --model, each prompt that \
        has such a word is asked once for every group.
        """,
      positionals: [
        PositionalSpecification(
          "INPUT", .path, help: "a file of scores (JSONL, JSON, CSV), a run's folder, or a log",
          isRequired: false)
      ],
      options: [
        OptionSpecification(
          "group", valueName: "COLUMN", help: "the column that says a row's group",
          repeats: true),
        OptionSpecification(
          "privileged", valueName: "VALUE",
          help: "the group that signed figures compare with; COLUMN=VALUE with several columns",
          repeats: true),
        OptionSpecification(
          "label", valueName: "COLUMN", help: "the column that says what should have come out"),
        OptionSpecification(
          "positive", valueName: "VALUE", help: "the favourable value of the label",
          repeats: true),
        OptionSpecification(
          "outcome", valueName: "COLUMN",
          defaultDescription: "reward, score, prediction or outcome", help: "files: what is judged"),
        OptionSpecification(
          "favourable-at", .number,
          defaultDescription: "0.5 of scores from 0 to 1, a run's highest reward, or mid-range",
          help: "an outcome from this on is favourable"),
        OptionSpecification(
          "unit", valueName: "COLUMN", help: "files: rows alike in it are drawn together"),
        OptionSpecification(
          "threshold", .number(0...1e9), default: "0.1", help: "the largest difference that passes"),
        OptionSpecification(
          "rule", .choice(FairnessRule.allCases.map(\.rawValue)), default: "difference",
          help: "what outcomes must satisfy: |difference|, |1 - ratio|, or ratio at least 0.8"),
        OptionSpecification(
          "method", .choice(RateComparison.allCases.map(\.rawValue)), default: "between_groups",
          help: "what rates are compared with"),
        OptionSpecification(
          "min-rows", .integer(2 ... .max), default: "30", unit: "rows",
          help: "groups of fewer are not judged"),
        .flag("ignore-small", help: "groups that are not judged don't keep the audit from passing"),
        OptionSpecification(
          "pairs", .path, valueName: "FILE", help: "words to exchange, a column for each group"),
        OptionSpecification(
          "refusal", valueName: "TEXT", help: "a further phrase that refusals begin with",
          repeats: true),
        OptionSpecification(
          "resamples", .integer(0...1_000_000), default: "2000", help: "bootstrap resamples"),
        OptionSpecification(
          "seed", .integer(0...Int(Int32.max)), default: "42", help: "what the draws are keyed by"),
        .flag(
          "record", help: "runs: keep the result in the log, for the model card", section: "Runs"),
        OptionSpecification(
          "step", valueName: "A..B", help: "runs: only these steps", section: "Runs"),
        .flag("evaluation", help: "runs: the newest evaluation, not the rollouts", section: "Runs"),
        .json,
      ] + EvaluatedModel.options,
      examples: [
        .init(
          "grpo audit bias scores.csv --group gender --group age --label correct",
          "each column, and both together"),
        .init(
          "grpo audit bias --model runs/a/final --dataset people.jsonl --reward exact_match "
            + "--pairs words.csv --max-new-tokens 4", "the same prompts with words exchanged"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let material = try material(arguments, context)
    var audit = BiasAudit(columns: arguments.strings("group"), measures: material.measures)
    audit.privileged = try privileged(arguments, material)
    audit.threshold = arguments.double("threshold") ?? 0.1
    audit.rule = arguments.string("rule").flatMap(FairnessRule.init) ?? .difference
    audit.comparison = arguments.string("method").flatMap(RateComparison.init) ?? .betweenGroups
    audit.minimumRows = arguments.integer("min-rows") ?? 30
    audit.ignoresSmallGroups = arguments.flag("ignore-small")
    audit.resamples = arguments.integer("resamples") ?? 2000
    audit.seed = UInt64(clamping: arguments.integer("seed") ?? 42)
    var report = audit.report(of: material.rows)
    if let exchange = material.exchange {
      report.pairs = PairReport.reports(
        of: material.counterfactuals, groups: exchange.groups, measures: material.pairMeasures,
        seed: audit.seed, resamples: max(1, audit.resamples))
    }
    let view = BiasView(report: report, audit: audit, material: material)
    if arguments.flag("json") {
      context.print(exactly: view.json.prettyJSONText)
    } else {
      context.print(view.text(style: context.style))
    }
    if arguments.flag("record"), let input = arguments.positional(0) {
      let log = try TrajectoryLog(opening: try LogLocation(input).log)
      try log.append(
        event: EventRecord(
          kind: "audit", message: view.summary, detail: view.json.object ?? [:]))
    }
    return report.verdict == .passed ? .done : .failed
  }

  private func material(
    _ arguments: ParsedArguments, _ context: CommandContext
  ) throws -> BiasMaterial {
    var faults: [String] = []
    let input = arguments.positional(0)
    let hasModel = arguments.isGiven("model")
    switch (input, hasModel) {
    case (nil, false):
      faults.append("what to audit is missing: a file of scores, a run, or --model with --dataset")
    case (.some, true): faults.append("--model and an input can't both be audited; give one")
    default: break
    }
    if arguments.strings("group").isEmpty, !(arguments.isGiven("pairs") && hasModel) {
      faults.append("--group is missing: the column that says a row's group")
    }
    if Set(arguments.strings("group")).count < arguments.strings("group").count {
      faults.append("--group names a column twice")
    }
    if arguments.flag("record"), !(input.map(LogLocation.isLog) ?? false) {
      faults.append("--record keeps the result in a run's log; the input is not a run")
    }
    guard faults.isEmpty else { throw UsageError(faults) }
    let reader = try BiasReader(arguments)
    guard let input else { return try reader.material(ofModel: context) }
    return try refusing {
      try LogLocation.isLog(input) ? reader.material(ofLog: input) : reader.material(ofFile: input)
    }
  }

  /// The privileged value of each column; a bare value belongs to the only column.
  private func privileged(
    _ arguments: ParsedArguments, _ material: BiasMaterial
  ) throws -> [String: String] {
    let columns = arguments.strings("group")
    var values: [String: String] = [:]
    for word in arguments.strings("privileged") {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2, columns.contains(parts[0]) {
        values[parts[0]] = parts[1]
      } else if columns.count == 1 {
        values[columns[0]] = word
      } else {
        throw UsageError("--privileged \(word): with several columns write COLUMN=VALUE")
      }
    }
    for (column, value) in values.sorted(by: { $0.key < $1.key }) {
      guard let place = columns.firstIndex(of: column) else { continue }
      let known = Set(material.rows.map { $0.groups[place] }).sorted()
      guard !known.contains(value) else { continue }
      let nearest = Spelling.nearest(to: value, among: known).map { "; did you mean '\($0)'?" }
      throw UsageError(
        "--privileged: no row of '\(column)' has '\(value)'"
          + (nearest ?? "; there are \(known.prefix(8).joined(separator: ", "))"))
    }
    return values
  }
}
