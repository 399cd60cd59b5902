import Testing
import Training

@testable import Commands

@Suite("Words of a command line")
struct ArgumentParserTests {
  private let specification = CommandSpecification(
    name: "try", summary: "tries the parser",
    positionals: [
      PositionalSpecification("FILE", .path, help: "a file"),
      PositionalSpecification("MORE", help: "more words", isRequired: false),
    ],
    options: [
      OptionSpecification(
        "num-generations", .integer(2...64), default: "8", help: "completions per prompt",
        peerNames: [PeerName(peer: "verl", name: "rollout.n")]),
      OptionSpecification("learning-rate", .number(0...1), default: "1e-6", help: "step size"),
      OptionSpecification("reward", help: "a reward", repeats: true),
      OptionSpecification("shuffle", .boolean, default: "true", help: "shuffle"),
      OptionSpecification("loss-type", .choice(["grpo", "dapo"]), default: "dapo", help: "loss"),
      OptionSpecification("output", short: "o", .path, help: "where to"),
      .json,
    ])

  private func parse(_ words: String...) throws -> ParsedArguments {
    try ArgumentParser.parse(words[...], for: specification, commandPath: "grpo try")
  }

  @Test("Defaults, both spellings of a value, both spellings of a name")
  func values() throws {
    let arguments = try parse(
      "in.jsonl", "--num_generations", "4", "--learning-rate=5e-4", "--reward", "a=2",
      "--reward=b", "-o", "out", "--json")
    #expect(arguments.positionals == ["in.jsonl"])
    #expect(arguments.integer("num-generations") == 4)
    #expect(arguments.double("learning-rate") == 5e-4)
    #expect(arguments.strings("reward") == ["a=2", "b"])
    #expect(arguments.string("output") == "out")
    #expect(arguments.string("loss-type") == "dapo")
    #expect(arguments.flag("json"))
    #expect(arguments.flag("shuffle"))
    #expect(!arguments.isGiven("shuffle"))
  }

  @Test("A boolean is denied by --no- and by =false")
  func booleans() throws {
    #expect(try !parse("f", "--no-shuffle").flag("shuffle"))
    #expect(try !parse("f", "--shuffle=false").flag("shuffle"))
    #expect(try parse("f", "--shuffle").flag("shuffle"))
  }

  @Test("Negative numbers are values and words, -- ends the options")
  func dashes() throws {
    let specification = CommandSpecification(
      name: "n", summary: "", positionals: [.init("X", .number, help: "", repeats: true)],
      options: [.init("shift", .number, help: "")])
    let arguments = try ArgumentParser.parse(
      ["--shift", "-5", "-1.5", "--", "-2"], for: specification, commandPath: "n")
    #expect(arguments.double("shift") == -5)
    #expect(arguments.positionals == ["-1.5", "-2"])
    #expect(try parse("--", "--json").positionals == ["--json"])
  }

  @Test("All faults are reported at once")
  func allFaults() throws {
    let error = #expect(throws: UsageError.self) {
      try parse("--num-generations", "1", "--learning-rate", "fast", "--loss-type=x", "--output")
    }
    #expect(
      error?.faults == [
        "--num-generations must be from 2 to 64, not 1",
        "--learning-rate must be a number, not 'fast'",
        "--loss-type must be one of grpo, dapo, not 'x'",
        "--output needs a value: --output PATH",
        "FILE is missing: a file",
      ])
  }

  @Test(
    "An unknown option names the nearest one, or whose name it is",
    arguments: [
      ("--learning-rat", "unknown option --learning-rat; did you mean --learning-rate?"),
      ("--numgenerations", "unknown option --numgenerations; did you mean --num-generations?"),
      ("--rollout.n", "'rollout.n' is verl's name for --num-generations"),
      (
        "--actor_rollout_ref.rollout.n=8",
        "'actor_rollout_ref.rollout.n' is verl's name for --num-generations"
      ),
      ("--zzzzzzzzzz", "unknown option --zzzzzzzzzz; see 'grpo try --help'"),
      ("-q", "unknown option -q; see 'grpo try --help'"),
      ("--json=1", "--json takes no value"),
    ])
  func unknown(word: String, fault: String) throws {
    let error = #expect(throws: UsageError.self) { try parse("f", word) }
    #expect(error?.faults == [fault])
  }

  @Test("A peer's key=value among the words is recognised")
  func peerWord() throws {
    let error = #expect(throws: UsageError.self) { try parse("f", "g", "rollout.n=8", "h") }
    #expect(
      error?.faults == [
        "'rollout.n' is verl's name for --num-generations", "unexpected word 'h'",
      ])
  }

  @Test("Whole numbers may be written with an exponent or underscores")
  func wholeNumbers() {
    #expect(ArgumentKind.integer("1e3") == 1000)
    #expect(ArgumentKind.integer("1_000") == 1000)
    #expect(ArgumentKind.integer("1.5e0") == nil)
    #expect(ArgumentKind.integer("1e400") == nil)
    #expect(ArgumentKind.integer("") == nil)
    #expect(ArgumentKind.integer("99999999999999999999") == nil)
  }
}
