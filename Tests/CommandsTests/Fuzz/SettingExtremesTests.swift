import Foundation
import TestSupport
import Testing

@testable import Commands
@testable import Training

/// A legal value, however extreme, is refused with a sentence or makes a run that every reader accepts.
@Suite("Settings at their extremes: train, resume, replay, retrain", .serialized)
struct SettingExtremesTests {
  /// A setting and one of the ends of its range.
  struct Extreme: Codable {
    var name: String
    var word: String
    var needsAdapter: Bool
  }

  /// Settings that only make a run long, which proves nothing.
  private static let lengths: Set = [
    "max_steps", "num_train_epochs", "num_iterations", "sft_steps", "sft_epochs", "threads",
    "memory_limit", "sft_batch_size", "dynamic_sampling_limit",
  ]
  /// Those whose values reach checkpoints and the log as numbers; the others with `GRPO_FUZZ=100000`.
  private static let sections: Set = ["Sampling", "Model"]

  private static var extremes: [Extreme] {
    let isLong = ByteMutator.rounds > 2000
    return SettingDeclaration.all.filter {
      !lengths.contains($0.name) && (isLong || sections.contains($0.section))
    }.flatMap { setting -> [Extreme] in
      let words: [String] =
        switch setting.kind {
        case .integer(let range): ["\(range.lowerBound)", "\(range.upperBound)"]
        case .number(let range):
          ["\(range.lowerBound)", "\(range.upperBound)", "1e-46", "1e-30", "1e9"]
        case .boolean: ["true", "false"]
        case .choice(let names): names
        case .text, .path, .bytes, .list, .values, .object: []
        }
      return words.map {
        Extreme(
          name: setting.name, word: $0,
          needsAdapter: setting.name.hasPrefix("lora_") || setting.name == "use_rslora")
      }
    }
  }

  @Test func everyReaderTakesWhatTheWriterWrites() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("extremes-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    await #expect(processExitsWith: .success) {
      [place = folder.path as String, extremes = Self.extremes as [Extreme]] in
      _ = FileManager.default.changeCurrentDirectoryPath(place)
      try CommandFuzz.prepare()
      var faults: [String] = []
      var trained = 0
      for extreme in extremes {
        let named = "\(extreme.name)=\(extreme.word)"
        try Data("a trap or a hang at \(named)".utf8).write(to: URL(fileURLWithPath: "faults"))
        alarm(30)
        if try Self.goesThrough(extreme, &faults) { trained += 1 }
      }
      if trained < 10 { faults.append("only \(trained) of \(extremes.count) were trained with") }
      try Data(faults.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: "faults"))
    }
    let faults = try String(contentsOf: folder.appendingPathComponent("faults"), encoding: .utf8)
    #expect(faults == "")
  }

  /// Trains with a value and has every reader read what was written; false where the value was refused.
  private static func goesThrough(_ extreme: Extreme, _ faults: inout [String]) throws -> Bool {
    func grpo(_ words: [String]) -> (code: ExitCode, said: String) {
      let context = CommandContext.memory()
      let code = runCommandLine(words, context: context)
      return (code, context.standardError.text)
    }
    for run in ["x", "y"] { try? FileManager.default.removeItem(atPath: run) }
    let option = "--\(extreme.name.replacing("_", with: "-"))=\(extreme.word)"
    let trained = grpo(
      [
        "train", "--model", "tiny", "--dataset", "d.jsonl", "--reward", CommandFuzz.reward,
        "--max-steps", "2", "--prompts-per-step", "1", "--num-generations", "2",
        "--max-completion-length", "3", "--save-steps", "1", "--threads", "1", "--memory-limit",
        "300MiB", "--run", "./x",
      ] + (extreme.needsAdapter ? ["--use-peft", "--lora-r=2"] : []) + [option])
    guard trained.code == .done else {
      // A sentence, not silence.
      if !trained.said.contains("error: ") {
        faults.append("\(option): \(trained.code), \(trained.said)")
      }
      return false
    }
    for words in [
      ["train", "--resume", "./x", "--max-steps", "3"], ["replay", "./x"],
      ["train", "--rollouts", "./x", "--run", "./y"],
    ] {
      let read = grpo(words)
      if read.code != .done {
        faults.append("\(option), then \(words.joined(separator: " ")): \(read.said.suffix(300))")
      }
    }
    return true
  }
}
