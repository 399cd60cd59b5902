import Audits
import Foundation
import Rollouts
import TrajectoryStore

/// `grpo audit privacy`: how well rows hide, and what texts give away.
struct AuditPrivacyCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "privacy", summary: "k-anonymity and its kin; personal data in texts",
      discussion: """
        Looks through every text of a file or of a run's log (prompts and completions) for e-mail \
        addresses, telephone numbers, card numbers whose check digit holds, keys of services, and \
        names of a list. What is found is counted and placed, and never printed whole without --show.

        With --quasi, also how well rows hide among those that are alike in these columns: \
        k-anonymity and the risks as ARX names them; with --sensitive, l-diversity (distinct, \
        entropy, recursive) and t-closeness. Of a run, the rows are its problems.

        Exit 0: k is at least --k, and no personal data was found. Exit 1: otherwise.
        """,
      positionals: [
        PositionalSpecification("INPUT", .path, help: "a file (JSONL, JSON, CSV), a run, or a log")
      ],
      options: [
        OptionSpecification(
          "quasi", valueName: "COLUMNS", help: "columns that together may tell who it is",
          repeats: true),
        OptionSpecification(
          "sensitive", valueName: "COLUMN", help: "a column that nobody should learn",
          repeats: true),
        OptionSpecification(
          "k", .integer(1 ... .max), default: "5", unit: "rows",
          help: "the smallest class that passes"),
        OptionSpecification(
          "l", .integer(1 ... .max), defaultDescription: "not judged", unit: "values",
          help: "the fewest sensitive values in a class that pass"),
        OptionSpecification(
          "t", .number(0...1), defaultDescription: "not judged",
          help: "the largest t-closeness that passes"),
        OptionSpecification(
          "c", .number(0...1e9), default: "3", help: "the constant of recursive (c, l)-diversity"),
        OptionSpecification(
          "names", .path, valueName: "FILE", help: "names to look for, one per line"),
        OptionSpecification(
          "allow", .choice(PersonalDataKind.allCases.map(\.rawValue)),
          help: "a kind of personal data that may be there", repeats: true),
        OptionSpecification(
          "limit", .count, default: "10", unit: "rows", help: "findings and small classes to list"),
        .flag("show", help: "print what was found whole"), .json,
      ],
      examples: [
        .init(
          "grpo audit privacy patients.csv --quasi age,zip --sensitive illness --k 5",
          "is every row like four others?"),
        .init("grpo audit privacy runs/a --names staff.txt", "what a log would give away"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let quasi = arguments.strings("quasi").flatMap { $0.split(separator: ",").map(String.init) }
    let sensitive = arguments.strings("sensitive").flatMap {
      $0.split(separator: ",").map(String.init)
    }
    if quasi.isEmpty {
      let needing = ["sensitive", "l", "t", "k", "c"].filter(arguments.isGiven)
      guard needing.isEmpty else {
        throw UsageError(needing.map { "--\($0) needs --quasi: the columns that make classes" })
      }
    }
    let input = arguments.positional(0) ?? ""
    let names = try arguments.string("names").map { try NameList.read($0) } ?? []
    let material = try refusing { try PrivacyMaterial(input) }
    let allowed = Set(arguments.strings("allow").compactMap(PersonalDataKind.init))
    let scanner = PersonalDataScanner(names: names)
    var view = PrivacyView(
      name: input, limit: arguments.integer("limit") ?? 10, showsAll: arguments.flag("show"),
      allowed: allowed)
    for text in material.texts {
      for match in scanner.matches(in: text.text) { view.add(match, in: text) }
    }
    view.textCount = material.texts.count
    if !quasi.isEmpty {
      let columns = ColumnValues(rows: material.rows, source: input)
      try columns.require(quasi, "--quasi")
      try columns.require(sensitive, "--sensitive")
      let audit = AnonymityAudit(
        quasi: material.rows.indices.map { row in
          quasi.map { ColumnValues.text(columns.value($0, row)) }
        })
      view.anonymity = PrivacyView.Anonymity(
        columns: quasi, audit: audit, places: material.places,
        wanted: .init(
          k: arguments.integer("k") ?? 5, l: arguments.integer("l"), t: arguments.double("t")),
        diversities: sensitive.map { name in
          let values = material.rows.indices.map { columns.value(name, $0) }
          return (
            name, audit.diversity(of: Self.sensitive(values), c: arguments.double("c") ?? 3)
          )
        })
    }
    if arguments.flag("json") {
      context.print(exactly: view.json.prettyJSONText)
    } else {
      context.print(view.text(style: context.style))
    }
    return view.faults.isEmpty ? .done : .failed
  }

  /// Numbers where all values are, otherwise names.
  private static func sensitive(_ values: [JSONValue]) -> [AnonymityAudit.Sensitive] {
    let numbers = values.compactMap(ColumnValues.number)
    return numbers.count == values.count
      ? numbers.map { .number($0) } : values.map { .name(ColumnValues.text($0)) }
  }
}

/// Names that a user lists, one per line.
enum NameList {
  /// Reads them; empty lines and lines that begin with # are left out.
  /// - Throws: `UsageError` where the file can't be read, or has none.
  static func read(_ path: String) throws -> [String] {
    guard let bytes = RegularFile.bytes(at: URL(fileURLWithPath: path)) else {
      throw UsageError("--names: \(path) can't be read")
    }
    let names = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty && !$0.hasPrefix("#") }
    guard names.contains(where: { $0.contains(where: \.isLetter) }) else {
      throw UsageError("--names: \(path) holds no name; write one per line")
    }
    return names
  }
}

/// The texts and rows that a privacy audit looks at.
struct PrivacyMaterial {
  /// A text with where it stands.
  struct Text {
    var place: String
    var text: String
  }

  var texts: [Text] = []
  /// The rows whose anonymity can be asked.
  var rows: [JSONObject] = []
  /// Where each row stands.
  var places: [String] = []

  /// Reads a file, a run or a log.
  init(_ input: String) throws {
    if LogLocation.isLog(input) {
      try read(log: try LogLocation(input))
    } else {
      for row in try DatasetFile(reading: input).rows {
        rows.append(row.columns)
        places.append("\(row.place)")
        for (key, value) in row.columns { add(value, at: "\(row.place), \(key)") }
      }
    }
  }

  private mutating func add(_ value: JSONValue, at place: String) {
    switch value {
    case .string(let text): texts.append(Text(place: place, text: text))
    case .array(let values): for value in values { add(value, at: place) }
    case .object(let members): for (_, value) in members { add(value, at: place) }
    case .integer(let number): texts.append(Text(place: place, text: String(number)))
    default: break
    }
  }

  private mutating func read(log location: LogLocation) throws {
    let session = try QuerySession(readOnly: location.log)
    let problems = try session.rows("SELECT id, prompt, columns FROM problems ORDER BY id")
    for row in problems.rows {
      let place = "problem \(row[0].plainText)"
      texts.append(Text(place: place, text: row[1].plainText))
      let columns = (try? JSONValue.parse(row[2].plainText))?.object ?? [:]
      rows.append(columns)
      places.append(place)
      for (key, value) in columns { add(value, at: "\(place), \(key)") }
    }
    let completions = try session.rows("SELECT id, text FROM completions ORDER BY id")
    for row in completions.rows {
      texts.append(Text(place: "completion \(row[0].plainText)", text: row[1].plainText))
    }
    // Logs of earlier formats have no turns.
    let hasTurns = try session.rows("SELECT count(*) FROM sqlite_schema WHERE name = 'turns'")
    if hasTurns.rows.first?[0].integer ?? 0 > 0 {
      let turns = try session.rows("SELECT completion_id, message, answers FROM turns")
      for row in turns.rows {
        for column in 1...2 {
          add(
            (try? JSONValue.parse(row[column].plainText)) ?? .null,
            at: "a turn of completion \(row[0].plainText)")
        }
      }
    }
    let evaluated = try session.rows(
      """
      SELECT step, problem_index, prompt, text FROM evaluation_completions
      JOIN evaluations ON evaluations.id = evaluation_id ORDER BY evaluation_id, problem_index
      """)
    var seen: Set<String> = []
    for row in evaluated.rows {
      let place = "evaluation after step \(row[0].plainText), problem \(row[1].plainText)"
      if seen.insert(row[2].plainText).inserted {
        texts.append(Text(place: place, text: row[2].plainText))
      }
      texts.append(Text(place: place, text: row[3].plainText))
    }
  }
}

extension LogLocation {
  /// Whether a word names a run or a log rather than a file of rows.
  static func isLog(_ word: String) -> Bool {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: word, isDirectory: &isFolder) else {
      // The name of a run, unless it looks like a file's.
      return (word as NSString).pathExtension.isEmpty
    }
    return isFolder.boolValue || word.hasSuffix(".sqlite") || word.hasSuffix(".db")
  }
}
