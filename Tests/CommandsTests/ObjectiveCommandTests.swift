import Foundation
import Rollouts
import Testing

@testable import Commands

@Suite("grpo objective")
struct ObjectiveCommandTests {
  /// Runs the command on a case written to a file of its own.
  private func run(_ words: [String], numbers: String? = nil) throws
    -> (code: ExitCode, output: String, notes: String)
  {
    var words = ["objective"] + words
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("case-\(UUID().uuidString).json")
    defer { try? FileManager.default.removeItem(at: file) }
    if let numbers {
      try Data(numbers.utf8).write(to: file)
      words.append(file.path)
    }
    let context = CommandContext.memory()
    let code = runCommandLine(words, context: context)
    return (code, context.standardOutput.text, context.standardError.text)
  }

  private let numbers = """
    {"num_generations": 2, "policy_logps": [[-1, -1], [-1]], "rewards": [1, 0]}
    """

  @Test("answers in the layout of the golden files, once for the command line's settings")
  func answer() throws {
    let result = try run(["--like", "dr-grpo", "--max-completion-length", "4"], numbers: numbers)
    #expect(result.code == .done)
    let answer = try JSONValue.parse(result.output)["results"]?.array
    #expect(answer?.count == 1)
    #expect(answer?[0]["advantages"] == [0.5, -0.5])
    // Every ratio is 1: (−0.5·2 + 0.5) / (2·4).
    #expect(answer?[0]["loss"]?.double == -0.0625)
    #expect(answer?[0]["grad_policy_logps"] == [[-0.0625, -0.0625], [0.0625]])
  }

  @Test("an option wins over the preset, a config of the case over the option")
  func precedence() throws {
    let configured = numbers.replacing(
      "{\"num", with: "{\"configs\": [{\"scale_rewards\": \"none\"}], \"num")
    let result = try run(["--like", "trl", "--scale-rewards", "group"], numbers: configured)
    #expect(try JSONValue.parse(result.output)["results"]?.array?[0]["advantages"] == [0.5, -0.5])
    let option = try run(["--like", "trl", "--scale-rewards", "none"], numbers: numbers)
    #expect(try JSONValue.parse(option.output)["results"]?.array?[0]["advantages"] == [0.5, -0.5])
  }

  @Test("explains a preset without a case")
  func explain() throws {
    let result = try run(["--explain", "reinforce++"])
    #expect(result.code == .done && result.notes.isEmpty)
    #expect(result.output.contains("arXiv 2501.03262") && result.output.contains("Equations"))
  }

  @Test("refuses what is wrong, all at once, before any work")
  func refusals() throws {
    let preset = try run(["--like", "dapp"], numbers: numbers)
    #expect(preset.code == .usage && preset.notes.contains("did you mean dapo?"))
    let options = try run(["--delta", "wide", "--epsilon-high", "x"], numbers: numbers)
    #expect(options.code == .usage && options.notes.contains("2 faults"))
    let beta = try run(["--beta", "0.1"], numbers: numbers)
    #expect(beta.code == .usage && beta.notes.contains("beta is 0.1"))
    #expect(try run(["no-such-file.json"]).code == .usage)
    #expect(try run([]).code == .usage)
    #expect(try run([], numbers: "{").code == .usage)
    let peer = try run(["--clip_ratio", "0.3"], numbers: numbers)
    #expect(peer.notes.contains("verl's name for --epsilon"))
  }

  @Test("warns of what is legal but odd, and answers")
  func warnings() throws {
    let result = try run(["--epsilon-high", "0.1"], numbers: numbers)
    #expect(result.code == .done && result.notes.contains("epsilon_high is 0.1, below epsilon 0.2"))
    let none = try run(["--epsilon-high", "none"], numbers: numbers)
    #expect(none.code == .done && none.notes.isEmpty)
  }
}
