import Foundation
import Rollouts
import TrajectoryStore

/// One log with the options that hold for every question asked of it.
struct Query {
  let arguments: ParsedArguments
  let context: CommandContext
  let session: QuerySession
  let location: LogLocation
  let format: ResultFormat

  /// Answers a report with its arguments, or SQL.
  func answer(_ words: [String]) throws {
    guard let first = words.first else { return }
    if words.count == 1, first.contains(where: \.isWhitespace) {
      try answer(sql: first)
    } else {
      try answer(report: first, Array(words.dropFirst()))
    }
  }

  /// Runs SQL and writes its rows.
  func answer(sql: String) throws {
    if arguments.isGiven("by") { throw UsageError("SQL has no use for --by; say it in the query") }
    try refuseOptions(of: "SQL", but: ["limit", "param"], remedy: "say it in the query")
    var printer = RowPrinter(context, format, isFull: arguments.flag("full"))
    let limit = arguments.integer("limit") ?? .max
    var count = 0
    try translating {
      try session.run(
        sql, parameters: try parameters(), timeLimit: timeLimit,
        isInterrupted: { context.interrupts.isRaised }, overdue: overdue,
        columns: { printer.begin($0) }
      ) { row in
        count += 1
        return count <= limit && printer.add(row)
      }
    }
    printer.end()
  }

  /// Makes a report and writes it.
  func answer(report name: String, _ words: [String]) throws {
    if let column = arguments.string("by") {
      try answer(report: name, words, by: column)
      return
    }
    let page = try page(of: name, words)
    try ReportPrinter(context, isFull: arguments.flag("full"), coloring: coloring)
      .write(page, as: format)
  }

  /// A report's page.
  func page(of name: String, _ words: [String], slice: Slice? = nil) throws -> ReportPage {
    guard let report = Report.named(name) else {
      let nearest = Spelling.nearest(to: name, among: Report.all.map(\.name))
      throw UsageError(
        "there is no report '\(name)'; "
          + (nearest.map { "did you mean '\($0)'?" } ?? "see 'grpo query --help'"))
    }
    let expected = report.arguments.isEmpty ? 0 : report.takesMany ? .max : 1
    if words.count > expected {
      throw UsageError("unexpected word '\(words[expected])' after the report \(name)")
    }
    if words.isEmpty, expected > 0 {
      throw UsageError("the report \(name) needs \(report.arguments): grpo query RUN \(name) …")
    }
    try refuseOptions(of: "the report \(name)", but: options(of: report))
    var request = ReportRequest(session: session, arguments: words)
    request.run = arguments.integer("run")
    request.filter = try refusing { try filter() }
    if let slice { Self.narrow(&request.filter, to: slice) }
    request.solvedAt = arguments.double("solved-at")
    request.tiedOnly = arguments.flag("tied")
    if name == "completion" { request.tokenText = tokenTexts()?.reader() }
    if report.takesMany {
      request.others = try words.map { word in
        let other = try refusing { try LogLocation(word) }
        return (try QuerySession(readOnly: other.log), nil)
      }
    }
    let ready = request
    return try translating {
      try session.watching(
        timeLimit: timeLimit, isInterrupted: { context.interrupts.isRaised }, overdue: overdue
      ) { () throws(StoreError) in try report.make(ready) }
    }
  }

  private func tokenTexts() -> TokenTexts? {
    let models = try? session.rows("SELECT model FROM runs ORDER BY id DESC LIMIT 1")
    return TokenTexts(location, model: models?.rows.first?.first?.plainText)
  }

  var coloring: TokenColoring {
    TokenColoring(
      quantity: arguments.string("color-by").flatMap(TokenColoring.Quantity.init) ?? .logprob)
  }

  private var timeLimit: Double? {
    arguments.double("time-limit").flatMap { $0 > 0 ? $0 : nil }
  }

  /// Ends the program where a single function of SQL keeps SQLite from noticing that its time is over:
  /// nothing else stops it.
  private var overdue: @Sendable (StoreError) -> Void {
    { error in
      let sentence = TextLayout.withoutControls("error: \(error)") + "\n"
      FileHandle.standardError.write(Data(sentence.utf8))
      _exit(ExitCode.failed.rawValue)
    }
  }

  private func filter() throws -> TrajectoryFilter {
    var filter = TrajectoryFilter()
    if let steps = arguments.string("step") { try filter.setSteps(steps) }
    if let reward = arguments.string("reward") { filter.reward = try RewardCondition(reward) }
    if let condition = arguments.string("where") { try filter.setCondition(condition) }
    filter.match = arguments.string("match")
    if let order = arguments.string("order") { try filter.setOrder(order) }
    filter.limit = arguments.integer("limit")
    filter.parameters = try parameters()
    let written = (arguments.string("where") ?? "") + (arguments.string("order") ?? "")
    for name in filter.parameters.keys.sorted()
    where !":@$".contains(where: { written.contains("\($0)\(name)") }) {
      throw UsageError("neither --where nor --order has a parameter :\(name)")
    }
    return filter
  }

  /// The options that narrow or colour what a report shows.
  private func options(of report: Report) -> Set<String> {
    var names = Set(report.filters.map(\.rawValue))
    if !names.isDisjoint(with: ["where", "order"]) { names.insert("param") }
    if report.name == "completion" { names.insert("color-by") }
    return names
  }

  /// Refuses options that the question doesn't take: a filter that is passed over in silence is a wrong
  /// answer.
  private func refuseOptions(
    of what: String, but taken: Set<String>, remedy: String? = nil
  ) throws(UsageError) {
    let all = ReportFilter.allCases.map(\.rawValue) + ["color-by", "param"]
    let surplus = all.filter { !taken.contains($0) && arguments.isGiven($0) }
    guard !surplus.isEmpty else { return }
    let hint =
      remedy
      ?? (taken.isEmpty
        ? "it takes none" : "it takes " + taken.sorted().map { "--" + $0 }.joined(separator: ", "))
    throw UsageError(surplus.map { "\(what) has no use for --\($0); \(hint)" })
  }

  private func parameters() throws(UsageError) -> [String: QueryValue] {
    var parameters: [String: QueryValue] = [:]
    for word in arguments.strings("param") {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw UsageError("--param needs NAME=VALUE, not '\(word)'")
      }
      let name = parts[0].first.map { ":@$".contains($0) } == true ? parts[0].dropFirst() : parts[0]
      parameters[String(name)] = QueryValue(word: String(parts[1]))
    }
    return parameters
  }

  /// A query's own faults are words that are wrong (exit 2), an interruption is one (exit 130).
  private func translating<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as StoreError {
      switch error.kind {
      case .query: throw UsageError(error.description)
      case .interrupted: throw Interrupted()
      default: throw error
      }
    }
  }
}

extension Query {
  /// Shows what lands: rows of steps, or another report anew whenever a step is committed.
  func follow(_ words: [String]) throws -> ExitCode {
    let reader = try TrajectoryReader(readOnly: location.log)
    let showsSteps = words.isEmpty || words == ["steps"]
    if showsSteps {
      try refuseOptions(of: "--follow", but: [], remedy: "it shows each step as it lands")
    }
    var shown: Int?
    while !context.interrupts.isRaised {
      let (last, isOver) = try reader.progress()
      if let last, last != shown {
        if showsSteps {
          try showSteps(after: shown, upTo: last)
        } else {
          try answer(words)
        }
        shown = last
        context.standardOutput.flush()
      }
      if isOver || context.standardOutput.isClosed { return .done }
      Thread.sleep(forTimeInterval: 0.3)
    }
    throw Interrupted()
  }

  private func showSteps(after shown: Int?, upTo last: Int) throws {
    let first = shown.map { $0 +| 1 } ?? max(0, last -| 19)
    var filter = TrajectoryFilter()
    (filter.firstStep, filter.lastStep, filter.limit) = (first, last, .max)
    filter.order = "step"
    var request = ReportRequest(session: session)
    request.filter = filter
    guard let page = try Report.named("steps")?.make(request), let table = page.mainTable else {
      return
    }
    let cells = CellFormat(isFull: arguments.flag("full"))
    for row in table.rows {
      if format == .jsonl || format == .json {
        context.print(
          JSONValue.object(
            JSONObject(zip(table.columns.map(\.key), row.map(\.json)))
          ).jsonText)
      } else {
        context.print(
          zip(table.columns, row).map { "\($0.title) \(cells.text($1, $0.format))" }
            .joined(separator: "  "))
      }
    }
  }
}
