import Foundation
import Rollouts

/// What forgotten rows said, as bytes to search files for.
///
/// Texts and arrays that are too short to tell one row from another are not searched for: numbers, a word that everybody
/// uses. What another row of the log says too stays there, and is no trace.
struct ForgottenTraces {
  /// Prompts, completions and columns' values.
  private(set) var texts: [String] = []
  /// Token ids as they lie in the log.
  private var arrays: [[UInt8]] = []

  private static let shortestText = 8
  private static let shortestArray = 24

  var count: Int { texts.count + arrays.count }

  init(of rows: ForgottenRows, in connection: Connection) throws(StoreError) {
    var texts: Set<String> = []
    var arrays: Set<[UInt8]> = []
    let problems = try connection.prepare(
      "SELECT prompt, columns, prompt_token_ids FROM problems WHERE id = ?")
    let completions = try connection.prepare(
      """
      SELECT text, token_ids FROM groups JOIN completions ON group_id = groups.id
      JOIN completion_tokens ON completion_id = completions.id WHERE problem_id = ?
      """)
    let turns = try connection.prepare(
      """
      SELECT message, answers FROM groups JOIN completions ON group_id = groups.id
      JOIN turns ON completion_id = completions.id WHERE problem_id = ?
      """)
    for problem in rows.problems {
      try turns.bind(problem)
      while try turns.step() {
        for column in [Int32(0), 1] {
          Self.collect((try? JSONValue.parse(turns.text(column))) ?? .null, into: &texts)
        }
      }
      try problems.bind(problem)
      while try problems.step() {
        texts.insert(problems.text(0))
        Self.collect((try? JSONValue.parse(problems.text(1))) ?? .null, into: &texts)
        arrays.insert(problems.array(2, of: UInt8.self))
      }
      try completions.bind(problem)
      while try completions.step() {
        texts.insert(completions.text(0))
        arrays.insert(completions.array(1, of: UInt8.self))
      }
    }
    let evaluated = try connection.prepare(
      """
      SELECT prompt, text, token_ids, \(try connection.column("columns", since: 2))
      FROM evaluation_completions WHERE evaluation_id = ? AND problem_index = ? AND sample = ?
      """)
    for row in rows.evaluated {
      try evaluated.bind(row.evaluation, row.problem, row.sample)
      while try evaluated.step() {
        texts.formUnion([evaluated.text(0), evaluated.text(1)])
        arrays.insert(evaluated.array(2, of: UInt8.self))
        Self.collect((try? JSONValue.parse(evaluated.text(3))) ?? .null, into: &texts)
      }
    }
    self.texts = texts.filter { $0.utf8.count >= Self.shortestText }.sorted()
    self.arrays = arrays.filter { $0.count >= Self.shortestArray }
      .sorted { $0.lexicographicallyPrecedes($1) }
  }

  private static func collect(_ value: JSONValue, into texts: inout Set<String>) {
    switch value {
    case .string(let text): texts.insert(text)
    case .array(let values): for value in values { collect(value, into: &texts) }
    case .object(let members): for (_, value) in members { collect(value, into: &texts) }
    default: break
    }
  }

  /// Takes lines of the forgotten rows out of text files, and notes files that still hold their bytes.
  func clean(
    _ location: LogLocation, exports: [URL], into outcome: inout LogForget.Outcome,
    in connection: Connection
  ) throws(StoreError) {
    // What other rows say as well is theirs.
    var own: [[UInt8]] = []
    for text in texts where try !isSaid(text, in: connection) {
      own.append(Array(text.utf8))
      let escaped = Array(JSONValue.string(text).jsonText.utf8.dropFirst().dropLast())
      if escaped != own.last { own.append(escaped) }
    }
    for array in arrays where try !isHeld(array, in: connection) { own.append(array) }
    guard !own.isEmpty else { return }
    let search = ByteSearch(own)
    let folder = Self.files(in: location.folder)
    for file in folder + exports.map({ $0.standardizedFileURL }).filter({ !folder.contains($0) }) {
      if Self.isText(file) {
        let removed = try search.removeLines(of: file)
        if removed > 0 { outcome.lines[file.path] = removed }
      }
      if try search.isFound(in: file) { outcome.remaining.append(file.path) }
    }
  }

  private static func files(in folder: URL) -> [URL] {
    let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }
    return (names ?? []).sorted().map { folder.appendingPathComponent($0).standardizedFileURL }
      .filter { RegularFile.fault(at: $0.path) == nil }
  }

  private static func isText(_ file: URL) -> Bool {
    ["jsonl", "ndjson", "csv", "tsv"].contains(file.pathExtension.lowercased())
  }

  private func isSaid(_ text: String, in connection: Connection) throws(StoreError) -> Bool {
    let statement = try connection.prepared(
      """
      SELECT EXISTS (SELECT 1 FROM problems WHERE instr(prompt, ?1) OR instr(columns, ?2))
        OR EXISTS (SELECT 1 FROM completions WHERE instr(text, ?1))
        OR EXISTS (SELECT 1 FROM turns WHERE instr(message, ?2) OR instr(answers, ?2))
        OR EXISTS (SELECT 1 FROM evaluation_completions WHERE instr(text, ?1) OR instr(prompt, ?1)
          OR instr(coalesce(columns, ''), ?2))
        OR EXISTS (SELECT 1 FROM runs WHERE instr(config || model || dataset || provenance || host, ?1))
      """)
    try statement.bind(text, String(JSONValue.string(text).jsonText.dropFirst().dropLast()))
    defer { statement.reset() }
    return try statement.step() && statement.integer(0) != 0
  }

  private func isHeld(_ array: [UInt8], in connection: Connection) throws(StoreError) -> Bool {
    let statement = try connection.prepared(
      """
      SELECT EXISTS (SELECT 1 FROM problems WHERE instr(prompt_token_ids, ?1))
        OR EXISTS (SELECT 1 FROM completion_tokens WHERE instr(token_ids, ?1))
        OR EXISTS (SELECT 1 FROM evaluation_completions WHERE instr(token_ids, ?1))
      """)
    try statement.bind(Blob(array))
    defer { statement.reset() }
    return try statement.step() && statement.integer(0) != 0
  }
}
