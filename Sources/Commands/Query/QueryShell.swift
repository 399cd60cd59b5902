import Foundation
import Rollouts
import TrajectoryStore

/// Asks for queries one after another: at a prompt, or from standard input.
struct QueryShell {
  private let query: Query

  init(_ query: Query) { self.query = query }

  /// Reads and answers until the end; a query that fails is reported and the next one is read.
  func run() throws -> ExitCode {
    let context = query.context
    guard isatty(STDIN_FILENO) == 1, context.isTerminal else { return try readPlainly() }
    try query.answer(report: "summary", [])
    context.print(context.style.dim("\nA report or SQL; .help lists what there is, .quit leaves."))
    let names = completionNames()
    let history = QueryHistory(context.environment)
    let editor = LineEditor(prompt: "grpo> ", context: context, history: history.lines) { word in
      Self.completions(of: word, among: names)
    }
    while let line = editor.read() {
      let line = line.trimmingCharacters(in: .whitespaces)
      if line.isEmpty { continue }
      history.add(line)
      if [".quit", ".exit", "quit", "exit"].contains(line) { break }
      _ = answer(line)
      context.standardOutput.flush()
    }
    return .done
  }

  private func readPlainly() throws -> ExitCode {
    var code = ExitCode.done
    var isEmpty = true
    while let line = readLine() {
      let line = line.trimmingCharacters(in: .whitespaces)
      if line.isEmpty { continue }
      isEmpty = false
      if line == ".quit" || line == ".exit" { break }
      if !answer(line) { code = .usage }
    }
    if isEmpty { try query.answer(report: "summary", []) }
    return code
  }

  /// Answers a line; false where it was at fault.
  private func answer(_ line: String) -> Bool {
    do {
      if line.hasPrefix(".") {
        try dot(line)
      } else {
        let words = Self.words(line)
        // As on the command line: what has no space is the name of a report, right or wrong.
        if let first = words.first, words.count == 1 || Report.named(first) != nil {
          // The same options as on the command line, for this report.
          let arguments = try ArgumentParser.parse(
            ["RUN"] + words, for: QueryCommand.specification, commandPath: "grpo query")
          try Query(
            arguments: arguments, context: query.context, session: query.session,
            location: query.location, format: try ResultFormat(arguments)
          ).answer(Array(arguments.positionals.dropFirst()))
        } else {
          try query.answer(sql: line)
        }
      }
      return true
    } catch let error as Interrupted {
      query.context.interrupts.lower()
      query.context.note(error.description.isEmpty ? "interrupted" : error.description)
      return true
    } catch {
      query.context.note(query.context.errorStyle.red("error: ") + "\(error)")
      return false
    }
  }

  private func dot(_ line: String) throws {
    let words = Self.words(line)
    switch words.first {
    case ".schema":
      let name = words.count > 1 ? words[1] : "%"
      let rows = try query.session.rows(
        """
        SELECT sql FROM sqlite_schema WHERE name LIKE :name AND sql IS NOT NULL
          AND name NOT LIKE '%\\_search\\_%' ESCAPE '\\' ORDER BY rowid
        """, parameters: ["name": .text(name)])
      for row in rows.rows { query.context.print(row[0].plainText + ";\n") }
    case ".tables":
      let rows = try query.session.rows(
        """
        SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
          AND name NOT LIKE '%\\_search\\_%' ESCAPE '\\' ORDER BY name
        """)
      query.context.print(rows.rows.map { $0[0].plainText }.joined(separator: "\n"))
    case ".reports": printReports()
    case ".help":
      printReports()
      query.context.print(
        """

        Filters of reports as on the command line: best --step 10..50 --limit 5
        SQL on one line: SELECT step, reward_mean FROM steps
        .schema [TABLE]  .tables  .reports  .quit
        """)
    default:
      throw UsageError("unknown '\(words.first ?? line)'; there are .schema .tables .reports .quit")
    }
  }

  private func printReports() {
    for report in Report.all {
      query.context.print("  " + TextLayout.pad(report.call, to: 19) + report.summary)
    }
  }

  /// What Tab completes: reports, dot commands, tables, columns, SQL's words.
  private func completionNames() -> [String] {
    let rows = try? query.session.rows(
      """
      SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')
        AND name NOT LIKE '%\\_search\\_%' ESCAPE '\\'
      UNION SELECT c.name FROM sqlite_schema AS s JOIN pragma_table_info(s.name) AS c
        WHERE s.type IN ('table', 'view') AND s.name NOT LIKE '%\\_search\\_%' ESCAPE '\\'
      """)
    let names = rows?.rows.map { $0[0].plainText } ?? []
    let words = [
      "SELECT", "FROM", "WHERE", "ORDER BY", "GROUP BY", "LIMIT", "JOIN", "count(*)", "avg(",
      "floats(", "ints(", ".schema", ".tables", ".reports", ".help", ".quit",
    ]
    return Set(names + words + Report.all.map(\.name)).sorted()
  }

  /// The names that a word begins; SQL's words also where it is written small.
  static func completions(of word: String, among names: [String]) -> [String] {
    let exact = names.filter { $0.hasPrefix(word) }
    return exact.isEmpty ? names.filter { $0.hasPrefix(word.uppercased()) } : exact
  }

  /// The words of a line; quotes of either kind hold spaces.
  static func words(_ line: String) -> [String] {
    var words: [String] = []
    var word = ""
    var quote: Character?
    var isWord = false
    for character in line {
      if let open = quote {
        if character == open { quote = nil } else { word.append(character) }
      } else if character == "'" || character == "\"" {
        quote = character
        isWord = true
      } else if character.isWhitespace {
        if isWord { words.append(word) }
        (word, isWord) = ("", false)
      } else {
        word.append(character)
        isWord = true
      }
    }
    if isWord { words.append(word) }
    return words
  }
}

/// The queries of earlier prompts, kept in a file of the user's.
final class QueryHistory {
  private let file: URL?
  private(set) var lines: [String] = []

  private static let limit = 1000

  /// Reads `$XDG_STATE_HOME/grpo/query_history`, by default under `~/.local/state`.
  init(_ environment: [String: String]) {
    let state =
      environment["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
      ?? environment["HOME"].map { $0 + "/.local/state" }
    file = state.map { URL(fileURLWithPath: $0).appendingPathComponent("grpo/query_history") }
    if let file, let text = try? String(contentsOf: file, encoding: .utf8) {
      lines = text.split(separator: "\n").suffix(Self.limit).map(String.init)
    }
  }

  /// Adds a line; a history that can't be kept is no reason to fail.
  func add(_ line: String) {
    if lines.last == line { return }
    lines.append(line)
    guard let file else { return }
    try? FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    let text = lines.suffix(Self.limit).joined(separator: "\n") + "\n"
    try? OutputFile(file.path).write(text)
  }
}
