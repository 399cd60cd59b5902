import Foundation
import Rollouts

/// The first place where two logs differ in what is deterministic.
public struct LogDifference: Sendable, Equatable, CustomStringConvertible {
  /// The table.
  public var table: String
  /// The row, by its key in the first log, or in the second where the first has no such row.
  public var row: String
  /// Where in the run the row stands, where that can be told: step, draw, sample.
  public var place: String?
  /// The column; nil where one log lacks the row.
  public var column: String?
  /// The element of an array from which on they differ, from 0.
  public var element: Int?
  /// What the first log has there; nil where it lacks the row.
  public var first: String?
  /// What the second log has there; nil where it lacks the row.
  public var second: String?

  /// The difference as a sentence.
  public var description: String {
    var text = "\(table)"
    if let column { text += ".\(column)" }
    text += " (\(row)\(place.map { ": " + $0 } ?? ""))"
    // Arrays of these tables have an element per token.
    if let element {
      text += table.hasPrefix("completion_") ? ", token \(element)" : ", element \(element)"
    }
    guard column != nil else {
      return text + (first == nil ? " is only in the second log" : " is only in the first log")
    }
    return text + ": \(first ?? "NULL") against \(second ?? "NULL")"
  }

  /// Walks two logs side by side; nil where their canonical exports are equal.
  ///
  /// Linear in the logs, with memory for a row of each.
  public static func first(
    between first: URL, and second: URL
  ) throws(StoreError) -> LogDifference? {
    let connections = (
      try TrajectoryReader.connection(to: first.path),
      try TrajectoryReader.connection(to: second.path)
    )
    let tables = (
      try CanonicalTable.all(in: connections.0), try CanonicalTable.all(in: connections.1)
    )
    for (a, b) in zip(tables.0, tables.1) {
      guard a.name == b.name, a.columns == b.columns else {
        throw StoreError(
          .refused, "The logs have different formats: '\(a.name)' against '\(b.name)'.",
          remedy: "Bring the older one to this program's format: grpo log migrate LOG.")
      }
      let statements = (try connections.0.prepare(a.sql), try connections.1.prepare(b.sql))
      while true {
        let rows = (try statements.0.step(), try statements.1.step())
        if !rows.0 && !rows.1 { break }
        guard rows.0, rows.1 else {
          let (statement, connection) =
            rows.0 ? (statements.0, connections.0) : (statements.1, connections.1)
          return LogDifference(
            table: a.name, row: a.rowName(statement),
            place: try a.place(of: statement, in: connection), column: nil, element: nil,
            first: rows.0 ? "a row" : nil, second: rows.1 ? "a row" : nil)
        }
        for index in a.columns.indices {
          let values = (
            statements.0.value(Int32(clamping: index)), statements.1.value(Int32(clamping: index))
          )
          if values.0.hasSameBits(as: values.1) { continue }
          return try LogDifference(
            a, column: a.columns[index], values, statements.0, connections.0)
        }
      }
    }
    return nil
  }
}

extension LogDifference {
  /// A value that differs.
  fileprivate init(
    _ table: CanonicalTable, column: String, _ values: (QueryValue, QueryValue),
    _ statement: Statement, _ connection: Connection
  ) throws(StoreError) {
    self.table = table.name
    self.column = column
    row = table.rowName(statement)
    place = try table.place(of: statement, in: connection)
    (first, second) = (values.0.plainText, values.1.plainText)
    if case .text(let a) = values.0, case .text(let b) = values.1 { narrow(a, b) }
    guard case .blob(let a) = values.0, case .blob(let b) = values.1 else { return }
    let size = column == "advantages" ? 8 : ["clips", "kept_sets"].contains(column) ? 1 : 4
    let common = zip(a, b).enumerated().first { $1.0 != $1.1 }?.offset ?? min(a.count, b.count)
    element = common / size
    (first, second) = (
      Self.element(of: a, at: common / size, size, column),
      Self.element(of: b, at: common / size, size, column)
    )
  }

  /// Of JSON objects names the first member that differs; of long texts keeps what surrounds the difference.
  private mutating func narrow(_ a: String, _ b: String) {
    if let mine = try? JSONValue.parse(a).object, let other = try? JSONValue.parse(b).object,
      let key = (mine.map(\.key) + other.map(\.key)).first(where: { mine[$0] != other[$0] })
    {
      column = (column ?? "") + ".\(key)"
      (first, second) = (mine[key]?.jsonText ?? "missing", other[key]?.jsonText ?? "missing")
    }
    guard let mine = first, let other = second else { return }
    let common = zip(mine, other).prefix { $0 == $1 }.count
    func excerpt(_ text: String) -> String {
      guard text.count > 120 else { return text }
      let start = max(0, common - 30)
      let part = text.dropFirst(start).prefix(90)
      return (start > 0 ? "…" : "") + part + (start + 90 < text.count ? "…" : "")
    }
    (first, second) = (excerpt(mine), excerpt(other))
  }

  /// An element of an array as text, nil beyond its end.
  private static func element(
    of bytes: [UInt8], at index: Int, _ size: Int, _ column: String
  ) -> String? {
    guard (index + 1) * size <= bytes.count else { return nil }
    return bytes.withUnsafeBytes { bytes in
      switch (size, column) {
      case (8, _): return "\(bytes.loadUnaligned(fromByteOffset: index * 8, as: Double.self))"
      case (1, _): return "\(bytes[index])"
      case (_, let name) where name.hasSuffix("token_ids"):
        return "\(bytes.loadUnaligned(fromByteOffset: index * 4, as: Int32.self))"
      default: return "\(bytes.loadUnaligned(fromByteOffset: index * 4, as: Float.self))"
      }
    }
  }
}

extension QueryValue {
  /// Equality that tells 0.0 from −0.0.
  fileprivate func hasSameBits(as other: QueryValue) -> Bool {
    if case .real(let a) = self, case .real(let b) = other { return a.bitPattern == b.bitPattern }
    return self == other
  }
}

extension CanonicalTable {
  /// A row by its key: `completion_id 7, reward_id 1`.
  fileprivate func rowName(_ statement: Statement) -> String {
    key.compactMap { name in
      columns.firstIndex(of: name).map {
        "\(name) \(statement.value(Int32(clamping: $0)).plainText)"
      }
    }.joined(separator: ", ")
  }

  /// Where in the run a row stands, by the completion or the step that it names.
  fileprivate func place(
    of statement: Statement, in connection: Connection
  ) throws(StoreError) -> String? {
    func integer(_ column: String) -> Int? {
      columns.firstIndex(of: column).map { statement.integer(Int32(clamping: $0)) }
    }
    if let completion = name == "completions" ? integer("id") : integer("completion_id") {
      let place = try connection.prepare(
        """
        SELECT step, draw, sample, problem_id FROM trajectories WHERE completion_id = ?
        """)
      try place.bind(completion)
      guard try place.step() else { return nil }
      return "step \(place.integer(0)), draw \(place.integer(1)), sample \(place.integer(2)), "
        + "problem \(place.integer(3))"
    }
    guard let step = name == "steps" ? integer("id") : integer("step_id") else { return nil }
    let place = try connection.prepare("SELECT step FROM steps WHERE id = ?")
    try place.bind(step)
    return try place.step() ? "step \(place.integer(0))" : nil
  }
}
