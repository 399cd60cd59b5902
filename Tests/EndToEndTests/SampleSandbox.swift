import Foundation
import TestSupport
import Testing

/// A folder with everything that the samples of the docs name, so that they run as they are written.
///
/// A `grpo` on its PATH runs the built one; `grpo train` only plans (`--dry-run`), unless it trains from
/// rollouts, which takes no time.
final class SampleSandbox: Sendable {
  let folder: TemporaryFolder

  /// Made once: nothing that a sample writes is read by another.
  static let shared = Result { try SampleSandbox() }

  private init() throws {
    folder = try TemporaryFolder()
    try writeProgram()
    try writeRows()
    try writeRewards()
    try writeEnvironments()
    try makeModels()
    try makeRuns()
    try writeCase()
  }

  /// Runs lines of shell as a reader would, in a copy of their own.
  func run(_ script: String) throws -> BuiltCommand.Result {
    let copy = try TemporaryFolder()
    try Self.copy(folder.url, to: copy.url)
    let inherited = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    return try BuiltCommand.shell(
      script, in: copy.url,
      environment: [
        "PATH": "\(copy["bin"].path):\(inherited)", "HOME": copy.url.path,
        "HF_HOME": copy["hub"].path,
      ])
  }

  /// Copies a folder's contents; of models and tokenizers, which nothing writes to in place, there are links.
  private static func copy(_ source: URL, to target: URL) throws {
    let manager = FileManager.default
    for path in try manager.subpathsOfDirectory(atPath: source.path) {
      let (from, to) = (
        source.appendingPathComponent(path), target.appendingPathComponent(path)
      )
      let type = try manager.attributesOfItem(atPath: from.path)[.type] as? FileAttributeType
      if type == .typeDirectory {
        try manager.createDirectory(at: to, withIntermediateDirectories: true)
      } else if from.pathExtension == "safetensors" || path.hasSuffix("tokenizer.json") {
        try manager.linkItem(at: from, to: to)
      } else {
        try manager.copyItem(at: from, to: to)
      }
    }
  }

  private func write(_ text: String, to name: String, isExecutable: Bool = false) throws {
    let url = folder[name]
    let manager = FileManager.default
    try manager.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
    if isExecutable {
      try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: url.path)
    }
  }

  private func grpo(_ words: String...) throws {
    let ended = try BuiltCommand.run(words, in: folder.url)
    try #require(ended.code == 0, "\(words): \(ended.errors)")
  }

  private func writeEnvironments() throws {
    try write(
      """
      def multiply(a: int, b: int) -> int:
          \"""Multiplies.

          Args:
              a: one
              b: two
          \"""
          return a * b

      """, to: "tools.py")
    try write(
      """
      class Game:
          def reset(self, **row):
              return "Guess."

          def guess(self, word: str) -> str:
              \"""Guesses.

              Args:
                  word: the word
              \"""
              return "no"

      """, to: "game.py")
  }

  private func writeProgram() throws {
    let script = """
      #!/bin/sh
      case " $* " in
        *" --rollouts "* | *" --resume "*) ;;
        " train "*) set -- "$@" --dry-run ;;
        " sft "*) set -- "$@" --sft-steps 2 --sft-batch-size 2 ;;
      esac
      exec '\(BuiltCommand.url.path)' "$@"

      """
    try write(script, to: "bin/grpo", isExecutable: true)
  }

  private func writeRows() throws {
    let sums = (10..<30).map { a in
      """
      {"prompt": "\(a)+21=", "question": "\(a)+21=", "input": "\(a)+21=", "target": "\(a + 21)", \
      "answer": "#### \(a + 21)", "ground_truth": "#### \(a + 21)", "completion": "\(a + 21)"}
      """
    }.joined(separator: "\n")
    for name in [
      "rows.jsonl", "train.jsonl", "eval.jsonl", "test.jsonl", "out.jsonl", "rollouts.jsonl",
      "gsm8k/train.jsonl", "gsm8k/test.jsonl", "gsm_hard/test.jsonl", "gsm8k-train.jsonl",
      "gsm8k-test.jsonl", "prompts.jsonl",
    ] { try write(sums + "\n", to: name) }
    let dump = (0..<4).map {
      #"{"step": 1, "prompt": "1+1=", "completion": "\#($0)", "reward": \#($0 == 2 ? 1 : 0)}"#
    }.joined(separator: "\n")
    try write(dump + "\n", to: "dump.jsonl")
    try writeAuditedRows()
  }

  /// Rows that pass an audit: enough of them, alike in every group, without personal data.
  private func writeAuditedRows() throws {
    let scores = (0..<1600).map { index in
      "\(index % 2 == 0 ? "f" : "m"),\(index / 2 % 2 == 0 ? "young" : "old"),"
        + "\(index / 4 % 2),\(index / 8 % 4 == 0 ? 1 - index / 4 % 2 : index / 4 % 2)"
    }
    try write(
      "gender,age,correct,score\n" + scores.joined(separator: "\n") + "\n", to: "scores.csv")
    let patients = (0..<60).map {
      "\($0 / 20 * 20),\(10115 + $0 % 2),\($0 % 3 == 0 ? "flu" : "cold")"
    }
    try write(
      "age,zip,illness\n" + patients.joined(separator: "\n") + "\n", to: "patients.csv")
    try write(
      #"{"prompt": "10+21=", "secret": "12", "copies": 1}"# + "\n", to: "secrets.jsonl")
    try write("Ada Lovelace\n", to: "staff.txt")
    try write("male,female\nhe,she\nhis,her\n", to: "words.csv")
    let people = (0..<12).map { #"{"prompt": "may he do \#($0)?", "answer": "yes"}"# }
    try write(people.joined(separator: "\n") + "\n", to: "people.jsonl")
    let clinic = (0..<40).flatMap { problem in
      (0..<2).map { sample in
        #"{"group": \#(problem), "prompt": "How is patient \#(problem)?", "completion": "well", "#
          + #""reward": \#(sample), "patient": "P-\#(problem)", "age": \#(20 + problem)}"#
      }
    }
    try write(clinic.joined(separator: "\n") + "\n", to: "clinic.jsonl")
    try FileManager.default.createDirectory(
      at: folder["runs/clinic"], withIntermediateDirectories: true)
    try grpo("log", "import", "clinic.jsonl", "runs/clinic/trajectories.sqlite")
  }

  /// The plugins that the pages print whole.
  private func writeRewards() throws {
    let plugin = MarkdownSamples.blocks.first { $0.text.hasPrefix("#!/usr/bin/env python3") }
    try write(#require(plugin).text, to: "brevity.py", isExecutable: true)
    for name in ["judge.py", "my_reward.py", "new_judge.py"] {
      try write(#require(plugin).text, to: name, isExecutable: true)
    }
    let function = MarkdownSamples.blocks.first { $0.text.hasPrefix("def accuracy(") }
    try write(#require(function).text, to: "my_rewards.py")
    try write(
      "def cheerful(prompts, completions, **columns):\n    return [0.0 for _ in completions]\n",
      to: "cheerful.py")
    try write(
      """
      def brevity(completions, **columns):
          return [1 / (1 + len(c)) for c in completions]
      class Repeats:
          def __init__(self, words): self.words = words
          def __call__(self, completions, **columns): return [0.0 for _ in completions]

      """, to: "my_package/rewards.py")
    let settings = MarkdownSamples.blocks.first {
      $0.page == "README.md" && $0.language == "json5"
    }
    try write(#require(settings).text, to: "run.json5")
    let recipe = MarkdownSamples.blocks.first { $0.text.hasPrefix("// gsm8k.json5") }
    try write(#require(recipe).text, to: "gsm8k.json5")
  }

  private func makeModels() throws {
    try grpo("init", "models/small", "--hidden-size", "64", "--intermediate-size", "64")
    try write(
      "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}",
      to: "models/small/chat_template.jinja")
    let copies = [
      "models/stories260K",
      "models/Qwen2.5-0.5B-Instruct", "path/to/Qwen2.5-0.5B-Instruct",
      "hub/hub/models--Qwen--Qwen2.5-0.5B/snapshots/0123",
    ]
    for copy in copies {
      let url = folder[copy]
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try FileManager.default.copyItem(at: folder["models/small"], to: url)
    }
    try write("0123", to: "hub/hub/models--Qwen--Qwen2.5-0.5B/refs/main")
  }

  private func makeRuns() throws {
    try FileManager.default.createDirectory(
      at: folder["runs"], withIntermediateDirectories: true)
    for (name, seed) in [("a", "1"), ("b", "2")] {
      let words = ["--reward", "numeric", "--reward", "format", "--seed", seed]
      let ended = try BuiltCommand.run(
        ["train", "--run", "./runs/\(name)"] + ShortJob.words(but: words), in: folder.url)
      try #require(ended.code == 0, "\(ended.errors)")
    }
    try grpo(
      "sft", "--model", "models/small", "--sft-dataset", "train.jsonl", "--run", "./runs/tuned",
      "--sft-steps", "2", "--sft-batch-size", "2")
    try grpo(
      "train", "--config", "gsm8k.json5", "--run", "./runs/gsm8k", "--max-steps", "1",
      "--prompts-per-step", "2", "--num-generations", "2", "--max-completion-length", "4",
      "--max-eval-rows", "2")
    try FileManager.default.copyItem(at: folder["runs/gsm8k"], to: folder["runs/lora"])
    for name in ["sums", "NAME", "lenient", "base", "c", "sweep-1", "sweep-2", "sweep-3"] {
      try FileManager.default.copyItem(at: folder["runs/a"], to: folder["runs/\(name)"])
    }
  }

  private func writeCase() throws {
    let text = """
      {"num_generations": 2, "policy_logps": [[-0.5, -1.0], [-0.7, -0.2]],
       "ref_logps": [[-0.6, -1.0], [-0.7, -0.3]], "mask": [[1, 1], [1, 1]], "rewards": [1, 0]}
      """
    try write(text, to: "case.json")
  }
}
