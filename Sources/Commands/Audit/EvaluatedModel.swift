import Foundation
import Rollouts
import Training
import Transformer

/// A model that an audit asks a data set, with the options that say how.
struct EvaluatedModel {
  private static let section = "Models"

  /// `--model`, `--dataset` and what belongs to them.
  static let options: [OptionSpecification] =
    [
      OptionSpecification(
        "model", .path, valueName: "DIR", help: "ask this model instead of reading scores",
        section: section),
      OptionSpecification(
        "dataset", .path, valueName: "FILE", help: "the problems it is asked", section: section),
      OptionSpecification(
        "reward", valueName: "WHAT", help: "as in 'grpo train', with =weight",
        repeats: true, section: section),
      OptionSpecification(
        "columns", valueName: "NEW=OLD", help: "columns to rename, as in 'grpo train'",
        repeats: true, section: section),
      OptionSpecification(
        "limit", .integer(1 ... .max), defaultDescription: "all", unit: "problems",
        help: "problems from the first", section: section),
      OptionSpecification(
        "samples", short: "n", .integer(1...100_000), default: "1", unit: "completions",
        help: "completions of each problem", section: section),
      OptionSpecification(
        "temperature", .number(0...1e3), defaultDescription: "0 with one completion, otherwise 1",
        help: "logits are divided by it; 0 takes the likeliest token", section: section),
      OptionSpecification(
        "max-new-tokens", .integer(1...1_000_000_000), default: "512", unit: "tokens",
        help: "a completion is cut here", section: section),
    ]
    + [
      OptionSpecification.system, .chatTemplate, .chatTemplateKwargs, .continueFinalMessage,
      .threads, .precision,
    ].map { option in
      var option = option
      option.section = section
      return option
    }

  let arguments: ParsedArguments

  /// Reads the problems.
  func dataset() throws -> Dataset {
    var faults: [String] = []
    if !arguments.isGiven("dataset") { faults.append("--dataset is missing: a file of problems") }
    if !arguments.isGiven("reward") {
      faults.append("--reward is missing: what is right, such as --reward exact_match")
    }
    let words = arguments.strings("columns").flatMap { $0.split(separator: ",").map(String.init) }
    let mapping = ColumnMapping(words)
    if mapping == nil { faults.append("--columns must be NEW=OLD, such as prompt=question") }
    guard faults.isEmpty, let path = arguments.string("dataset") else { throw UsageError(faults) }
    return try refusing {
      try ModelEvaluation.problems(
        path, mapping: mapping ?? .identity, limit: arguments.integer("limit"))
    }
  }

  /// Asks the model every problem; the report's completions are in their order.
  /// - Throws: `UsageError` for what is wrong before the first completion, `Interrupted` after.
  func ask(_ dataset: Dataset, _ context: CommandContext) throws -> EvaluationReport {
    let samples = arguments.integer("samples") ?? 1
    let seed = UInt64(clamping: arguments.integer("seed") ?? 42)
    let temperature = arguments.double("temperature") ?? (samples == 1 ? 0 : 1)
    let evaluation = try refusing {
      try ModelEvaluation(
        dataset, rewards: arguments.strings("reward").map(Self.reward),
        settings: ModelEvaluation.Settings(
          seed: seed, samples: samples,
          sampling: SamplingSettings(
            temperature: Float(temperature), topP: 1,
            maxNewTokens: arguments.integer("max-new-tokens") ?? 512)))
    }
    defer { evaluation.shutDown() }
    let policy = try refusing { try arguments.policy(context) }
    let encoded = try refusing {
      _ = try policy.requireTokenizer()
      guard let encoder = try arguments.promptEncoder(policy) else {
        throw UsageError("\(policy.folder.path) has no tokenizer.json")
      }
      return try evaluation.encode(encoder)
    }
    context.interrupts.install()
    guard
      let report = try evaluation.evaluate(
        policy, on: encoded, isCancelled: { context.interrupts.isRaised })
    else { throw Interrupted() }
    return report
  }

  /// A reward's word: an object where it begins with a brace.
  static func reward(_ word: String) throws -> JSONValue {
    guard word.hasPrefix("{") else { return .string(word) }
    do throws(JSONError) { return try JSON5.parse(word) } catch {
      throw UsageError("--reward \(word): \(error.reason)")
    }
  }
}
