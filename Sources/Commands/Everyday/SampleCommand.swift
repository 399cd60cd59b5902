import Foundation
import Rollouts
import Synchronization
import Tensors
import Training
import TrajectoryStore
import Transformer

/// `grpo sample`: completions of prompts, to read or for programs.
struct SampleCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "sample", summary: "ask a model for completions",
      discussion: """
        The prompt is the argument, a file's rows (--input), or standard input as one text. A single \
        completion is written as it grows; several come in order, each below its number.

        The same seed gives the same completions, whatever the threads and the number asked for. \
        With --json a line per completion, in the form that 'grpo score' and 'grpo train --rollouts' \
        read, with the log-probability of each token and, under truncation, what it was drawn from.
        """,
      positionals: [
        PositionalSpecification(
          "PROMPT", help: "the text to continue; '-' or nothing is standard input",
          isRequired: false)
      ],
      options: [
        .model,
        OptionSpecification(
          "input", .path, valueName: "FILE",
          help: "rows with prompt (a text or messages) or prompt_ids, instead of PROMPT"),
        OptionSpecification(
          "count", short: "n", .integer(1...1_000_000), default: "1", unit: "completions",
          help: "completions of each prompt"),
        .flag("chat", help: "the prompt is what a user says; it goes through the chat template"),
        .system, .chatTemplate, .chatTemplateKwargs, .continueFinalMessage, .json, .threads,
        .precision,
      ] + sampling,
      examples: [
        .init("grpo sample --model runs/sums/final '12+30='", "continue a text"),
        .init(
          "grpo sample --model DIR --chat 'Why is the sky blue?' --max-new-tokens 400",
          "ask a chat model"),
        .init(
          "grpo sample --model DIR --input eval.jsonl -n 4 --json > rollouts.jsonl",
          "four completions of each row, for programs"),
      ])
  }

  private static let sampling: [OptionSpecification] = {
    func option(
      _ name: String, _ kind: ArgumentKind, default value: String, unit: String? = nil,
      _ help: String, peers: [PeerName] = []
    ) -> OptionSpecification {
      OptionSpecification(
        name, kind, default: value, unit: unit, help: help, section: "Sampling", peerNames: peers)
    }
    return [
      .flag("greedy", help: "take the likeliest token each time", section: "Sampling"),
      option(
        "temperature", .number(0...1e3), default: "1", "logits are divided by it; 0 is greedy"),
      option("top-p", .number(0...1), default: "1", "keep the likeliest tokens up to this mass"),
      option("top-k", .count, default: "0", unit: "tokens", "keep so many likeliest; 0 keeps all"),
      option(
        "min-p", .number(0...1), default: "0",
        "keep tokens at least this share as likely as the top"),
      option(
        "max-new-tokens", .integer(1...1_000_000_000), default: "256", unit: "tokens",
        "a completion is cut here", peers: [PeerName(peer: "TRL", name: "max_completion_length")]),
      option("min-new-tokens", .count, default: "0", unit: "tokens", "no end token before"),
      OptionSpecification(
        "stop", valueName: "TEXT", help: "end where this text appears; it is not printed",
        repeats: true, section: "Sampling"),
      option("seed", .integer(0...Int(Int32.max)), default: "42", "what the draws are keyed by"),
    ]
  }()

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let prompts = try refusing { try Self.prompts(arguments) }
    let stop = arguments.strings("stop").filter { !$0.isEmpty }
    let policy = try refusing { try arguments.policy(context) }
    let encoder = try refusing { try arguments.promptEncoder(policy, stop: stop) }
    let requests = try refusing { try prompts.requests(for: policy, encoder: encoder) }
    if encoder == nil, !stop.isEmpty {
      throw UsageError("--stop is text, and \(policy.folder.path) has no tokenizer.json")
    }
    context.interrupts.install()
    let count = arguments.integer("count") ?? 1
    let printer = CompletionPrinter(
      context, requests: requests, count: count, asJSON: arguments.flag("json"),
      hasText: encoder != nil)
    let sampler = CompletionSampler(policy, encoder: encoder)
    let isComplete = sampler.sample(
      requests, count: count, settings: Self.settings(arguments, policy, encoder),
      seed: UInt64(arguments.integer("seed") ?? 42),
      isCancelled: { context.interrupts.isRaised || context.standardOutput.isClosed },
      written: printer.streams ? { _, _, piece in printer.write(piece) } : nil,
      completed: printer.show)
    printer.finish()
    if !isComplete, context.interrupts.isRaised { throw Interrupted() }
    return .done
  }

  private static func prompts(_ arguments: ParsedArguments) throws -> SamplePrompts {
    let word = arguments.positional(0)
    if let input = arguments.string("input") {
      if word != nil { throw UsageError("PROMPT and --input both say what to ask; give one") }
      if arguments.flag("chat") {
        throw UsageError("--chat is for PROMPT; rows of --input have messages as their prompt")
      }
      return try SamplePrompts(reading: input)
    }
    let text: String
    if let word, word != "-" {
      text = word
    } else {
      let bytes = try FileReader.bytes(of: "/dev/stdin", limit: 1 << 28)
      guard let whole = String(validating: bytes, as: UTF8.self) else {
        throw UsageError("standard input is not UTF-8 text")
      }
      // The line feed that ends a line of a shell is none of the prompt's.
      text = whole.hasSuffix("\n") ? String(whole.dropLast()) : whole
    }
    let prompt: Prompt =
      arguments.flag("chat") ? .messages([ChatMessage(role: "user", content: text)]) : .text(text)
    return SamplePrompts([prompt], name: "the prompt")
  }

  private static func settings(
    _ arguments: ParsedArguments, _ policy: Policy, _ encoder: PromptEncoder?
  ) -> SamplingSettings {
    let longest = arguments.integer("max-new-tokens") ?? 256
    return SamplingSettings(
      temperature: arguments.flag("greedy") ? 0 : Float(arguments.double("temperature") ?? 1),
      topK: arguments.integer("top-k") ?? 0, topP: Float(arguments.double("top-p") ?? 1),
      minP: Float(arguments.double("min-p") ?? 0),
      minNewTokens: min(arguments.integer("min-new-tokens") ?? 0, longest),
      maxNewTokens: min(longest, policy.model.configuration.maximumPositions),
      endTokens: policy.endTokens(with: encoder))
  }
}

/// Writes completions: a single one as it grows, several in order, or a line of JSON each.
private final class CompletionPrinter {
  private let context: CommandContext
  private let requests: [SampleRequest]
  private let count: Int
  private let asJSON: Bool
  private let hasText: Bool
  private var waiting: [Int: SampledCompletion] = [:]
  private var next = 0

  init(
    _ context: CommandContext, requests: [SampleRequest], count: Int, asJSON: Bool, hasText: Bool
  ) {
    self.context = context
    self.requests = requests
    self.count = count
    self.asJSON = asJSON
    self.hasText = hasText
  }

  private var total: Int { requests.count * count }

  /// Whether text is written before its completion is done.
  var streams: Bool { !asJSON && hasText && total == 1 }

  func write(_ piece: String) {
    context.standardOutput.write(piece)
    if context.isTerminal { context.standardOutput.flush() }
  }

  /// Takes a completion; they are shown in order, whichever ends first.
  func show(_ completion: SampledCompletion) {
    waiting[completion.request * count + completion.sample] = completion
    while let due = waiting.removeValue(forKey: next) {
      asJSON ? context.print(exactly: json(due).jsonText) : printText(due)
      next += 1
    }
    context.standardOutput.flush()
  }

  func finish() {
    if streams { context.print() }
  }

  private func printText(_ completion: SampledCompletion) {
    if streams { return }
    if total > 1 {
      let prompt = requests.count > 1 ? "prompt \(completion.request + 1), " : ""
      context.print(context.style.dim("[\(prompt)\(completion.sample + 1)/\(count)]"))
    }
    let ids = completion.completion.tokens.map(String.init).joined(separator: " ")
    context.print(hasText ? completion.text : ids)
  }

  private func json(_ completion: SampledCompletion) -> JSONValue {
    func ids(_ tokens: [TokenID]) -> JSONValue { .array(tokens.map { .integer(Int64($0)) }) }
    func numbers(_ values: [Float]) -> JSONValue { .array(values.map { .number(Double($0)) }) }
    let request = requests[completion.request]
    let drawn = completion.completion
    var line: JSONObject = ["group": .integer(Int64(completion.request))]
    if let prompt = request.prompt { line["prompt"] = prompt.json }
    line["prompt_ids"] = ids(request.tokens)
    if hasText { line["completion"] = .string(completion.text) }
    line["completion_ids"] = ids(drawn.tokens)
    line["old_logprobs"] = numbers(drawn.statistics.logProbabilities)
    if !drawn.keptSets.isEmpty {
      line["kept_sets"] = .array(drawn.keptSets.map { $0?.json ?? .null })
    }
    line["entropies"] = numbers(drawn.statistics.entropies)
    line["finish"] = .string(drawn.finish.rawValue)
    return .object(line)
  }
}
