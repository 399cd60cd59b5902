import Foundation
import Rollouts

/// Takes out of a log what should not be handed on with it, and keeps the rest.
///
/// A text that changes loses its token ids and arrays, which say the same; its steps can't be redone, replayed or trained
/// from. Where only columns change, all of that is still possible, but rewards that read them give other scores.
/// What was done is kept in the run's provenance, without the values.
public struct LogRedaction: Sendable {
  /// What becomes of a column.
  public enum Treatment: Sendable, Equatable {
    /// It goes.
    case drop
    /// SHA-256 of salt and value, 16 digits of it: equal values stay equal.
    case hash(salt: String)
    /// A number becomes the range of this width that it lies in: 37 becomes "30-40".
    case generalize(width: Double)
    /// A text keeps so many characters: 90210 becomes "902…".
    case truncate(length: Int)

    /// What it is called where it is written down.
    var word: String {
      switch self {
      case .drop: "dropped"
      case .hash: "hashed"
      case .generalize(let width): "generalized to ranges of \(width)"
      case .truncate(let length): "truncated to \(length) characters"
      }
    }
  }

  /// What becomes of each column.
  public var columns: [String: Treatment]
  /// The kinds of data that `mask` takes out of texts, as they are written down.
  public var kinds: [String]
  /// A text without what is masked; nil where nothing is.
  public var mask: @Sendable (String) -> String?

  /// A redaction of some columns and texts.
  public init(
    columns: [String: Treatment] = [:], kinds: [String] = [],
    mask: @escaping @Sendable (String) -> String? = { _ in nil }
  ) {
    (self.columns, self.kinds, self.mask) = (columns, kinds, mask)
  }

  /// What a redaction came to.
  public struct Outcome: Sendable, Equatable {
    /// Problems and evaluations' rows whose columns changed.
    public var columns = 0
    /// Prompts and completions whose text changed.
    public var texts = 0
    /// Steps that can't be redone, replayed or trained from any more, ascending.
    public var steps: [Int] = []
  }

  /// Writes a redacted copy, or changes the log in place where no copy is named.
  /// - Throws: `StoreError` where another process writes the log, or the copy exists.
  public func apply(to log: URL, copy: URL? = nil) throws(StoreError) -> Outcome {
    guard let copy else { return try change(log) }
    return try AsideLog.make(copy) { (aside) throws(StoreError) in
      let source = try TrajectoryReader.connection(to: log.path)
      try source.prepared("VACUUM INTO ?").run(aside.path)
      return try change(aside)
    }
  }

  private func change(_ log: URL) throws(StoreError) -> Outcome {
    let writer = try LogWriter(path: log.path, creating: false)
    let connection = writer.connection
    var outcome = Outcome()
    try connection.execute("PRAGMA secure_delete = ON")
    try writer.transaction { () throws(StoreError) in
      var steps: Set<Int> = []
      try changeProblems(connection, &outcome, &steps)
      try changeCompletions(connection, &outcome, &steps)
      try changeEvaluations(connection, &outcome)
      try changeRemarks(connection)
      outcome.steps = steps.sorted()
      try note(connection)
      try connection.execute(
        """
        INSERT INTO completion_search (completion_search) VALUES ('rebuild');
        INSERT INTO problem_search (problem_search) VALUES ('rebuild');
        """)
    }
    try connection.execute("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
    return outcome
  }

  private func changeProblems(
    _ connection: Connection, _ outcome: inout Outcome, _ steps: inout Set<Int>
  ) throws(StoreError) {
    let all = try connection.prepare("SELECT id, prompt, columns FROM problems ORDER BY id")
    var changes: [(id: Int, prompt: String?, columns: String?)] = []
    while try all.step() {
      let columns = redacted(columns: all.text(2))
      let prompt = mask(all.text(1))
      if prompt != nil || columns != nil { changes.append((all.integer(0), prompt, columns)) }
    }
    for change in changes {
      if let columns = change.columns {
        try connection.prepared("UPDATE problems SET columns = ? WHERE id = ?")
          .run(columns, change.id)
        outcome.columns += 1
      }
      guard let prompt = change.prompt else { continue }
      try connection.prepared(
        "UPDATE problems SET prompt = ?, prompt_token_ids = x'' WHERE id = ?"
      ).run(prompt, change.id)
      outcome.texts += 1
      let asked = try connection.prepared(
        "SELECT DISTINCT step FROM groups JOIN steps ON steps.id = step_id WHERE problem_id = ?")
      try asked.bind(change.id)
      while try asked.step() { steps.insert(asked.integer(0)) }
    }
  }

  private func changeCompletions(
    _ connection: Connection, _ outcome: inout Outcome, _ steps: inout Set<Int>
  ) throws(StoreError) {
    let all = try connection.prepare(
      """
      SELECT completions.id, text, step FROM completions JOIN steps ON steps.id = step_id
      ORDER BY completions.id
      """)
    // What a turn said stands in the completion's tokens.
    let turns = try changeTurns(connection)
    var changes: [(id: Int, text: String)] = []
    while try all.step() {
      let text = mask(all.text(1))
      guard text != nil || turns.contains(all.integer(0)) else { continue }
      changes.append((all.integer(0), text ?? all.text(1)))
      steps.insert(all.integer(2))
    }
    for change in changes {
      try connection.prepared("UPDATE completions SET text = ? WHERE id = ?")
        .run(change.text, change.id)
      try connection.prepared(
        """
        UPDATE completion_tokens SET token_ids = x'', sampler_logprobs = NULL,
          reference_logprobs = NULL, entropies = NULL, advantages = NULL, kept_sets = NULL
        WHERE completion_id = ?
        """
      ).run(change.id)
      try connection.prepared(
        """
        UPDATE completion_updates SET trainer_logprobs = NULL, ratios = NULL, clips = NULL, arrays = 0
        WHERE completion_id = ?
        """
      ).run(change.id)
      outcome.texts += 1
    }
  }

  /// Masks what was written and read in turns; the completions whose turns changed.
  private func changeTurns(_ connection: Connection) throws(StoreError) -> Set<Int> {
    let all = try connection.prepare("SELECT completion_id, turn, message, answers FROM turns")
    var changes: [(completion: Int, turn: Int, message: String, answers: String)] = []
    while try all.step() {
      let old = (json(all, 2), json(all, 3))
      let new = (masked(old.0), masked(old.1))
      guard new != old else { continue }
      changes.append((all.integer(0), all.integer(1), new.0.jsonText, new.1.jsonText))
    }
    for change in changes {
      try connection.prepared(
        "UPDATE turns SET message = ?, answers = ? WHERE completion_id = ? AND turn = ?"
      ).run(change.message, change.answers, change.completion, change.turn)
    }
    return Set(changes.map(\.completion))
  }

  private func json(_ statement: Statement, _ column: Int32) -> JSONValue {
    (try? JSONValue.parse(statement.text(column))) ?? .null
  }

  private func changeEvaluations(
    _ connection: Connection, _ outcome: inout Outcome
  ) throws(StoreError) {
    let all = try connection.prepare(
      "SELECT evaluation_id, problem_index, sample, prompt, text, columns FROM evaluation_completions"
    )
    var changes: [(key: (Int, Int, Int), prompt: String?, text: String?, columns: String?)] = []
    while try all.step() {
      let columns = all.optionalText(5).flatMap(redacted(columns:))
      let (prompt, text) = (mask(all.text(3)), mask(all.text(4)))
      guard prompt != nil || text != nil || columns != nil else { continue }
      changes.append(((all.integer(0), all.integer(1), all.integer(2)), prompt, text, columns))
    }
    for change in changes {
      try connection.prepared(
        """
        UPDATE evaluation_completions SET prompt = coalesce(?1, prompt), text = coalesce(?2, text),
          columns = coalesce(?3, columns), token_ids = iif(?2 IS NULL, token_ids, x'')
        WHERE evaluation_id = ?4 AND problem_index = ?5 AND sample = ?6
        """
      ).run(
        change.prompt, change.text, change.columns, change.key.0, change.key.1, change.key.2)
      outcome.texts += (change.prompt == nil ? 0 : 1) + (change.text == nil ? 0 : 1)
      outcome.columns += change.columns == nil ? 0 : 1
    }
  }

  /// What rewards and the trainer said may quote a text.
  private func changeRemarks(_ connection: Connection) throws(StoreError) {
    for (table, key, columns) in [
      ("scores", "completion_id = ?2 AND reward_id = ?3", ["error", "stderr", "reason", "log"]),
      ("events", "id = ?2 AND ?3 = ?3", ["message", "detail"]),
      ("episodes", "completion_id = ?2 AND ?3 = ?3", ["failure"]),
    ] {
      let keys =
        switch table {
        case "scores": "completion_id, reward_id"
        case "episodes": "completion_id, completion_id"
        default: "id, id"
        }
      for column in columns {
        let all = try connection.prepare(
          "SELECT \(keys), \(column) FROM \(table) WHERE \(column) IS NOT NULL")
        var changes: [(Int, Int, String)] = []
        while try all.step() {
          let old = all.text(2)
          // Within JSON a text is masked as a value: what is put in must not break the form.
          let text =
            ["log", "detail"].contains(column)
            ? (try? JSONValue.parse(old)).map { masked($0).jsonText } : mask(old)
          guard let text, text != old else { continue }
          changes.append((all.integer(0), all.integer(1), text))
        }
        for change in changes {
          try connection.prepared("UPDATE \(table) SET \(column) = ?1 WHERE \(key)")
            .run(change.2, change.0, change.1)
        }
      }
    }
  }

  private func note(_ connection: Connection) throws(StoreError) {
    let all = try connection.prepare("SELECT id, provenance FROM runs")
    var changes: [(Int, String)] = []
    while try all.step() {
      var provenance = (try? JSONValue.parse(all.text(1)))?.object ?? [:]
      var notes = provenance["redacted"]?.array ?? []
      notes.append([
        "columns": .object(JSONObject(sorting: columns.mapValues { .string($0.word) })),
        "masked": .array(kinds.map(JSONValue.string)),
      ])
      provenance["redacted"] = .array(notes)
      changes.append((all.integer(0), JSONValue.object(provenance).jsonText))
    }
    for (id, text) in changes {
      try connection.prepared("UPDATE runs SET provenance = ? WHERE id = ?").run(text, id)
    }
  }
}

extension LogRedaction {
  /// A row's columns as JSON after treatment; nil where nothing changes.
  func redacted(columns text: String) -> String? {
    guard let old = (try? JSONValue.parse(text))?.object else { return nil }
    var new = JSONObject()
    for (name, value) in old {
      guard let treatment = columns[name] else {
        new[name] = masked(value)
        continue
      }
      new[name] = treated(value, treatment).map(masked)
    }
    return new == old ? nil : JSONValue.object(new).jsonText
  }

  private func treated(_ value: JSONValue, _ treatment: Treatment) -> JSONValue? {
    if value.isNull { return value }
    let text = value.string ?? value.jsonText
    switch treatment {
    case .drop: return nil
    case .hash(let salt):
      // The salt's length stands before it: no other pair of salt and value gives the same bytes.
      let digest = SHA256.digest(of: "\(salt.utf8.count):\(salt)\(text)")
      return .string(String(digest.hexadecimal.prefix(16)))
    case .generalize(let width):
      guard let number = value.double ?? Double(text), number.isFinite, width > 0 else {
        return .string("*")
      }
      let low = (number / width).rounded(.down) * width
      return .string("\(Self.short(low))-\(Self.short(low + width))")
    case .truncate(let length):
      return text.count <= length ? .string(text) : .string(text.prefix(length) + "…")
    }
  }

  private static func short(_ number: Double) -> String {
    Int(exactly: number).map(String.init) ?? "\(number)"
  }

  private func masked(_ value: JSONValue) -> JSONValue {
    switch value {
    case .string(let text): .string(mask(text) ?? text)
    case .array(let values): .array(values.map(masked))
    case .object(let members): .object(JSONObject(members.map { ($0.key, masked($0.value)) }))
    case .integer(let number): mask(String(number)).map(JSONValue.string) ?? value
    default: value
    }
  }
}
