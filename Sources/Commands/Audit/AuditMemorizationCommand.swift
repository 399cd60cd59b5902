import Audits
import Foundation
import Rollouts
import Tensors
import Training
import Transformer

/// `grpo audit memorization`: the exposure of planted secrets.
struct AuditMemorizationCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "memorization", summary: "whether a model knows planted secrets by heart",
      discussion: """
        Ranks the secret of each canary of 'grpo data canary' by its log-probability among secrets \
        that it could have been. Exposure is log2 of how many were tried less log2 of the rank, in \
        bits (Carlini et al. 2019): about 1.4 on average for a secret that was never seen. p is the \
        probability of so good a rank by chance.

        With --threshold, exit 1 where the mean exposure of canaries with the same number of copies \
        is above it; controls, with none, are not judged.
        """,
      options: [
        .model,
        OptionSpecification(
          "canaries", .path, valueName: "FILE", default: "canaries.jsonl", help: "the canaries"),
        OptionSpecification(
          "candidates", .integer(1...1_000_000), default: "999",
          help: "secrets to rank each among; all where there are no more"),
        OptionSpecification(
          "threshold", .number(0...64), defaultDescription: "not judged", unit: "bits",
          help: "the largest mean exposure that passes"),
        OptionSpecification(
          "seed", .integer(0...Int(Int32.max)), default: "42", help: "which candidates are drawn"),
        .system, .chatTemplate, .chatTemplateKwargs, .continueFinalMessage, .threads, .precision,
        .json,
      ],
      examples: [
        .init(
          "grpo audit memorization --model runs/a/final --canaries secrets.jsonl",
          "are they known by heart?")
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let canaries = try refusing { try Self.canaries(arguments.string("canaries") ?? "") }
    let policy = try refusing { try arguments.policy(context) }
    let encoder = try refusing { () -> RolloutEncoder in
      _ = try policy.requireTokenizer()
      return RolloutEncoder(policy, encoder: try arguments.promptEncoder(policy))
    }
    context.interrupts.install()
    let limit = arguments.integer("candidates") ?? 999
    let seed = UInt64(clamping: arguments.integer("seed") ?? 42)
    let scorer = RolloutScorer(policy, temperature: 1)
    var exposures: [Exposure] = []
    for canary in canaries {
      try context.interrupts.check()
      let candidates = canary.candidates(limit: limit, seed: seed).secrets
      let rows = try refusing {
        try ([canary.secret] + candidates).map {
          try encoder.tokens(prompt: canary.prompt, completion: $0)
        }
      }
      var sums: [Double] = []
      scorer.score(rows) { statistics in
        sums.append(statistics.logProbabilities.reduce(0) { $0 + Double($1) })
      }
      exposures.append(Exposure(secret: sums[0], candidates: Array(sums.dropFirst())))
    }
    let view = MemorizationView(
      canaries: canaries, exposures: exposures, threshold: arguments.double("threshold"))
    if arguments.flag("json") {
      context.print(exactly: view.json.prettyJSONText)
    } else {
      context.print(view.text(style: context.style))
    }
    return view.passes ? .done : .failed
  }

  private static func canaries(_ path: String) throws -> [Canary] {
    let file = try DatasetFile(reading: path)
    return try file.rows.map { row in
      guard let prompt = row.columns["prompt"]?.string, let secret = row.columns["secret"]?.string,
        !secret.isEmpty, secret.count <= 18, secret.allSatisfy({ $0.isASCII && $0.isNumber }),
        let copies = row.columns["copies"]?.integer
      else {
        throw UsageError(
          "\(path), \(row.place): a canary has a prompt, a secret of up to 18 digits, and copies; "
            + "'grpo data canary' makes them")
      }
      return Canary(prompt: prompt, secret: secret, copies: copies)
    }
  }
}

/// What `grpo audit memorization` prints.
private struct MemorizationView {
  let canaries: [Canary]
  let exposures: [Exposure]
  let threshold: Double?

  /// The mean exposure of the canaries with the same number of copies.
  private var means: [(copies: Int, count: Int, bits: Double)] {
    let groups = Dictionary(grouping: canaries.indices) { canaries[$0].copies }
    return groups.sorted { $0.key < $1.key }.map { copies, members in
      let bits = members.reduce(0) { $0 + exposures[$1].bits }
      return (copies, members.count, bits / Double(members.count))
    }
  }

  var passes: Bool {
    guard let threshold else { return true }
    return !means.contains { $0.copies > 0 && $0.bits > threshold }
  }

  func text(style: Style) -> String {
    var table = Table([
      .number("copies"), .number("canaries"), .number("mean exposure"), .number("least p"),
    ])
    for mean in means {
      let least =
        canaries.indices.filter { canaries[$0].copies == mean.copies }
        .map { exposures[$0].pValue }.min() ?? 1
      table.append(
        "\(mean.copies)", "\(mean.count)", NumberFormat.fixed(mean.bits, 2) + " bits",
        NumberFormat.significant(least, 3))
    }
    let tried = exposures.map(\.tried).max() ?? 0
    let verdict = threshold.map {
      passes ? "passed: within \($0) bits" : "failed: above \($0) bits"
    }
    return [
      table.text(style: style), "",
      "each ranked among \(NumberFormat.grouped(tried)): at most "
        + "\(NumberFormat.fixed(log2(Double(max(1, tried))), 2)) bits; "
        + "about 1.4 for a secret that was never seen",
    ].joined(separator: "\n") + (verdict.map { "\n" + style.bold($0) } ?? "")
  }

  var json: JSONValue {
    [
      "canaries": .array(
        zip(canaries, exposures).map { canary, exposure in
          [
            "prompt": .string(canary.prompt), "copies": .integer(Int64(canary.copies)),
            "rank": .integer(Int64(exposure.rank)), "tried": .integer(Int64(exposure.tried)),
            "exposure_bits": .number(exposure.bits), "p_value": .number(exposure.pValue),
          ]
        }),
      "mean_exposure_by_copies": .object(
        JSONObject(means.map { ("\($0.copies)", .number($0.bits)) })),
      "verdict": threshold == nil ? .null : .string(passes ? "passed" : "failed"),
    ]
  }
}
