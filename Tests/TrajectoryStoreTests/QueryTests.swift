import Foundation
import Rollouts
import Testing

@testable import TrajectoryStore

/// A log with a few steps and updates of the sample run.
private func sampleLog(steps: Int = 4, updates: Int = 2) throws -> TemporaryFolder {
  let folder = try TemporaryFolder()
  let log = try TrajectoryLog(creating: folder.log)
  try log.begin(run: Sample.run())
  for index in 0..<steps {
    let step = Sample.step(index)
    try log.append(step: step)
    for update in 0..<updates { try log.append(update: Sample.update(update, of: step)) }
  }
  return folder
}

@Suite("A query can only read")
struct ReadOnlyQueryTests {
  @Test(arguments: [
    "DELETE FROM steps", "UPDATE steps SET step = 99", "INSERT INTO events DEFAULT VALUES",
    "DROP TABLE steps", "CREATE TABLE x (y)", "CREATE TEMP TABLE x (y)",
    "CREATE TEMP VIEW v AS SELECT 1", "ATTACH DATABASE ':memory:' AS other",
    "DETACH DATABASE main", "VACUUM", "VACUUM INTO '/tmp/grpo-test-copy.sqlite'", "REINDEX",
    "ANALYZE", "PRAGMA writable_schema = ON", "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE", "PRAGMA user_version = 7", "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA foreign_keys = OFF", "SELECT load_extension('x.so')", "BEGIN IMMEDIATE",
    "SAVEPOINT a", "PRAGMA temp_store_directory = '/tmp'", "PRAGMA optimize",
    "SELECT * FROM pragma_wal_checkpoint('TRUNCATE')", "SELECT writefile('/tmp/x', 'y')",
    "SELECT readfile('/etc/passwd')", "SELECT edit('x')",
    "INSERT INTO completion_search (completion_search) VALUES ('rebuild')",
    "REPLACE INTO runs SELECT * FROM runs", "ALTER TABLE steps RENAME TO other",
    "WITH x AS (SELECT 1) DELETE FROM steps", "DELETE FROM steps RETURNING id",
    "UPDATE sqlite_master SET type = 'view'", "SELECT 1; DELETE FROM steps",
  ])
  func changesAreRefused(_ sql: String) throws {
    let folder = try sampleLog(steps: 1, updates: 0)
    let before = try Data(contentsOf: folder.log)
    let session = try QuerySession(readOnly: folder.log)
    #expect(throws: StoreError.self) { _ = try session.rows(sql) }
    let reader = try TrajectoryReader(readOnly: folder.log)
    #expect(try reader.steps() == [0])
    #expect(try Data(contentsOf: folder.log) == before)
    #expect(!FileManager.default.fileExists(atPath: "/tmp/grpo-test-copy.sqlite"))
  }

  @Test(arguments: [
    "SELECT count(*) FROM steps",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
      + "LIMIT 5) SELECT * FROM n",
    "PRAGMA table_info(steps)", "PRAGMA user_version", "SELECT * FROM pragma_table_info('runs')",
    "EXPLAIN QUERY PLAN SELECT * FROM trajectories", "SELECT * FROM json_each('[1, 2]')",
    "SELECT rowid FROM completion_search('answer') LIMIT 1", "VALUES (1), (2)",
    "SELECT 1; -- and a remark",
    "SELECT snippet(completion_search, 0, '[', ']', '…', 5) "
      + "FROM completion_search('answer') LIMIT 1",
    "SELECT sqrt(2), ln(2)", "PRAGMA integrity_check",
  ])
  func readingIsAllowed(_ sql: String) throws {
    let folder = try sampleLog(steps: 1)
    let session = try QuerySession(readOnly: folder.log)
    #expect(!(try session.rows(sql)).rows.isEmpty)
  }

  @Test func anEndlessQueryMeetsItsTimeLimit() throws {
    let folder = try sampleLog(steps: 1)
    let session = try QuerySession(readOnly: folder.log)
    let endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    let error = #expect(throws: StoreError.self) {
      _ = try session.rows(endless, timeLimit: 0.05)
    }
    #expect(error?.kind == .timeLimit)
    var asked = 0
    let interrupted = #expect(throws: StoreError.self) {
      try session.run(
        endless,
        isInterrupted: {
          asked += 1
          return asked > 3
        }, row: { _ in true })
    }
    #expect(interrupted?.kind == .interrupted)
    #expect(try session.rows("SELECT 1").rows == [[.integer(1)]])
  }

  @Test func hugeValuesAreRefused() throws {
    let folder = try sampleLog(steps: 1)
    let session = try QuerySession(readOnly: folder.log)
    #expect(throws: StoreError.self) { _ = try session.rows("SELECT hex(zeroblob(900000000))") }
  }

  @Test func parametersAreBoundByName() throws {
    let folder = try sampleLog(steps: 1)
    let session = try QuerySession(readOnly: folder.log)
    let rows = try session.rows(
      "SELECT :a + @b, $c", parameters: ["a": .integer(1), "b": .real(0.5), "c": .text("x")])
    #expect(rows.rows == [[.real(1.5), .text("x")]])
    #expect(throws: StoreError.self) { _ = try session.rows("SELECT :a") }
    #expect(throws: StoreError.self) {
      _ = try session.rows("SELECT 1", parameters: ["a": .null])
    }
  }

  @Test func arraysAreTables() throws {
    let folder = try sampleLog(steps: 1)
    let session = try QuerySession(readOnly: folder.log)
    let record = Sample.step(0).groups[0].completions[2]
    let ids = try session.rows(
      """
      SELECT value FROM completion_tokens, ints(token_ids)
      WHERE completion_id = 3 ORDER BY position
      """)
    #expect(ids.rows == record.completion.tokens.map { [.integer(Int64($0))] })
    let entropies = try session.rows(
      "SELECT position, value FROM completion_tokens, floats(entropies) WHERE completion_id = 3")
    #expect(
      entropies.rows
        == (record.entropies ?? []).enumerated().map {
          [.integer(Int64($0)), .real(Double($1))]
        })
    guard case .tokens(let advantages) = record.advantage else { return }
    let doubles = try session.rows(
      "SELECT value FROM completion_tokens, doubles(advantages) WHERE completion_id = 3")
    #expect(doubles.rows == advantages.map { [.real($0)] })
    #expect(try session.rows("SELECT * FROM floats(NULL)").rows.isEmpty)
    #expect(try session.rows("SELECT * FROM floats('text')").rows.isEmpty)
    #expect(try session.rows("SELECT * FROM ints").rows.isEmpty)
    #expect(try session.rows("SELECT count(*) FROM ints(x'0102030405')").rows == [[.integer(1)]])
  }
}

@Suite("Reports answer from the log")
struct ReportTests {
  private func page(
    _ name: String, _ arguments: [String] = [], in folder: TemporaryFolder,
    filter: TrajectoryFilter = TrajectoryFilter()
  ) throws -> ReportPage {
    let session = try QuerySession(readOnly: folder.log)
    var request = ReportRequest(session: session, arguments: arguments)
    request.filter = filter
    if name == "compare" { request.others = [(session, nil)] }
    return try #require(Report.named(name)).make(request)
  }

  @Test(arguments: Report.all.map(\.name))
  func everyReportAnswers(_ name: String) throws {
    let folder = try sampleLog()
    let arguments = Report.named(name)?.arguments == "" ? [] : ["1"]
    #expect(!(try page(name, arguments, in: folder)).sections.isEmpty)
    var filter = TrajectoryFilter()
    try filter.setSteps("1..2")
    filter.reward = try RewardCondition("<2")
    filter.match = "answer"
    filter.condition = "length > 0 -- or so"
    filter.limit = 3
    #expect(!(try page(name, arguments, in: folder, filter: filter)).sections.isEmpty)
  }

  @Test(arguments: Report.all.map(\.name))
  func everyReportAnswersOnARunWithoutSteps(_ name: String) throws {
    let folder = try sampleLog(steps: 0)
    let arguments = Report.named(name)?.arguments == "" ? [] : ["1"]
    if ["prompt", "completion"].contains(name) {
      #expect(throws: StoreError.self) { _ = try page(name, arguments, in: folder) }
    } else {
      #expect(!(try page(name, arguments, in: folder)).title.isEmpty)
    }
  }

  @Test func bestAndWorstAreInOrder() throws {
    let folder = try sampleLog()
    let rewards = (0..<4).flatMap { Sample.step($0).groups }.flatMap(\.completions)
      .compactMap(\.reward).sorted()
    let best = try #require(try page("best", in: folder).mainTable)
    let worst = try #require(try page("worst", in: folder).mainTable)
    #expect(best.rows.compactMap { $0[3].double } == Array(rewards.reversed().prefix(20)))
    #expect(worst.rows.compactMap { $0[3].double } == Array(rewards.prefix(20)))
  }

  @Test func sharesOfTheAdvantageAddUp() throws {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    let run = SyntheticRun(length: 8, steps: 6, problems: 30)
    try log.begin(run: run.record)
    for index in 0..<6 {
      // Only groups that both rewards scored whole, where the total is their weighted sum.
      var step = run.step(index)
      for group in step.groups.indices {
        for completion in step.groups[group].completions.indices
        where !step.groups[group].completions[completion].scores.allSatisfy({
          if case .scored = $0.scoring { true } else { false }
        }) {
          step.groups[group].completions[completion].reward = nil
        }
      }
      try log.append(step: step)
    }
    let summed = try #require(try page("rewards", in: folder).mainTable)
    // Sums over 48 groups of numbers of size 1 lose a few units in the last place.
    #expect(abs(summed.rows.compactMap { $0[6].double }.reduce(0, +) - 1) < 1e-12)
    var filter = TrajectoryFilter()
    filter.condition = "1"
    let walked = try #require(try page("rewards", in: folder, filter: filter).mainTable)
    for (a, b) in zip(summed.rows, walked.rows) {
      for (a, b) in zip(a, b) {
        if let a = a.double, let b = b.double {
          #expect(abs(a - b) < 1e-12)
        } else {
          #expect(a == b)
        }
      }
    }
  }

  @Test func droppedGroupsCountInNoSummary() throws {
    let folder = try sampleLog(steps: 1, updates: 0)
    let session = try QuerySession(readOnly: folder.log)
    #expect(
      try session.rows("SELECT groups, dropped_groups, completions FROM steps").rows
        == [[.integer(2), .integer(1), .integer(8)]])
  }

  @Test func aRunEqualsItself() throws {
    let folder = try sampleLog()
    let page = try page("compare", ["same"], in: folder)
    #expect(page.mainTable?.rows.isEmpty == true)
    #expect(
      page.sections.contains(.note("The summaries of all 4 steps are equal in every bit.")))
  }

  @Test func seedsOfOneSettingAreAveraged() throws {
    // Three seeds of one setting and one run of another: 2 variants.
    let folders = try (0..<4).map { _ in try TemporaryFolder() }
    for (place, folder) in folders.enumerated() {
      let log = try TrajectoryLog(creating: folder.log)
      var run = Sample.run(name: "run \(place)", seed: place)
      run.configuration["beta"] = .number(place < 3 ? 0.04 : 0)
      run.configuration["seed"] = .integer(Int64(place))
      // No model is named: the weights were drawn by the seed, and so is their hash.
      run.configuration["model"] = .null
      run.modelHash = "hash of seed \(place)"
      try log.begin(run: run)
      for step in 0..<3 { try log.append(step: Sample.step(step)) }
    }
    let sessions = try folders.map { try QuerySession(readOnly: $0.log) }
    var request = ReportRequest(session: sessions[0])
    request.others = sessions.dropFirst().map { ($0, nil) }
    let page = try #require(Report.named("compare")).make(request)
    let tables = page.sections.compactMap { section -> (String, ReportTable)? in
      if case .table(let key, _, let table) = section { (key, table) } else { nil }
    }
    let byKey = Dictionary(uniqueKeysWithValues: tables)
    #expect(byKey["runs"]?.rows.map { $0[0].plainText } == ["A", "A", "A", "B"])
    #expect(byKey["settings"]?.rows.map { $0[0].plainText } == ["beta"])
    let reward = try #require(byKey["results"]?.rows.first)
    let keys = try #require(byKey["results"]?.columns.map(\.key))
    #expect(keys.contains("A_low") && !keys.contains("B_low"))
    // The same steps in every run: the interval of equal values has no width.
    #expect(reward[1] == reward[2] && reward[1] == reward[3])
  }

  @Test func partsOfRewardsAreAveraged() throws {
    let folder = try sampleLog()
    let parts = try page("rewards", in: folder).sections.compactMap { section -> ReportTable? in
      if case .table("parts", _, let table) = section { table } else { nil }
    }
    let rows = try #require(parts.first?.rows)
    // The fixture gives every scored completion of its first reward the same two parts.
    #expect(rows.map { $0[1].plainText } == ["digits", "form"])
    for (row, expected) in zip(rows, [0.1 + 0.2, 1]) {
      for end in [2, 3] { #expect(abs((row[end].double ?? 0) - expected) < 1e-12) }
    }
  }

  @Test func aConversationReadsAsText() {
    let text = PromptText.text(
      of: .messages([
        ChatMessage(role: "system", content: "be brief"),
        ChatMessage(role: "user", content: "a\nb"),
      ]))
    #expect(PromptText.readable(text) == "system: be brief\nuser: a\nb")
    for plain in ["[1, 2]", "[{\"a\": 1}]", "[{", "", "[]", "text"] {
      #expect(PromptText.readable(plain) == plain)
    }
  }

  @Test func anIntervalOfAMeanIsStudents() throws {
    // By hand: 1, 2, 3, 4 have mean 2.5, s = 1.29099, t(3) = 3.1824; half = 3.1824 · 1.29099 / 2.
    let interval = try #require(MeanInterval([1, 2, 3, 4]))
    #expect(interval.mean == 2.5)
    #expect(abs((interval.upper ?? 0) - (2.5 + 2.05422)) < 1e-4)
    #expect(abs((interval.lower ?? 0) - (2.5 - 2.05422)) < 1e-4)
    #expect(MeanInterval([7])?.lower == nil)
    #expect(MeanInterval([]) == nil)
  }

  @Test(arguments: ["5", "3..9", "3..", "..9"])
  func rangesOfStepsAreRead(_ text: String) throws {
    var filter = TrajectoryFilter()
    try filter.setSteps(text)
    let expected: [String: (Int?, Int?)] = [
      "5": (5, 5), "3..9": (3, 9), "3..": (3, nil), "..9": (nil, 9),
    ]
    #expect(filter.firstStep == expected[text]?.0)
    #expect(filter.lastStep == expected[text]?.1)
  }

  @Test(arguments: ["", "..", "a..b", "9..3", "1..2..3", "1.5"])
  func otherRangesAreRefused(_ text: String) {
    var filter = TrajectoryFilter()
    #expect(throws: StoreError.self) { try filter.setSteps(text) }
  }

  @Test func rewardConditionsAreRead() throws {
    #expect(try RewardCondition(">= 0.5") == .compared(">=", 0.5))
    #expect(try RewardCondition("-1") == .compared("=", -1))
    #expect(try RewardCondition("-1..1") == .within(-1, 1))
    #expect(try RewardCondition("null") == .missing)
    for text in ["", ">", "high", "1..x", ">nan", "=inf"] {
      #expect(throws: StoreError.self) { _ = try RewardCondition(text) }
    }
  }
}
