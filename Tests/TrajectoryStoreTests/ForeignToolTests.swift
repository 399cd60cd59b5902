import Foundation
import Rollouts
import TestSupport
import Testing

@testable import TrajectoryStore

/// SQLite's own tools, pandas, Datasette and DuckDB read a log as they are.
///
/// They are tried in the Python that `GRPO_TEST_PYTHON` names, otherwise the system's; where it lacks one, that
/// test is skipped by name. DuckDB's SQLite scanner comes with the package `duckdb-extension-sqlite-scanner`.
@Suite("Other tools read a log")
struct ForeignToolTests {
  private static let python =
    ProcessInfo.processInfo.environment["GRPO_TEST_PYTHON"] ?? "/usr/bin/python3"
  private static let hasPython = FileManager.default.isExecutableFile(atPath: python)

  /// Loads the scanner from wherever pip put it.
  private static let duckDB = """
    import duckdb, glob, sys, sysconfig
    duck = duckdb.connect()
    path = glob.glob(sysconfig.get_paths()['purelib'] + '/**/sqlite_scanner.duckdb_extension', recursive=True)
    duck.execute(f"LOAD '{path[0]}'" if path else 'LOAD sqlite')

    """
  private static let hasDuckDB = runs(duckDB)
  private static let hasPandas = runs("import pandas")
  private static let hasDatasette = runs("import datasette")

  private static func runs(_ script: String) -> Bool {
    hasPython && (try? ChildProcess.run([python, "-c", script]))?.code == 0
  }

  private func makeLog() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
    var step = Sample.step(0)
    // A whole number is what a scanner that goes by declared types fell over.
    step.groups[0].completions[0].reward = 6
    try log.append(step: step)
    try log.append(update: Sample.update(1, of: Sample.step(0)))
    try log.append(
      evaluation: EvaluationRecord(
        step: 0, dataset: "e", metrics: ["a": 1],
        completions: [
          EvaluationCompletionRecord(
            problemIndex: 0, sample: 0, prompt: .text("q"),
            completion: Completion(text: "a", tokens: [1], finish: .stop), reward: 6)
        ]))
    return folder
  }

  @Test(.enabled(if: hasDuckDB, "DuckDB or its extension for SQLite is not installed"))
  func duckDBReadsEveryTableAndView() throws {
    let folder = try makeLog()
    let script =
      Self.duckDB + """
        import sqlite3
        duck.execute(f"ATTACH '{sys.argv[1]}' AS log (TYPE sqlite, READ_ONLY)")
        plain = sqlite3.connect(sys.argv[1])
        names = [n for n, in plain.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
          "AND name NOT LIKE '%_search%' AND name NOT LIKE 'sqlite_%'")]
        assert len(names) > 15, names
        for n in names:
            rows = plain.execute(f'SELECT count(*) FROM {n}').fetchone()[0]
            assert len(duck.execute(f'SELECT * FROM log."{n}"').fetchall()) == rows, n
        for query in ['SELECT id, reward, advantage FROM {}completions ORDER BY id',
                      'SELECT completion_id, value FROM {}scores ORDER BY completion_id, reward_id',
                      'SELECT reward FROM {}evaluation_completions']:
            assert duck.execute(query.format('log.')).fetchall() == plain.execute(query.format('')).fetchall()
        types = duck.execute("SELECT typeof(reward), typeof(advantage) FROM log.completions LIMIT 1").fetchone()
        assert types == ('DOUBLE', 'DOUBLE'), types
        print('fine')
        """
    #expect(try output(of: script, folder.log.path) == "fine\n")
  }

  @Test(.enabled(if: hasPandas, "pandas is not installed"))
  func pandasReadsNumbersAsNumbers() throws {
    let folder = try makeLog()
    let script = """
      import pandas, sqlite3, sys
      log = sqlite3.connect(sys.argv[1])
      rows = pandas.read_sql('SELECT * FROM trajectories', log)
      assert len(rows) == 12 and rows['reward'].dtype == 'float64' and rows['advantage'].dtype == 'float64'
      assert rows['reward'].max() == 6 and rows['reward'].isna().sum() == 3
      assert pandas.read_sql('SELECT value FROM reward_scores', log)['value'].dtype == 'float64'
      print('fine')
      """
    #expect(try output(of: script, folder.log.path) == "fine\n")
  }

  @Test(.enabled(if: hasDatasette, "Datasette is not installed"))
  func datasetteShowsAndSearches() throws {
    let folder = try makeLog()
    func get(_ path: String) throws -> JSONValue {
      let ended = try ChildProcess.run([
        Self.python, "-m", "datasette", folder.log.path, "--get",
        "/trajectories/\(path)&_shape=array",
      ])
      #expect(ended.code == 0, "\(ended.errors)")
      return try JSONValue.parse(ended.output)
    }
    let best = try get("trajectories.json?_sort_desc=reward&_size=1")
    #expect(best.array?.first?["reward"]?.double == 6)
    #expect(try get("completions.json?_search=answer").array?.count == 12)
  }

  @Test(.enabled(if: hasPython, "python3 is not installed"))
  func pythonReadsEveryTableAndView() throws {
    let folder = try TemporaryFolder()
    do {
      let log = try TrajectoryLog(creating: folder.log)
      try log.begin(run: Sample.run())
      try log.append(step: Sample.step(0))
      try log.append(update: Sample.update(1, of: Sample.step(0)))
    }
    let script = """
      import sqlite3, struct, sys
      c = sqlite3.connect(sys.argv[1])
      names = [n for n, in c.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE '%_search_%'")]
      assert 'trajectories' in names and len(names) > 15, names
      for n in names: c.execute(f'SELECT * FROM {n}').fetchall()
      ids, logprobs, length = c.execute('SELECT token_ids, sampler_logprobs, length '
        'FROM completion_tokens JOIN completions ON id = completion_id LIMIT 1').fetchone()
      assert len(struct.unpack(f'<{length}i', ids)) == len(struct.unpack(f'<{length}f', logprobs))
      assert c.execute("SELECT count(*) FROM completion_search('answer')").fetchone()[0] == 12
      c.execute('DELETE FROM completions WHERE id = 1')
      assert c.execute("SELECT count(*) FROM completion_search('answer')").fetchone()[0] == 11
      c.execute("UPDATE completions SET text = 'pear' WHERE id = 2")
      assert c.execute("SELECT rowid FROM completion_search('pear')").fetchone()[0] == 2
      c.execute("INSERT INTO completion_search(completion_search) VALUES ('integrity-check')")
      c.rollback()
      assert c.execute('PRAGMA integrity_check').fetchone()[0] == 'ok'
      assert not c.execute('PRAGMA foreign_key_check').fetchall()
      print('fine')
      """
    #expect(try output(of: script, folder.log.path) == "fine\n")
  }

  private func output(of script: String, _ argument: String) throws -> String {
    let ended = try ChildProcess.run([Self.python, "-c", script, argument])
    #expect(ended.code == 0, "\(ended.errors)")
    return ended.output
  }
}
