import BuiltInRewards
import RewardKit
import Rollouts
import Training

/// `grpo reward …`: finding, trying, checking and beginning rewards.
struct RewardCommand: CommandGroup {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "reward", summary: "find, try, check and begin rewards; score a log anew",
      discussion: """
        A reward is a built-in's name, an executable, path.py:function, or a folder with a \
        Package.swift; with settings, an object as in a config, such as \
        '{use: "numeric", columns: {answer: "target"}}'. docs/rewards.md has the whole of it.
        """,
      examples: [
        .init("grpo reward list", "what ships and what lies in Rewards/"),
        .init("grpo reward new brevity --language python", "begin a plugin of your own"),
      ],
      subcommands: [
        RewardListCommand.self, RewardTestCommand.self, RewardCheckCommand.self,
        RewardNewCommand.self, RewardRescoreCommand.self,
      ])
  }
}

/// What the commands on rewards have in common.
enum RewardWords {
  /// The positional by which rewards are named.
  static let positional = PositionalSpecification(
    "REWARD", help: "a built-in, an executable, path.py:function, a package's folder, or an object",
    suggestions: RewardCatalogue.shipped.names)

  /// Options that every command takes which runs rewards.
  static let options = [
    OptionSpecification(
      "columns", valueName: "NEW=OLD",
      help: "a column's new name, as in 'grpo train': prompt=question", repeats: true),
    OptionSpecification(
      "limit", .integer(1...Int.max), valueName: "N", defaultDescription: "all", unit: "rows",
      help: "how many rows are used, from the first"),
    OptionSpecification(
      "sandbox", .choice(["none", "isolated"]), defaultDescription: "the reward's own",
      help: "how far its process is kept from the machine"),
    OptionSpecification(
      "time-limit", .number(0.001...86_400), defaultDescription: "the reward's own, 10",
      unit: "seconds", help: "what one completion may take"),
    OptionSpecification(
      "workers", .integer(1...1024), defaultDescription: "the reward's own, 1",
      help: "processes that score in parallel"),
  ]

  /// Reads a reward's words, with the options that override them.
  /// - Throws: `UsageError` with every fault.
  static func specification(_ arguments: ParsedArguments, _ word: String) throws
    -> RewardSpecification
  {
    var specification = try refusing {
      guard word.drop(while: \.isWhitespace).first == "{" else {
        return try RewardSpecification(word)
      }
      return try RewardSpecification(from: JSON5.parse(word), at: "reward")
    }
    if let sandbox = arguments.string("sandbox").flatMap(Sandbox.init) {
      specification.sandbox = sandbox
    }
    if let limit = arguments.double("time-limit") { specification.timeLimit = limit }
    if let workers = arguments.integer("workers") { specification.workers = workers }
    // What fails is the result here, and no reason to stop.
    specification.failureLimit = 1
    if specification.onError == .stop { specification.onError = .unscorable }
    return specification
  }

  /// The mapping of `--columns`.
  static func mapping(_ arguments: ParsedArguments) throws -> ColumnMapping {
    let words = arguments.strings("columns").flatMap { $0.split(separator: ",").map(String.init) }
    guard let mapping = ColumnMapping(words) else {
      throw UsageError("--columns must be NEW=OLD, such as prompt=question")
    }
    return mapping
  }

  /// A range as people write it.
  static func text(of range: ClosedRange<Double>?) -> String {
    guard let range else { return "any" }
    let bounds = [range.lowerBound, range.upperBound].map { JSONValue.number($0).plainText }
    return "\(bounds[0]) … \(bounds[1])"
  }
}
