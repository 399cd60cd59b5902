import Foundation

/// Puts the runs of several logs into one.
public enum LogMerge {
  /// Makes a log that holds the runs of others, in the order given.
  ///
  /// Row ids are shifted by what is already there; which columns refer to which is read from the
  /// foreign keys of the schema. The log is made aside, and appears whole.
  /// - Throws: `StoreError` where the new log exists, or a run is in two of the others.
  public static func merge(_ sources: [URL], into url: URL) throws(StoreError) {
    try AsideLog.make(url) { (aside) throws(StoreError) in try fill(aside, from: sources) }
  }

  private static func fill(_ url: URL, from sources: [URL]) throws(StoreError) {
    let writer = try LogWriter(path: url.path, creating: true)
    let connection = writer.connection
    for source in sources {
      // Says what is wrong with a file that is not a log, or a newer one.
      let state = try LogFormat.state(of: try TrajectoryReader.connection(to: source.path))
      guard state == .log(version: LogFormat.current) else {
        throw StoreError(
          .refused, "The log \(source.path) has an older format.",
          remedy: "Open it once for writing: grpo log migrate \(source.path)")
      }
      try connection.prepare("ATTACH ? AS source").run(source.path)
      try connection.transaction { () throws(StoreError) in
        try copy(connection, from: source)
      }
      try connection.execute("DETACH source")
    }
    try connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
  }

  private static func copy(_ connection: Connection, from source: URL) throws(StoreError) {
    let twice = try connection.prepare(
      """
      SELECT a.name FROM main.runs AS a JOIN source.runs AS b
      ON a.started_at = b.started_at AND a.name = b.name AND a.config = b.config
      """)
    if try twice.step() {
      throw StoreError(
        .refused, "The run '\(twice.text(0))' of \(source.path) is already in the merged log.")
    }
    var offsets: [String: Int] = [:]
    for table in try tables(of: connection) {
      let columns = try self.columns(of: table, in: connection)
      if columns.contains("id") {
        offsets[table] =
          try connection.integer("SELECT coalesce(max(id), 0) FROM main.\(table)") ?? 0
      }
      let references = try self.references(of: table, in: connection)
      let values = columns.map { column in
        guard let target = column == "id" ? table : references[column] else { return column }
        return "\(column) + \(offsets[target] ?? 0)"
      }
      try connection.execute(
        """
        INSERT INTO main.\(table) (\(columns.joined(separator: ", ")))
        SELECT \(values.joined(separator: ", ")) FROM source.\(table)
        """)
    }
    try connection.execute(
      """
      INSERT INTO completion_search (rowid, text)
        SELECT id, text FROM main.completions WHERE id > \(offsets["completions"] ?? 0);
      INSERT INTO problem_search (rowid, prompt)
        SELECT id, prompt FROM main.problems WHERE id > \(offsets["problems"] ?? 0);
      """)
  }

  /// The tables in the order of the schema, so that what is referred to comes first.
  private static func tables(of connection: Connection) throws(StoreError) -> [String] {
    let statement = try connection.prepare(
      """
      SELECT s.name FROM main.sqlite_schema AS s JOIN pragma_table_list AS l ON l.name = s.name
      WHERE s.type = 'table' AND l.type = 'table' AND l.schema = 'main'
        AND s.name NOT LIKE 'sqlite_%' ORDER BY s.rowid
      """)
    var names: [String] = []
    while try statement.step() { names.append(statement.text(0)) }
    return names
  }

  private static func columns(
    of table: String, in connection: Connection
  ) throws(StoreError) -> [String] {
    let statement = try connection.prepare("SELECT name FROM pragma_table_info(?) ORDER BY cid")
    try statement.bind(table)
    var names: [String] = []
    while try statement.step() { names.append(statement.text(0)) }
    return names
  }

  /// The tables that columns refer to.
  private static func references(
    of table: String, in connection: Connection
  ) throws(StoreError) -> [String: String] {
    let statement = try connection.prepare(
      "SELECT \"from\", \"table\" FROM pragma_foreign_key_list(?)")
    try statement.bind(table)
    var references: [String: String] = [:]
    while try statement.step() { references[statement.text(0)] = statement.text(1) }
    return references
  }
}
