import Foundation
import Rollouts
import Testing

@testable import TrajectoryStore

@Suite("An older log becomes a newer one")
struct MigrationTests {
  /// A log of format 1 with values of every kind in the columns that changed.
  private func firstFormat(_ folder: TemporaryFolder) throws -> Connection {
    let connection = try Connection(path: folder.log.path, mode: .create)
    try connection.execute(schemaVersion1)
    try connection.execute(
      """
      PRAGMA journal_mode = WAL;
      PRAGMA application_id = \(LogFormat.applicationID); PRAGMA user_version = 1;
      INSERT INTO runs VALUES (1, 'r', 'grpo', 7, '1', '{}', '', '', '', '', '{}', '{}', 't', NULL, NULL);
      INSERT INTO rewards VALUES (1, 1, 0, 'exact', 1, 'built-in', '', 1, 'null');
      INSERT INTO problems VALUES (1, 1, 'd', 0, 0, 'text', 'a plum?', x'01000000', '{}');
      INSERT INTO steps VALUES (1, 1, 1, 0, 1, 0, 0, 4, 4, 0, 1, 1, 1, 0, 6, 1, 1, 1, -1, 1, 't');
      INSERT INTO groups VALUES (1, 1, 1, 0, 0, 4, 0, 1, 1, 0, 6);
      INSERT INTO evaluations VALUES (1, 1, 0, 'eval', 'e', '{}', 1.5, 't');
      INSERT INTO evaluation_completions
        VALUES (1, 0, 0, 'text', 'q', 'a', 'stop', x'02000000', 6.0, '{"exact":6.0}');
      """)
    for (index, value) in [6.0, 0.1, -0.0, nil].enumerated() {
      try connection.prepare(
        "INSERT INTO completions VALUES (?, 1, 1, ?, 'stop', 1, ?, ?, -1, -1, 1, 'plums')"
      ).run(index + 1, index, value, value)
      try connection.prepare(
        "INSERT INTO completion_tokens (completion_id, token_ids) VALUES (?, x'05000000')"
      ).run(index + 1)
      try connection.prepare(
        "INSERT INTO scores VALUES (?, 1, ?, ?, NULL, NULL, NULL, NULL, 0.5, NULL, 0)"
      ).run(index + 1, value == nil ? "unscorable" : "scored", value)
    }
    try connection.execute(
      "INSERT INTO completion_search (rowid, text) SELECT id, text FROM completions")
    return connection
  }

  private func statements(of connection: Connection) throws -> [String: String] {
    let statement = try connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql NOTNULL")
    var statements: [String: String] = [:]
    while try statement.step() { statements[statement.text(0)] = statement.text(1) }
    return statements
  }

  @Test func theMigratedSchemaIsThatOfANewLog() throws {
    let (old, new) = (try TemporaryFolder(), try TemporaryFolder())
    do { _ = try firstFormat(old) }
    let logs = (try TrajectoryLog(opening: old.log), try TrajectoryLog(creating: new.log))
    let (migrated, made) = (
      try statements(of: try Connection(path: old.log.path, mode: .readOnly)),
      try statements(of: try Connection(path: new.log.path, mode: .readOnly))
    )
    #expect(migrated == made)
    #expect(made.count > 30)
    #expect(made.values.allSatisfy { !$0.contains(" ANY") && !$0.contains("circumstance") })
    _ = logs
  }

  @Test func nothingIsLostAndTheFileIsSound() throws {
    let folder = try TemporaryFolder()
    // A reader that has the file open meanwhile sees the new format with its next statement.
    let open = try firstFormat(folder)
    do {
      let log = try TrajectoryLog(opening: folder.log)
      try log.append(step: StepRecord(step: 2, policyStep: 1, groups: []))
    }
    #expect(try open.integer("SELECT count(*) FROM scores WHERE reason IS NULL") == 4)
    #expect(
      try open.integer("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'")
        == 0)
    #expect(try open.integer("SELECT count(*) FROM completions WHERE reward = 6.0") == 1)
    let reader = try TrajectoryReader(readOnly: folder.log)
    let step = try #require(try reader.step(1))
    #expect(step.groups[0].completions.map(\.reward) == [6, 0.1, 0, nil])
    #expect(step.groups[0].completions.map(\.scores.count) == [1, 1, 1, 1])
    let evaluation = try #require(try reader.evaluations(withCompletions: true).first)
    #expect(evaluation.completions.map(\.reward) == [6] && evaluation.completions[0].columns == [:])
    #expect(try reader.steps() == [1, 2])
    let backup = URL(fileURLWithPath: folder.log.path + ".format-1.backup")
    #expect(try TrajectoryReader(readOnly: backup).steps() == [1])
  }

  @Test func anOlderLogIsReadAsItIs() throws {
    let folder = try TemporaryFolder()
    do { _ = try firstFormat(folder) }
    let step = try #require(try TrajectoryReader(readOnly: folder.log).step(1))
    #expect(step.groups[0].completions[0].scores[0].scoring == .scored(Score(6)))
    var request = ReportRequest(session: try QuerySession(readOnly: folder.log), arguments: ["1"])
    request.run = 1
    for report in Report.all where report.name != "compare" { _ = try report.make(request) }
    let page = try RunPage([.init(session: try QuerySession(readOnly: folder.log))]).html()
    #expect(page.contains("data"))
    #expect(
      try Connection(path: folder.log.path, mode: .readOnly).integer("PRAGMA user_version") == 1)
  }

  @Test func aMigrationThatFailsLeavesEverythingAsItWas() throws {
    let folder = try TemporaryFolder()
    let connection = try firstFormat(folder)
    let before = try statements(of: connection)
    let broken = [
      Migration(
        version: 2,
        sql: """
          PRAGMA writable_schema = ON;
          UPDATE sqlite_schema SET sql = replace(sql, ' ANY', ' REAL');
          CREATE TABLE good (x); CREATE TABLE runs (x)
          """)
    ]
    #expect(throws: StoreError.self) {
      try LogFormat.migrate(connection, from: 1, migrations: broken)
    }
    #expect(try connection.integer("PRAGMA user_version") == 1)
    #expect(try connection.integer("PRAGMA writable_schema") == 0)
    #expect(try statements(of: connection) == before)
  }

  @Test func aViewInATablesPlaceIsRefused() throws {
    let folder = try TemporaryFolder()
    do { _ = try TrajectoryLog(creating: folder.log) }
    do {
      let connection = try Connection(path: folder.log.path, mode: .readWrite)
      try connection.execute(
        """
        DROP TABLE checkpoints;
        CREATE VIEW checkpoints AS WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x FROM n)
          SELECT x FROM n
        """)
    }
    let error = #expect(throws: StoreError.self) { _ = try TrajectoryReader(readOnly: folder.log) }
    #expect(error?.kind == .damaged && error?.description.contains("in their place") == true)
    #expect(throws: StoreError.self) { _ = try TrajectoryLog(opening: folder.log) }
  }

  /// Rows as CSV come from the program's own definition: a view that another program replaced, and that never
  /// ends, is not asked.
  @Test func exportedRowsDontTrustTheFilesView() throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "one")
    let connection = try Connection(path: folder.log.path, mode: .readWrite)
    let names = try QuerySession(readOnly: folder.log).rows("SELECT * FROM trajectories LIMIT 1")
      .columns
    try connection.execute(
      """
      DROP VIEW trajectories;
      CREATE VIEW trajectories AS WITH RECURSIVE n (step, run_id, completion_id) AS
        (SELECT 1, 1, 1 UNION ALL SELECT step, run_id, completion_id FROM n) SELECT * FROM n
      """)
    var (columns, count) = ([String](), 0)
    try TrajectoryRows(readOnly: folder.log).write(from: 1, through: 1, columns: { columns = $0 }) {
      _ in
      count += 1
      return count < 1000
    }
    #expect(columns == names)
    #expect(count == 12)
  }
}
