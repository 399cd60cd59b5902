import Foundation
import Rollouts
import TrajectoryStore

/// `grpo log export RUN`: a log as text.
struct LogExportCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "export", summary: "write a log's trajectories as JSON lines or CSV",
      discussion: """
        JSON lines are those that 'grpo train --rollouts' and 'grpo log import' read; CSV has a \
        row a trajectory without its arrays. --canonical writes the whole log but what its schema \
        marks as nondeterministic (times, host, process ids), a line per row in the order of keys: \
        two logs are the same where those lines are.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest")
      ],
      options: [
        .flag("jsonl", help: "JSON lines, the default"),
        .flag("csv", help: "CSV with a header"),
        .flag("canonical", help: "all that is deterministic, to compare logs"),
        OptionSpecification(
          "output", short: "o", .path, valueName: "FILE", default: "-",
          help: "the file to write; - for standard output"),
        OptionSpecification(
          "step", valueName: "A..B", help: "only these steps: 17, 10..50, 10.. or ..50"),
        OptionSpecification(
          "run", .integer, defaultDescription: "the last",
          help: "which run of a log that holds several"),
      ],
      examples: [
        .init("grpo log export latest -o rollouts.jsonl", "the newest run's trajectories"),
        .init(
          "cmp <(grpo log export a --canonical) <(grpo log export b --canonical)",
          "whether two runs are the same"),
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let chosen = ["jsonl", "csv", "canonical"].filter { arguments.flag($0) }
    if chosen.count > 1 {
      throw UsageError(
        "\(chosen.map { "--" + $0 }.joined(separator: " and ")) exclude each other")
    }
    var filter = TrajectoryFilter()
    if let steps = arguments.string("step") { try refusing { try filter.setSteps(steps) } }
    let location = try refusing { try LogLocation(arguments.positional(0) ?? "latest") }
    context.interrupts.install()
    let sink = try LineSink(arguments.string("output") ?? "-", context)
    switch chosen.first {
    case "canonical": try CanonicalExport(readOnly: location.log).write(sink.write)
    case "csv":
      try stoppable {
        try TrajectoryRows(readOnly: location.log).write(
          from: filter.firstStep, through: filter.lastStep, run: arguments.integer("run"),
          isInterrupted: { context.interrupts.isRaised },
          columns: { _ = sink.write(RowPrinter.csvLine($0)) },
          row: { sink.write(RowPrinter.csvLine($0.map(\.plainText))) })
      }
    default:
      try RolloutFileWriter(readOnly: location.log, run: arguments.integer("run"))
        .write(from: filter.firstStep, through: filter.lastStep, sink.write)
    }
    try context.interrupts.check()
    try sink.finish()
    return .done
  }

  /// A walk that the user stopped is an interruption, not a fault.
  private func stoppable(_ body: () throws -> Void) throws {
    do { try body() } catch let error as StoreError where error.kind == .interrupted {
      throw Interrupted()
    }
  }
}

/// Lines to standard output, or to a file that appears whole.
final class LineSink {
  private let context: CommandContext
  private let file: OutputFile?
  private var handle: FileHandle?
  private var pending = Data()
  private var failure: (any Error)?

  init(_ output: String, _ context: CommandContext) throws {
    self.context = context
    file = output == "-" ? nil : OutputFile(output)
    guard let file else { return }
    if file.isDevice {
      handle = try file.openDevice()
      return
    }
    guard FileManager.default.createFile(atPath: file.partialPath, contents: nil),
      let handle = FileHandle(forWritingAtPath: file.partialPath)
    else { throw RunFailure("the file \(file.partialPath) can't be written") }
    self.handle = handle
  }

  deinit {
    try? handle?.close()
    if let file, !file.isDevice { unlink(file.partialPath) }
  }

  /// Writes a line; false where no more are wanted.
  func write(_ line: String) -> Bool {
    if context.interrupts.isRaised { return false }
    guard let handle else {
      context.print(exactly: line)
      return !context.standardOutput.isClosed
    }
    pending.append(contentsOf: line.utf8)
    pending.append(UInt8(ascii: "\n"))
    if pending.count >= 1 << 20 { flush(handle) }
    return failure == nil
  }

  private func flush(_ handle: FileHandle) {
    do { try handle.write(contentsOf: pending) } catch { failure = error }
    pending.removeAll(keepingCapacity: true)
  }

  /// Makes the file appear.
  func finish() throws {
    guard let handle, let file else { return }
    flush(handle)
    if let failure { throw RunFailure("the file \(file.path) can't be written: \(failure)") }
    if file.isDevice { return }
    try handle.synchronize()
    guard rename(file.partialPath, file.path) == 0 else {
      throw RunFailure("the file \(file.path) can't be written")
    }
  }
}
