import Foundation
import Rollouts
import TrajectoryStore

/// `grpo log bench`: how fast a log is written and asked on this machine.
struct LogBenchCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "bench", summary: "measure how fast a log is written and asked",
      discussion: """
        Writes a made-up run, a step a transaction and durable (synchronous=FULL), then asks it \
        every report and some SQL, twice each; the second time is shown.
        """,
      positionals: [
        PositionalSpecification(
          "LOG", .path, help: "the log to write; one that is there is only asked",
          isRequired: false)
      ],
      options: [
        OptionSpecification(
          "completions", .integer(64...1_000_000_000), default: "100000", unit: "completions",
          help: "how many to write"),
        OptionSpecification(
          "length", .integer(2...1_000_000), default: "64", unit: "tokens",
          help: "the longest completions; the mean is three quarters of it"),
        OptionSpecification(
          "groups", .integer(1...100_000), default: "8", unit: "groups", help: "groups per step"),
        OptionSpecification(
          "updates", .integer(0...100), default: "1", unit: "updates", help: "updates per step"),
        .flag("write-only", help: "ask nothing"),
        .json,
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    context.interrupts.install()
    let groups = arguments.integer("groups") ?? 8
    let steps = max(1, (arguments.integer("completions") ?? 100_000) / (groups * 8))
    let run = SyntheticRun(
      groups: groups, length: arguments.integer("length") ?? 64, steps: steps,
      updates: arguments.integer("updates") ?? 1)
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("grpo-log-bench-\(ProcessInfo.processInfo.processIdentifier)")
    let isTemporary = arguments.positional(0) == nil
    let url =
      arguments.positional(0).map { URL(fileURLWithPath: $0) }
      ?? folder.appendingPathComponent(LogLocation.fileName)
    if isTemporary {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    defer { if isTemporary { try? FileManager.default.removeItem(at: folder) } }
    var results = JSONObject()
    if !FileManager.default.fileExists(atPath: url.path) {
      results["writing"] = .object(try write(run, to: url, context))
    }
    if !arguments.flag("write-only") {
      results["milliseconds"] = .object(try ask(run, url, context))
    }
    if arguments.flag("json") { context.print(exactly: JSONValue.object(results).prettyJSONText) }
    return .done
  }

  private func write(
    _ run: SyntheticRun, to url: URL, _ context: CommandContext
  ) throws -> JSONObject {
    let log = try TrajectoryLog(creating: url)
    try log.begin(run: run.record)
    var timed = Duration.zero
    var processor = 0.0
    let clock = ContinuousClock()
    let progress = ProgressLine(context)
    for step in 0..<run.steps {
      try context.interrupts.check()
      let record = run.step(step)
      let updates = (0..<run.updates).map { run.update($0, of: record) }
      let start = Self.processorSeconds
      timed += try clock.measure {
        try log.append(step: record)
        for update in updates { try log.append(update: update) }
      }
      processor += Self.processorSeconds - start
      if step % 100 == 99 { progress.update("step \(step + 1) of \(run.steps)") }
    }
    try log.finish(outcome: "done")
    progress.finish()
    let completions = run.steps * run.groups * run.groupSize
    let seconds = Double(timed.components.seconds) + Double(timed.components.attoseconds) * 1e-18
    let bytes = ["", "-wal"].reduce(0) { sum, suffix in
      let attributes = try? FileManager.default.attributesOfItem(atPath: url.path + suffix)
      return sum + ((attributes?[.size] as? NSNumber)?.intValue ?? 0)
    }
    let memory = Self.peakMemory
    context.note(
      "wrote \(completions) completions in \(NumberFormat.duration(seconds)): "
        + "\(NumberFormat.grouped(Int(clamping: Double(completions) / seconds))) per second, "
        + "\(NumberFormat.duration(processor / Double(completions))) of processor time and "
        + "\(bytes / completions) bytes each, peak memory \(NumberFormat.bytes(memory))")
    return [
      "completions": .integer(Int64(completions)), "seconds": .number(seconds),
      "completions_per_second": .number(Double(completions) / seconds),
      "bytes_per_completion": .number(Double(bytes) / Double(completions)),
      "peak_memory_bytes": .integer(Int64(memory)),
    ]
  }

  /// The processor time of the process so far: what remains of a measurement on a busy machine.
  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// The most memory that the process ever held, in bytes.
  private static var peakMemory: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }

  private func ask(_ run: SyntheticRun, _ url: URL, _ context: CommandContext) throws -> JSONObject
  {
    let session = try QuerySession(readOnly: url)
    let totals = try session.rows("SELECT max(step) / 2, max(id) / 2 FROM steps").rows[0]
    let middle = totals[0].integer ?? 0
    var questions: [(String, () throws -> Void)] = []
    for report in Report.all where report.name != "compare" {
      var request = ReportRequest(
        session: session, arguments: report.arguments.isEmpty ? [] : ["\(max(1, middle))"])
      request.filter.limit = 20
      let ready = request
      questions.append((report.name, { _ = try report.make(ready) }))
    }
    let word = run.uncommonWord
    for (name, sql) in [
      (
        "search",
        "SELECT id, text FROM completions WHERE id IN "
          + "(SELECT rowid FROM completion_search('\(word)')) ORDER BY reward DESC LIMIT 20"
      ),
      (
        "search phrase", "SELECT count(*) FROM completion_search('\"\(word) \(word)\"')"
      ),
      ("SQL by step", "SELECT * FROM trajectories WHERE step = \(middle)"),
      ("SQL by problem", "SELECT * FROM trajectories WHERE problem_id = \(max(1, middle % 1000))"),
    ] { questions.append((name, { _ = try session.rows(sql) })) }
    var results = JSONObject()
    var table = Table([.text("question"), .number("warm"), .number("processor")])
    for (name, ask) in questions {
      try context.interrupts.check()
      try ask()
      let start = Self.processorSeconds
      let time = try ContinuousClock().measure { try ask() }
      let processor = Self.processorSeconds - start
      let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
      results[name] = .number(seconds * 1000)
      table.append(name, NumberFormat.duration(seconds), NumberFormat.duration(processor))
    }
    context.note(table.text())
    return results
  }
}
