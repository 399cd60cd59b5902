import Foundation
import Rollouts
import Synchronization

@testable import Commands
@testable import Training
@testable import TrajectoryStore

/// Runs whole command lines in this process, which is a child of the test's: a trap ends it, and what it was at
/// stands in `GRPO_FUZZ_CASE` or, failing that, in a file of the temporary folder.
struct CommandFuzz {
  /// A command that is tried, and the words that make it quick.
  struct Subject: Sendable {
    var path: String
    /// Legal words after the command's own; those drawn come after and win.
    var words: [String]
    /// Words drawn anew for each line.
    var drawn: @Sendable (inout BoundaryWords) -> [String] = { _ in [] }
    /// Words that come last.
    var last: [String] = []
    /// The greatest whole number worth trying.
    var longest = Int.max
  }

  static let reward = #"{use: "length", parameters: {target: 3, tolerance: 3}}"#

  private static let tiny = [
    "--model", "tiny", "--dataset", "d.jsonl", "--reward", reward, "--max-steps", "1",
    "--prompts-per-step", "1", "--num-generations", "2", "--max-completion-length", "2",
  ]

  static let subjects =
    [
      // A step of a million prompts is legal, and planning it takes seconds.
      Subject(path: "train", words: tiny, last: ["--dry-run"], longest: 10_000),
      Subject(
        path: "train", words: ["--rollouts", "r.jsonl", "--model", "tiny"], last: ["--dry-run"]),
      Subject(path: "sft", words: ["--model", "tiny", "--dataset", "s.jsonl", "--run", "taken"]),
      Subject(path: "init", words: ["new", "--layers", "1", "--hidden-size", "8"], longest: 64),
      Subject(
        path: "sample", words: ["--model", "tiny", "1+", "--max-new-tokens", "2"], longest: 300),
      Subject(path: "score", words: ["--model", "tiny", "--input", "r.jsonl"]),
      Subject(
        path: "eval",
        words: [
          "--model", "tiny", "--dataset", "d.jsonl", "--reward", reward, "--max-new-tokens", "2",
        ], longest: 300),
      Subject(path: "reward test", words: ["length", "--input", "r.jsonl"], longest: 8),
      Subject(path: "reward check", words: ["numeric", "--dataset", "d.jsonl"], longest: 8),
      Subject(path: "reward list", words: []),
      Subject(path: "objective", words: ["case.json"]),
      Subject(path: "replay", words: ["taken"]),
      Subject(path: "export", words: ["taken"]),
      Subject(path: "data inspect", words: ["d.jsonl"]),
      Subject(path: "data make", words: ["sums"], longest: 300),
      Subject(
        path: "bench", words: ["--prompts", "1", "--group", "1", "--repeats", "1"], longest: 4),
      Subject(path: "settings", words: []),
    ] + ofLogs

  /// Commands that read logs, on logs that others wrote.
  private static let ofLogs = [
    Subject(
      path: "query", words: ["--time-limit=1"],
      drawn: { draw in
        let report = draw.one(of: Report.all)
        let question =
          draw.below(3) == 0
          ? [draw.one(of: HostileLogs.questions)]
          : [report.name]
            + [draw.one(of: ["0", "1", "2"] + runs), draw.word(.text)].prefix(draw.below(3))
        return [draw.one(of: runs)] + question
      }),
    Subject(
      path: "report", words: [], drawn: { draw in [draw.one(of: runs), draw.one(of: runs)] },
      last: ["--output=-"]),
    Subject(
      path: "log export", words: [], drawn: { draw in [draw.one(of: runs)] }, last: ["--output=-"]),
    Subject(
      path: "log import", words: [],
      drawn: { draw in [draw.one(of: files + ["export.jsonl", "hostile.jsonl"]), "new"] }),
    Subject(
      path: "log merge", words: [], drawn: { draw in [draw.one(of: runs), draw.one(of: runs)] },
      last: ["--output=new"]),
    Subject(path: "log prune", words: [], drawn: { draw in [draw.one(of: runs)] }),
    Subject(path: "log migrate", words: [], drawn: { draw in [draw.one(of: runs)] }),
    Subject(path: "log schema", words: []),
    Subject(path: "log bench", words: ["new", "--completions=64", "--length=2"], longest: 100),
    Subject(
      path: "doctor", words: [],
      drawn: { draw in
        draw.below(2) == 0
          ? ["--same", draw.one(of: runs), draw.one(of: runs)]
          : [
            "--verify",
            draw.one(of: runs + ["tiny", "taken/checkpoints/step-000002", "taken/final"]),
          ]
      }),
    Subject(
      path: "reward rescore", words: ["--reward", reward], drawn: { draw in [draw.one(of: runs)] },
      last: ["--into=new"], longest: 8),
    Subject(path: "replay", words: [], drawn: { draw in [draw.one(of: runs)] }),
    Subject(
      path: "train", words: ["--threads=1"], drawn: { draw in ["--resume", draw.one(of: runs)] },
      longest: 8),
    Subject(
      path: "train", words: ["--threads=1", "--run=new", "--memory-limit=300MiB"],
      drawn: { draw in ["--rollouts", draw.one(of: runs)] }, longest: 8),
  ]

  private static let runs = ["./taken"] + HostileLogs.runs

  /// Makes the files that the command lines name, in the current folder.
  static func prepare() throws {
    func run(_ words: String...) { _ = runCommandLine(words, context: .memory()) }
    run(
      "init", "tiny", "--hidden-size", "8", "--intermediate-size", "12", "--layers", "1", "--heads",
      "2",
      "--kv-heads", "1", "--context", "32", "--alphabet", "0123456789+= ")
    let files = [
      "d.jsonl": "{\"prompt\":\"1+1=\",\"answer\":\"2\"}\n{\"prompt\":\"2+1=\",\"answer\":\"3\"}\n",
      "s.jsonl": "{\"prompt\":\"1+1=\",\"completion\":\"2\"}\n",
      "r.jsonl":
        "{\"group\":1,\"prompt\":\"1+1=\",\"completion\":\"2\",\"reward\":1}\n"
        + "{\"group\":1,\"prompt\":\"1+1=\",\"completion\":\"3\",\"reward\":0}\n",
      "case.json":
        "{\"name\":\"c\",\"rewards\":[[1],[0]],\"reward_weights\":[1],\"num_generations\":2,"
        + "\"old_logprobs\":[[-1,-2],[-1]],\"logprobs\":[[-1,-2],[-1]]}",
      "deep.json": String(repeating: "[", count: 4000),
    ]
    for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: name)) }
    run(
      "train", "--model", "tiny", "--dataset", "d.jsonl", "--reward", reward, "--max-steps", "2",
      "--prompts-per-step", "1", "--num-generations", "2", "--max-completion-length", "2", "--run",
      "./taken", "--threads", "1")
    run("log", "export", "./taken", "--output", "export.jsonl")
    let hostile = [
      #"{"prompt":"a","completion":"b","reward":1,"step":9223372036854775807,"x":-9223372036854775808}"#,
      #"{"prompt":"a","completion":"","reward":{"r":1e308,"s":-1e308},"step":-9223372036854775808}"#,
      #"{"prompt_ids":[],"completion_ids":[2147483647],"old_logprobs":[1e400],"reward":null}"#,
      #"{"prompt":[],"completion":"\u001b[2J","advantage":5e-324,"group":1e308,"steps":[[1,1]]}"#,
    ]
    try Data(hostile.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: "hostile.jsonl"))
    try HostileLogs.make(from: "./taken")
  }

  static let files = ["tiny", "d.jsonl", "s.jsonl", "r.jsonl", "case.json", "deep.json", "./taken"]

  /// Runs so many command lines of a subject, each told of before it is run.
  static func run(
    _ index: Int, seed: UInt64, rounds: Int, seconds: Double, tell: ([String]) -> Void
  ) -> Int {
    let subject = subjects[index]
    guard let call = try? CommandList.resolve(subject.path.split(separator: " ").map(String.init))
    else { preconditionFailure("there is no command \(subject.path)") }
    let specification = call.command.specification
    let options = specification.options.filter {
      !["output", "interactive", "preset", "follow"].contains($0.name)
    }
    var draw = BoundaryWords(seed: seed, files: files)
    draw.longest = subject.longest
    let start = Date()
    for round in 0..<rounds {
      if Date().timeIntervalSince(start) > seconds { return round }
      var words = subject.path.split(separator: " ").map(String.init) + subject.words
      words += subject.drawn(&draw)
      if subject.path == "train", draw.below(3) == 0 {
        words += config(&draw)
      }
      for _ in 0...draw.below(3) where !options.isEmpty {
        let option = draw.one(of: options)
        words.append(
          option.kind == .flag ? "--\(option.name)" : "--\(option.name)=\(draw.word(option.kind))")
      }
      if draw.below(6) == 0, let positional = specification.positionals.first {
        words.append(draw.word(positional.kind))
      }
      words += subject.last
      tell(words)
      var context = CommandContext.memory()
      let polls = Atomic<Int>(0)
      context.interrupts = InterruptFlag(raisedWhen: {
        polls.add(1, ordering: .relaxed).newValue > 40
      })
      _ = runCommandLine(words, context: context)
      for name in ["new", "new-wal", "new-shm", "runs"] {
        try? FileManager.default.removeItem(atPath: name)
      }
    }
    return rounds
  }

  /// A config file of two to five settings.
  private static func config(_ draw: inout BoundaryWords) -> [String] {
    var members: JSONObject = [:]
    for _ in 0...(1 + draw.below(4)) {
      let setting = draw.one(of: SettingDeclaration.all)
      members[setting.name] = draw.json(setting.kind)
    }
    try? Data(JSONValue.object(members).jsonText.utf8).write(to: URL(fileURLWithPath: "c.json5"))
    return ["--config", "c.json5"]
  }
}
