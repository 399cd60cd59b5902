/// A numbered change of the log's format; never edited once released, only followed by another.
struct Migration {
  /// The version of the format that it leads to.
  var version: Int
  /// What it executes, in one transaction.
  var sql: String
}

extension LogFormat {
  /// All changes since version 1, in order: they make of an older log what `currentSchema` makes anew.
  static let migrations = [
    Migration(version: 2, sql: plainTypes), Migration(version: 3, sql: turnTables),
  ]

  /// Version 2: plain types, reasons of scores, columns of evaluations.
  ///
  /// Rewards, advantages and scores are declared REAL, where they were ANY with a CHECK that they be REAL: tools
  /// that go by declared types took ANY for text. Scores may say their reason, and evaluations keep the columns of
  /// their rows. `problem_results` counts a column, since DuckDB asks SQLite for a function of its own where a view
  /// counts rows. What was called circumstance is called nondeterministic.
  ///
  /// Declarations are replaced where SQLite keeps them: what lies on the disk is the same under both (a
  /// REAL holds what the CHECK let in, a column added at the end is NULL in older rows), so that a log of
  /// gigabytes is migrated at once. A test compares the result with a new log, and SQLite's
  /// `integrity_check` reads every row of it.
  private static let plainTypes = #"""
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, '[circumstance', '[nondeterministic');
    UPDATE sqlite_schema SET sql = replace(replace(sql,
      'reward ANY CHECK (typeof(reward) IN (''real'', ''null'')), -- weighted',
      'reward REAL,                        -- weighted'),
      'advantage ANY CHECK (typeof(advantage) IN (''real'', ''null'')), -- its',
      'advantage REAL,                     -- its') WHERE name = 'completions';
    UPDATE sqlite_schema SET sql = replace(replace(sql,
      'value ANY CHECK (typeof(value) IN (''real'', ''null'')), -- before',
      'value REAL,                         -- before'),
      'CHECK (from_cache IN (0, 1)), -- [nondeterministic]
    ', 'CHECK (from_cache IN (0, 1)), -- [nondeterministic]
      reason TEXT,                        -- why the score is what it is, where the reward says
    ') WHERE name = 'scores';
    UPDATE sqlite_schema SET sql = replace(replace(sql,
      'reward ANY CHECK (typeof(reward) IN (''real'', ''null'')),',
      'reward REAL,                        -- weighted total; NULL: could not be scored'),
      '-- JSON object: reward, number or null
    ', '-- JSON object: reward, number or null
      columns TEXT,                       -- JSON object: the other columns of the row; NULL in older logs
    ') WHERE name = 'evaluation_completions';
    UPDATE sqlite_schema SET sql = replace(sql, '-- SHA-256 of the weights
    ', '-- SHA-256 of its trainer.json, which has those of its files
    ') WHERE name = 'checkpoints';
    PRAGMA writable_schema = RESET;
    DROP VIEW reward_scores;
    CREATE VIEW reward_scores AS
      SELECT steps.run_id, steps.step, scores.completion_id, rewards.name AS reward, rewards.weight,
        scores.status, scores.value, scores.parts, scores.error, scores.seconds, scores.reason
      FROM scores
      JOIN rewards ON rewards.id = scores.reward_id
      JOIN completions ON completions.id = scores.completion_id
      JOIN steps ON steps.id = completions.step_id;
    DROP VIEW problem_results;
    CREATE VIEW problem_results AS
      SELECT problems.run_id, problems.id AS problem_id, problems.dataset, problems.problem_index,
        problems.prompt, count(groups.id) AS times_drawn, min(steps.step) AS first_step,
        max(steps.step) AS last_step, max(groups.reward_max) AS best_reward,
        avg(groups.reward_mean) AS mean_reward
      FROM problems
      JOIN groups ON groups.problem_id = problems.id
      JOIN steps ON steps.id = groups.step_id
      GROUP BY problems.id;
    """#
}
