import Foundation
import Rollouts
import Tensors
import Training
import Transformer

/// `grpo score`: the log-probabilities that a model gives to completions in a file.
struct ScoreCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "score", summary: "log-probabilities and entropies of given completions",
      discussion: """
        Reads a JSON object per line with prompt_ids or prompt, and completion_ids or completion (the \
        lines of 'grpo train --rollouts' will do), and writes one per line: logprobs, log π of each \
        completion token, and entropies, of the distribution before it, both in nats. A model without \
        a tokenizer takes ids. A completion given as text is scored without an end token.

        The forward pass is that of sampling and training: the numbers are theirs, bit for bit.
        """,
      options: [
        .model,
        OptionSpecification(
          "input", .path, valueName: "FILE", default: "-", help: "the lines; '-' is standard input"),
        OptionSpecification(
          "temperature", .number(1e-3...1e3), default: "1", help: "what logits are divided by"),
        .system, .chatTemplate, .chatTemplateKwargs, .continueFinalMessage, .threads, .precision,
      ],
      examples: [
        .init("grpo score --model DIR --input rollouts.jsonl", "a line of numbers for each line"),
        .init(
          "echo '{\"prompt\":\"12+30=\",\"completion\":\"042\"}' | grpo score --model runs/sums/final",
          "one completion, given as text"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let policy = try refusing { try arguments.policy(context) }
    let rollouts: [(prompt: [TokenID], completion: [TokenID])] = try refusing {
      let file = try RolloutFile(reading: arguments.string("input") ?? "-")
      let encoder = RolloutEncoder(policy, encoder: try arguments.promptEncoder(policy))
      return try file.lines.map { try encoder.tokens(of: $0, in: file) }
    }
    context.interrupts.install()
    let scorer = RolloutScorer(policy, temperature: arguments.double("temperature") ?? 1)
    try scorer.score(rollouts) { statistics in
      try context.interrupts.check()
      context.print(exactly: try Self.line(statistics))
    }
    return .done
  }

  private static func line(_ statistics: TokenStatistics) throws(RunFailure) -> String {
    let logProbabilities = statistics.logProbabilities
    let entropies = statistics.entropies
    guard logProbabilities.allSatisfy(\.isFinite), entropies.allSatisfy(\.isFinite) else {
      throw RunFailure("the model gives numbers that aren't finite; are its weights damaged?")
    }
    // As doubles, so that whoever reads doubles gets exactly the float that was computed.
    func list(_ values: [Float]) -> JSONValue { .array(values.map { .number(Double($0)) }) }
    let line: JSONObject = ["logprobs": list(logProbabilities), "entropies": list(entropies)]
    return JSONValue.object(line).jsonText
  }
}
