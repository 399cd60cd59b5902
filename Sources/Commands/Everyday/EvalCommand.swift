import Foundation
import RewardKit
import Rollouts
import Training
import TrajectoryStore
import Transformer

/// `grpo eval`: how good a model is on problems, and whether it is better than another.
struct EvalCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "eval", summary: "mean reward, pass@k and maj@k of a model, or of two",
      discussion: """
        Draws completions of each problem, scores them, and prints the mean reward, the share of \
        problems answered rightly by the first completion with its 95% Wilson interval, and with \
        several completions pass@k (unbiased) and maj@k (the most frequent answer). A completion is \
        right where it gets the full reward.

        With --versus both models get the same problems and random numbers, and are compared problem \
        by problem: an exact test (McNemar's with one completion per problem, otherwise the sign test) \
        and the mean difference with its bootstrap interval.

        One completion per problem is drawn greedily unless --temperature says otherwise.
        """,
      options: [
        .model,
        OptionSpecification(
          "versus", .path, valueName: "DIR", help: "a second model on the same problems"),
        OptionSpecification(
          "dataset", .path, valueName: "FILE", help: "the problems: JSONL, JSON, CSV or a folder"),
        OptionSpecification(
          "reward", valueName: "WHAT", help: "as in 'grpo train', with =weight; may be repeated",
          repeats: true),
        OptionSpecification(
          "columns", valueName: "NEW=OLD", help: "columns to rename, as in 'grpo train'",
          repeats: true),
        OptionSpecification(
          "limit", .integer(1 ... .max), defaultDescription: "all", unit: "problems",
          help: "problems from the first"),
        OptionSpecification(
          "samples", short: "n", .integer(1...100_000), default: "1", unit: "completions",
          help: "completions of each problem",
          peerNames: [PeerName(peer: "TRL", name: "num_generations_eval")]),
        OptionSpecification(
          "temperature", .number(0...1e3), defaultDescription: "0 with one completion, otherwise 1",
          help: "logits are divided by it; 0 takes the likeliest token"),
        OptionSpecification("top-p", .number(0...1), default: "1", help: "mass that is kept"),
        OptionSpecification(
          "max-new-tokens", .integer(1...1_000_000_000), default: "512", unit: "tokens",
          help: "a completion is cut here",
          peerNames: [PeerName(peer: "TRL", name: "max_completion_length")]),
        OptionSpecification(
          "stop", valueName: "TEXT", help: "end where this text appears", repeats: true),
        OptionSpecification(
          "seed", .integer(0...Int(Int32.max)), default: "42", help: "what the draws are keyed by"),
        OptionSpecification(
          "output", short: "o", .path, valueName: "FILE",
          help: "write every completion with its reward, a line of JSON each"),
        .system, .chatTemplate, .chatTemplateKwargs, .continueFinalMessage, .json, .threads,
        .precision,
      ],
      examples: [
        .init(
          "grpo eval --model runs/sums/final --dataset eval.jsonl --reward exact_match",
          "the share of problems answered rightly"),
        .init(
          "grpo eval --model runs/b/final --versus runs/a/final --dataset eval.jsonl "
            + "--reward numeric -n 8", "is b better than a?"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let samples = arguments.integer("samples") ?? 1
    let evaluation = try refusing { try Self.evaluation(arguments, samples: samples) }
    defer { evaluation.shutDown() }
    let names = ["model", "versus"].filter { arguments.string($0) != nil }
    // Everything that can be refused is looked at before the first completion.
    let folders = try refusing {
      try (names.isEmpty ? ["model"] : names).map { try arguments.modelFolder(context, option: $0) }
    }
    context.interrupts.install()
    var reports: [EvaluationReport] = []
    for name in names {
      let policy = try refusing { try arguments.policy(context, option: name) }
      let encoded = try refusing {
        _ = try policy.requireTokenizer()
        guard
          let encoder = try arguments.promptEncoder(policy, stop: arguments.strings("stop"))
        else { throw UsageError("\(policy.folder.path) has no tokenizer.json") }
        return try evaluation.encode(encoder)
      }
      guard
        let report = try evaluation.evaluate(
          policy, on: encoded, isCancelled: { context.interrupts.isRaised })
      else { throw Interrupted() }
      reports.append(report)
    }
    if let path = arguments.string("output") { try Self.write(reports, folders, to: path) }
    let view = EvaluationView(
      names: folders.map(\.relativePath), reports: reports, dataset: evaluation.dataset,
      rewardNames: evaluation.rewardNames, seed: UInt64(arguments.integer("seed") ?? 42))
    if arguments.flag("json") {
      context.print(exactly: view.json.prettyJSONText)
    } else {
      context.print(view.text(style: context.style))
    }
    return .done
  }

  private static func evaluation(_ arguments: ParsedArguments, samples: Int) throws
    -> ModelEvaluation
  {
    var faults: [String] = []
    if !arguments.isGiven("model") { faults.append("--model is missing: a model's folder") }
    if !arguments.isGiven("dataset") { faults.append("--dataset is missing: a file of problems") }
    if !arguments.isGiven("reward") {
      faults.append("--reward is missing: what is right, such as --reward exact_match")
    }
    let columns = arguments.strings("columns").flatMap { $0.split(separator: ",").map(String.init) }
    let mapping = ColumnMapping(columns)
    if mapping == nil { faults.append("--columns must be NEW=OLD, such as prompt=question") }
    guard faults.isEmpty, let path = arguments.string("dataset") else { throw UsageError(faults) }
    let dataset = try ModelEvaluation.problems(
      path, mapping: mapping ?? .identity, limit: arguments.integer("limit"))
    let temperature = arguments.double("temperature") ?? (samples == 1 ? 0 : 1)
    return try ModelEvaluation(
      dataset, rewards: arguments.strings("reward").map(Self.reward),
      settings: ModelEvaluation.Settings(
        seed: UInt64(arguments.integer("seed") ?? 42), samples: samples,
        sampling: SamplingSettings(
          temperature: Float(temperature), topP: Float(arguments.double("top-p") ?? 1),
          maxNewTokens: arguments.integer("max-new-tokens") ?? 512)))
  }

  /// A reward's word: an object where it begins with a brace.
  private static func reward(_ word: String) throws -> JSONValue {
    guard word.hasPrefix("{") else { return .string(word) }
    do throws(JSONError) { return try JSON5.parse(word) } catch {
      throw UsageError("--reward \(word): \(error.reason)")
    }
  }

  private static func write(
    _ reports: [EvaluationReport], _ folders: [URL], to path: String
  ) throws {
    var text = ""
    for (report, folder) in zip(reports, folders) {
      for completion in report.completions {
        let line: JSONObject = [
          "model": .string(folder.relativePath),
          "group": .integer(Int64(completion.problemIndex)),
          "prompt": completion.prompt.json, "completion": .string(completion.completion.text),
          "completion_ids": .array(completion.completion.tokens.map { .integer(Int64($0)) }),
          "finish": .string(completion.completion.finish.rawValue),
          "reward": completion.reward.map(JSONValue.number) ?? .null,
        ]
        text += JSONValue.object(line).jsonText + "\n"
      }
    }
    try OutputFile(path).write(text)
  }
}
