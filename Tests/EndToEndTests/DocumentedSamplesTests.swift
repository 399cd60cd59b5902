import Foundation
import TestSupport
import Testing

@Suite("The samples of README, docs and help")
struct DocumentedSamplesTests {
  /// Blocks of shell that aren't run here, by what they begin with, and why not.
  static let exempt = [
    "sudo apt-get install": "installs, builds and trains for minutes; continuous integration does",
    "swift test": "is what runs this", "swift build": "takes minutes",
    "clang -O2": "compares the kernels' tables; continuous integration does",
    "pip install": "needs a package index",
    "huggingface-cli": "needs the hub",
    "hf download": "needs the hub",
    "python3 - <<": "needs the hub",
    "git clone": "needs a network",
    "mpirun": "needs an MPI library; RankTests starts ranks",
    "python Tests/Reference": "needs the reference libraries",
    "GRPO_": "asks for tests to do more than in every run",
  ]
  /// Commands that are not run here, and why not.
  static let heavy = [
    "grpo bench --preset smollm2": "takes 2.3 GiB", "grpo bench --repeats": "takes both cores",
    "grpo log bench": "writes a log of gigabytes",
    "mpirun": "needs an MPI library; RankTests starts ranks",
  ]

  /// Programs whose blocks are run where they are installed.
  static let optional = ["sqlite3"]

  static let shell = MarkdownSamples.blocks.filter {
    $0.language == "sh" && !$0.text.hasPrefix("#!")
  }
  static let plugins = MarkdownSamples.blocks.filter { $0.text.hasPrefix("#!") }
  static let settings = MarkdownSamples.blocks.filter {
    $0.language == "json5" && !$0.text.contains("…")
  }
  static let examples = MarkdownSamples.helpExamples.filter { line in
    !heavy.keys.contains { line.hasPrefix($0) }
  }

  @Test("every block of commands does what it says", arguments: shell)
  func commands(_ block: MarkdownSamples.Block) throws {
    let firstWord = block.text.split(separator: "\n").first { !$0.hasPrefix("#") } ?? ""
    let isMissing = Self.optional.contains { firstWord.hasPrefix($0) && !Self.isOnPath($0) }
    guard !isMissing, !Self.exempt.keys.contains(where: { firstWord.hasPrefix($0) }),
      !Self.heavy.keys.contains(where: { block.text.contains($0) })
    else { return }
    let programs = ["grpo"] + Self.optional
    try #require(
      programs.contains { firstWord.hasPrefix($0 + " ") },
      "\(block): is neither run here nor exempt")
    let ended = try SampleSandbox.shared.get().run(Self.concrete(block.text))
    #expect(ended.code == 0, "\(block): \(ended.errors)")
  }

  @Test("every example of a command's help does what it says", arguments: examples)
  func help(_ line: String) throws {
    let ended = try SampleSandbox.shared.get().run(Self.concrete(line))
    #expect(ended.code == 0, "\(line): \(ended.errors)")
  }

  @Test("every plugin that is printed whole scores completions", arguments: plugins)
  func plugin(_ block: MarkdownSamples.Block) throws {
    let script = """
      cat > plugin <<'END-OF-PLUGIN'
      \(block.text)END-OF-PLUGIN
      chmod +x plugin && grpo reward test ./plugin --input rows.jsonl --json
      """
    let ended = try SampleSandbox.shared.get().run(script)
    #expect(ended.code == 0, "\(block): \(ended.errors)")
    #expect(ended.output.contains("\"score\""), "\(block): \(ended.output)")
  }

  @Test(
    "every plugin that is printed whole reads chat rows, and not the prompt", arguments: plugins)
  func pluginOnChat(_ block: MarkdownSamples.Block) throws {
    let script = """
      cat > plugin <<'END-OF-PLUGIN'
      \(block.text)END-OF-PLUGIN
      chmod +x plugin
      score() {
        printf '%s\\n' "$1" > one.jsonl
        grpo reward test ./plugin --input one.jsonl --json | sed 's/.*"score":\\([^,}]*\\).*/\\1/'
      }
      score '{"prompt": "Release me, please", "completion": "no"}'
      score '{"prompt": "Well?", "completion": "no"}'
      score '{"prompt": [{"role": "user", "content": "please"}], "completion": [{"role": "assistant", "content": "no"}]}'
      """
    let ended = try SampleSandbox.shared.get().run(script)
    let scores = ended.output.split(separator: "\n")
    #expect(ended.code == 0 && scores.count == 3, "\(block): \(ended.errors) \(ended.output)")
    #expect(Set(scores).count == 1 && Double(scores[0]) != nil, "\(block): \(scores)")
  }

  @Test("every block of settings is accepted", arguments: settings)
  func configuration(_ block: MarkdownSamples.Block) throws {
    let isWhole = block.text.hasPrefix("//") || block.text.hasPrefix("{\n")
    let text = isWhole ? block.text : Self.completed(block.text)
    let script = """
      cat > sample.json5 <<'END-OF-SETTINGS'
      \(text)END-OF-SETTINGS
      JUDGE_KEY=1 grpo train --config sample.json5
      """
    let ended = try SampleSandbox.shared.get().run(script)
    #expect(ended.code == 0, "\(block): \(ended.errors)")
  }

  private static func isOnPath(_ program: String) -> Bool {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return path.split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
    }
  }

  /// A few settings made a whole file.
  private static func completed(_ part: String) -> String {
    let settings = part.hasPrefix("{") ? "reward: [\(part)]" : part
    return "{model: \"models/small\", dataset: \"train.jsonl\",\n\(settings)}\n"
  }

  /// A line whose capitals and large numbers stand for what the sandbox has.
  private static func concrete(_ line: String) -> String {
    let stands = [
      ("runs/sweep-*", "runs/a runs/NAME runs/a"),
      ("report runs/a runs/b runs/c", "report runs/a runs/NAME"),
      ("--model DIR", "--model models/small"), ("RUN1", "runs/a"), ("RUN2", "runs/NAME"),
      ("--same runs/a runs/b", "--same runs/a runs/NAME"),
      (" RUN", " runs/a"), ("~/.zfunc/", "./"), ("~/.config/fish/completions/", "./"),
      ("init models/small", "init models/new"), ("--into lenient", "--into lenient-too"),
      ("sft --resume runs/NAME", "sft --resume runs/tuned"),
      ("--language swift", "--language swift --package '\(MarkdownSamples.project.path)'"),
      ("101..110", "3..4"), ("101..102", "3..4"), ("4711", "3"),
    ]
    return stands.reduce(line) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
  }
}
