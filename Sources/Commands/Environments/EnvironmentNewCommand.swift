import Foundation
import RewardKit
import Rollouts

/// `grpo environment new NAME`: an environment that works as it is, to begin from.
struct EnvironmentNewCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "new", summary: "begin an environment",
      positionals: [
        PositionalSpecification("NAME", help: "letters, digits and hyphens; also the folder's name")
      ],
      options: [
        OptionSpecification(
          "language", .choice(["python", "program", "swift"]), default: "python",
          help: "a class as TRL has it, an executable over the line protocol, or a Swift package"),
        OptionSpecification(
          "folder", .path, valueName: "FOLDER", default: ".", help: "where its folder is made"),
        OptionSpecification(
          "package", .path, valueName: "FOLDER", defaultDescription: "that of this executable",
          help: "grpo's own checkout, which a Swift environment depends on"),
      ],
      examples: [.init("grpo environment new riddle", "a Python class, and rows with turns")])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let name = arguments.positional(0) ?? ""
    let folder = try ScaffoldFolder.make(name: name, in: arguments.string("folder"))
    let scaffold: RewardScaffold
    switch arguments.string("language") {
    case "swift":
      scaffold = .swiftEnvironment(
        name: name, package: try ScaffoldFolder.package(arguments.string("package")))
    case "program": scaffold = .environmentProgram(name: name)
    default: scaffold = .pythonEnvironment(name: name)
    }
    try scaffold.write(to: folder)
    context.print("made \(folder.path)")
    for file in scaffold.files { context.print("  \(file.path)") }
    let use = scaffold.use(in: folder)
    let rows = folder.appendingPathComponent("rows.jsonl").relativePath
    context.print("\ntry it:  grpo environment test \(use) --input \(rows)")
    return .done
  }
}

extension RewardScaffold {
  private static func rows(_ turns: [String]) -> File {
    let row: JSONValue = [
      "prompt": [["role": "user", "content": "I think of a number from 0 to 9. Guess it."]],
      "secret": 7, "turns": .array(turns.map { .string($0) }),
    ]
    return File(path: "rows.jsonl", text: row.jsonText + "\n")
  }

  /// A Python class, as TRL takes it.
  static func pythonEnvironment(name: String) -> RewardScaffold {
    let file = name.replacing("-", with: "_") + ".py"
    let text = """
      \"""\(name): a number to guess. Change it to your own.\"""


      class Environment:
          \"""One trajectory: made anew for each, reset with the row, its public methods are the tools.\"""

          def reset(self, secret, **row):
              self.secret = secret
              self.guesses = 0
              self.found = False

          def guess(self, number: int) -> str:
              \"""Guesses the number.

              Args:
                  number: the guess, from 0 to 9
              \"""
              self.guesses += 1
              self.found = number == self.secret
              if self.found:
                  return "right"
              return "higher" if number < self.secret else "lower"

          def get_reward(self) -> float:
              return 1 / self.guesses if self.found else 0.0

      """
    let turns = [3, 7].map {
      "<tool_call>\n{\"name\": \"guess\", \"arguments\": {\"number\": \($0)}}\n</tool_call>"
    }
    return RewardScaffold(
      files: [File(path: file, text: text), rows(turns + ["It is 7."])],
      entry: file + ":Environment")
  }

  /// An executable over the line protocol.
  static func environmentProgram(name: String) -> RewardScaffold {
    let file = name.replacing("-", with: "_") + ".py"
    let text = """
      #!/usr/bin/env python3
      \"""\(name): a number to guess, over the line protocol. Any language will do.\"""

      import json
      import sys


      def main():
          sessions = {}
          for line in sys.stdin:
              ask = json.loads(line)
              if "hello" in ask:
                  # sessions: how many trajectories this process holds at one time; null is any number.
                  say(grpo=1, kind="environment", name="\(name)", acts="text", sessions=None, has_reward=True)
                  continue
              key, reply = ask["session"], {"id": ask["id"]}
              if "reset" in ask:
                  sessions[key] = {"secret": ask["reset"]["columns"]["secret"], "reward": 0.0}
              elif "step" in ask:
                  guess, secret = ask["step"]["text"].strip(), sessions[key]["secret"]
                  if guess == str(secret):
                      sessions[key]["reward"] = 1.0
                      reply["done"] = True
                  elif not guess.isdigit():
                      reply["observation"] = "a number, please"
                  else:
                      reply["observation"] = "higher" if int(guess) < secret else "lower"
              else:
                  reply["reward"] = sessions.pop(key)["reward"]
              say(**reply)


      def say(**members):
          print(json.dumps(members), flush=True)


      main()

      """
    return RewardScaffold(
      files: [File(path: file, text: text, isExecutable: true), rows(["3", "7"])], entry: file)
  }

  /// A Swift package on RewardKit.
  static func swiftEnvironment(name: String, package: URL) -> RewardScaffold {
    let type = typeName(of: name)
    let source = """
      // \(name): a number to guess. Change it to your own.
      import RewardKit

      @main struct \(type): EnvironmentPlugin {
        static let name = "\(name)"
        let secret: Int
        var found = false

        init(problem: Problem, parameters: RewardParameters) throws {
          guard let secret = problem.columns["secret"]?.integer else {
            throw Unscorable("the row has no secret")
          }
          self.secret = secret
        }

        mutating func step(_ turn: AssistantTurn) -> Observation {
          guard let guess = Int(turn.content) else { return Observation("a number, please") }
          found = guess == secret
          return found ? Observation("", isDone: true) : Observation(guess < secret ? "higher" : "lower")
        }

        func reward() -> Double? { found ? 1 : 0 }
      }

      """
    return RewardScaffold(
      files: [
        File(path: "Package.swift", text: manifest(name: name, package: package)),
        File(path: "Sources/\(type).swift", text: source), rows(["3", "7"]),
        File(path: ".gitignore", text: ".build/\n"),
      ], entry: nil)
  }
}
