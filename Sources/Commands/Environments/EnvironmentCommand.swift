import RewardKit
import Rollouts
import Training

/// `grpo environment …`: finding, trying and beginning tools and environments.
struct EnvironmentCommand: CommandGroup {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "environment", summary: "try and begin tools and environments",
      discussion: """
        An environment is an executable that speaks the line protocol, path.py:Class as TRL, OpenRLHF or SkyRL \
        have it, or an object as a config has it; tools are Python functions or verl's tools. \
        docs/environments.md has the whole of it.
        """,
      examples: [
        .init(
          "grpo environment list --tools tools.py", "the schemas that the policy is shown"),
        .init(
          "grpo environment test game.py:Game --input rows.jsonl", "play the turns that rows have"),
      ],
      subcommands: [
        EnvironmentListCommand.self, EnvironmentTestCommand.self, EnvironmentNewCommand.self,
      ])
  }
}

/// What the commands on environments have in common.
enum EnvironmentWords {
  static let positional = PositionalSpecification(
    "ENVIRONMENT", help: "an executable, path.py:Class, or an object; none where there are tools",
    isRequired: false)

  static let options = [
    OptionSpecification(
      "tools", valueName: "FILE[:NAME,…]", help: "Python functions that the policy may call",
      repeats: true),
    OptionSpecification(
      "sandbox", .choice(["none", "isolated"]), defaultDescription: "the environment's own",
      help: "how far its processes are kept from the machine"),
    OptionSpecification(
      "time-limit", .number(0.001...86_400), defaultDescription: "the environment's own, 10",
      unit: "seconds", help: "what one step may take"),
  ]

  /// Starts what is named.
  /// - Throws: `UsageError` with every fault.
  static func start(_ arguments: ParsedArguments, columns: [String]?) throws -> EnvironmentHost {
    try refusing {
      var environment: RewardSpecification?
      if let word = arguments.positional(0) {
        environment =
          word.drop(while: \.isWhitespace).first == "{"
          ? try RewardSpecification(from: JSON5.parse(word), at: "environment")
          : RewardSpecification(use: word)
      }
      if let sandbox = arguments.string("sandbox").flatMap(Sandbox.init) {
        environment?.sandbox = sandbox
      }
      if let limit = arguments.double("time-limit") { environment?.timeLimit = limit }
      guard
        let specification = EnvironmentSpecification(
          tools: arguments.strings("tools"), environment: environment)
      else { throw UsageError("neither an environment nor --tools is named") }
      return try EnvironmentHost(try specification.resolved(columns: columns))
    }
  }
}

/// `grpo environment list`: what an environment offers.
struct EnvironmentListCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "list", summary: "the tools of an environment, as the policy is shown them",
      positionals: [EnvironmentWords.positional],
      options: EnvironmentWords.options + [.json],
      examples: [.init("grpo environment list --tools tools.py", "each function's schema")])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let host = try EnvironmentWords.start(arguments, columns: nil)
    defer { host.shutDown() }
    let greeting = host.greeting
    if arguments.flag("json") {
      context.print(
        exactly: JSONValue.object([
          "name": .string(greeting.name), "acts": .string(greeting.acts.rawValue),
          "has_reward": .bool(greeting.hasReward), "tools": .array(greeting.tools),
        ]).prettyJSONText)
      return .done
    }
    context.note(
      "\(greeting.name): answers \(greeting.acts == .calls ? "turns with calls" : "every turn"), "
        + "\(greeting.hasReward ? "has a reward" : "has no reward of its own")")
    var table = Table([.text("tool"), .text("arguments"), .text("what it does")])
    for tool in greeting.tools {
      let function = tool["function"] ?? tool
      let arguments = function["parameters"]?["properties"]?.object?.keys ?? []
      table.append(
        function["name"]?.string ?? "", arguments.joined(separator: ", "),
        function["description"]?.string ?? "")
    }
    if !greeting.tools.isEmpty {
      context.print(table.text(width: context.width, style: context.style))
    }
    return .done
  }
}
