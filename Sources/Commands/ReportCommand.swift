import Foundation
import TrajectoryStore

/// `grpo report RUN… [-o report.html]`: runs as a page to look at.
struct ReportCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "report", summary: "make a page of runs: one HTML file that needs nothing else",
      discussion: """
        Several runs are drawn over each other, and their trajectories are chosen in the page. Curves with hover values, the distribution of rewards, a browser of trajectories with \
        coloured tokens, settings and provenance. The file works without a network, light and \
        dark, also on a phone.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest",
          repeats: true)
      ],
      options: [
        OptionSpecification(
          "output", short: "o", .path, valueName: "FILE", default: "report.html",
          help: "the file to write; - for standard output"),
        OptionSpecification(
          "run", .integer, defaultDescription: "the last",
          help: "which run of a log that holds several"),
        .flag("follow", help: "write it anew as steps land, until the run ends or Ctrl-C"),
      ],
      examples: [
        .init("grpo report latest -o report.html", "a page of the newest run"),
        .init("grpo report runs/a runs/b runs/c", "three runs over each other"),
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let names = arguments.positionals.isEmpty ? ["latest"] : arguments.positionals
    let locations = try refusing { try names.map { try LogLocation($0) } }
    let output = arguments.string("output") ?? "report.html"
    context.interrupts.install()
    var page = RunPage(try locations.map { try source($0, run: arguments.integer("run")) })
    guard arguments.flag("follow") else {
      try write(try page.html(), to: output, context)
      return .done
    }
    let readers = try locations.map { try TrajectoryReader(readOnly: $0.log) }
    var shown: [Int?]?
    while true {
      let progress = try readers.map { try $0.progress() }
      let (last, isOver) = (progress.map(\.0), progress.allSatisfy(\.1))
      if last != shown || isOver {
        page.refresh = isOver ? nil : 5
        try write(try page.html(), to: output, context)
        shown = last
      }
      if isOver { return .done }
      for _ in 0..<10 {
        try context.interrupts.check()
        Thread.sleep(forTimeInterval: 0.1)
      }
    }
  }

  private func source(_ location: LogLocation, run: Int?) throws -> RunPage.Source {
    let session = try QuerySession(readOnly: location.log)
    let models = try session.rows("SELECT model FROM runs ORDER BY id DESC LIMIT 1")
    let texts = TokenTexts(location, model: models.rows.first?.first?.plainText)
    return try RunPage.Source(session: session, run: run, tokenText: texts.map { $0.reader })
  }

  private func write(_ html: String, to output: String, _ context: CommandContext) throws {
    if output == "-" {
      context.standardOutput.write(exactly: html)
      return
    }
    // A browser never sees half a page.
    try OutputFile(output).write(html)
    context.note("wrote \(output) (\(NumberFormat.bytes(html.utf8.count)))")
  }
}
