import Rollouts

extension LogWriter {
  func append(_ record: EvaluationRecord) throws(StoreError) {
    let run = try currentRun()
    try transaction { () throws(StoreError) in
      let id = try connection.prepared(
        """
        INSERT INTO evaluations (run_id, step, name, dataset, metrics, seconds, committed_at)
        VALUES (?, ?, ?, ?, ?, ?, \(Self.now))
        ON CONFLICT (run_id, step, name) DO UPDATE SET
          dataset = excluded.dataset, metrics = excluded.metrics, seconds = excluded.seconds,
          committed_at = excluded.committed_at
        RETURNING id
        """
      ).returnedID(
        run.id, record.step, record.name, record.dataset,
        text(JSONObject(sorting: record.metrics.mapValues { .number($0) })), record.seconds)
      try connection.prepared("DELETE FROM evaluation_completions WHERE evaluation_id = ?").run(id)
      for completion in record.completions { try insert(completion, evaluationID: id) }
    }
  }

  private func insert(
    _ record: EvaluationCompletionRecord, evaluationID: Int64
  ) throws(StoreError) {
    let scores = record.scores.mapValues { value in value.map { JSONValue.number($0) } ?? .null }
    try connection.prepared(
      """
      INSERT INTO evaluation_completions (evaluation_id, problem_index, sample, form, prompt, text,
        finish, token_ids, reward, scores, columns)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).run(
      evaluationID, record.problemIndex, record.sample, PromptText.form(of: record.prompt),
      PromptText.text(of: record.prompt), record.completion.text,
      record.completion.finish.rawValue, Blob(record.completion.tokens), record.reward,
      text(JSONObject(sorting: scores)), text(record.columns))
  }

  func append(_ record: CheckpointRecord) throws(StoreError) {
    let run = try currentRun()
    try transaction { () throws(StoreError) in
      _ = try connection.prepared(
        """
        INSERT INTO checkpoints (run_id, step, policy_step, path, content_hash, saved_at)
        VALUES (?, ?, ?, ?, ?, \(Self.now))
        ON CONFLICT (run_id, path) DO UPDATE SET
          step = excluded.step, policy_step = excluded.policy_step,
          content_hash = excluded.content_hash, saved_at = excluded.saved_at
        RETURNING id
        """
      ).returnedID(run.id, record.step, record.policyStep, record.path, record.contentHash)
    }
  }

  func append(_ record: EventRecord) throws(StoreError) {
    let run = try currentRun()
    try transaction { () throws(StoreError) in
      try connection.prepared(
        """
        INSERT INTO events (run_id, step, time, kind, message, detail)
        VALUES (?, ?, \(Self.now), ?, ?, ?)
        """
      ).run(run.id, record.step, record.kind, record.message, text(record.detail))
    }
  }

  func removeSteps(after step: Int) throws(StoreError) {
    let run = try currentRun()
    try transaction { () throws(StoreError) in
      for table in ["steps", "evaluations", "checkpoints"] {
        try connection.prepared("DELETE FROM \(table) WHERE run_id = ? AND step > ?")
          .run(run.id, step)
      }
      // Problems that only those steps asked, so that the log is as if they had never been.
      try connection.prepared(
        """
        DELETE FROM problems WHERE run_id = ?
          AND NOT EXISTS (SELECT 1 FROM groups WHERE groups.problem_id = problems.id)
        """
      ).run(run.id)
    }
  }
}
