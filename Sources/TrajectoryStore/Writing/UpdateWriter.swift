import Foundation
import Rollouts

extension LogWriter {
  /// Where a completion stands in its step.
  private struct Place: Hashable {
    var draw: Int
    var sample: Int
  }

  func append(_ record: UpdateRecord) throws(StoreError) {
    let run = try currentRun()
    try transaction { () throws(StoreError) in
      let stepID = try stepRow(of: record.step, run: run)
      // The row keeps its id, so that a resumed run's log equals an uninterrupted one's.
      let upsert = try connection.prepared(
        """
        INSERT INTO updates (step_id, update_index, policy_step, committed_at)
        VALUES (?, ?, ?, \(Self.now))
        ON CONFLICT (step_id, update_index) DO UPDATE SET
          policy_step = excluded.policy_step, committed_at = excluded.committed_at
        RETURNING id
        """)
      let updateID = try upsert.returnedID(stepID, record.update, record.policyStep)
      try connection.prepared("DELETE FROM completion_updates WHERE update_id = ?").run(updateID)
      let rows = try completionRows(stepID: stepID)
      for completion in record.completions {
        guard let id = rows[Place(draw: completion.draw, sample: completion.sample)] else {
          throw StoreError(
            .refused,
            "Step \(record.step) has no completion with draw \(completion.draw), sample "
              + "\(completion.sample) to log an update of.")
        }
        try insert(completion, id: id, updateID: updateID, record: record)
      }
      try connection.prepared("DELETE FROM metrics WHERE step_id = ? AND update_index = ?")
        .run(stepID, record.update)
      try insert(metrics: record.metrics, stepID: stepID, update: record.update)
      try insert(metrics: record.stepMetrics, stepID: stepID, update: -1)
    }
  }

  func stepRow(of step: Int, run: CurrentRun) throws(StoreError) -> Int64 {
    let statement = try connection.prepared("SELECT id FROM steps WHERE run_id = ? AND step = ?")
    defer { statement.reset() }
    try statement.bind(run.id, step)
    guard try statement.step() else {
      throw StoreError(.refused, "The log \(connection.path) has no step \(step).")
    }
    return Int64(statement.integer(0))
  }

  private func completionRows(stepID: Int64) throws(StoreError) -> [Place: Int64] {
    let statement = try connection.prepared(
      """
      SELECT groups.draw, completions.sample, completions.id
      FROM groups JOIN completions ON completions.group_id = groups.id
      WHERE groups.step_id = ?
      """)
    try statement.bind(stepID)
    var rows: [Place: Int64] = [:]
    while try statement.step() {
      rows[Place(draw: statement.integer(0), sample: statement.integer(1))] =
        Int64(statement.integer(2))
    }
    return rows
  }

  private func insert(
    _ completion: CompletionUpdateRecord, id: Int64, updateID: Int64, record: UpdateRecord
  ) throws(StoreError) {
    let arrays = try connection.prepared(
      """
      SELECT sampler_logprobs, \(try connection.sampledCount())
      FROM completion_tokens WHERE completion_id = ?
      """
    )
    try arrays.bind(id)
    var sampler: [Float]?
    var count = 0
    if try arrays.step() {
      sampler = arrays.optionalArray(0, of: Float.self)
      count = arrays.integer(1)
    }
    arrays.reset()
    let place =
      "step \(record.step), update \(record.update), draw \(completion.draw), sample "
      + "\(completion.sample)"
    for (name, length) in [
      ("trainer log-probabilities", completion.trainerLogProbabilities?.count),
      ("ratios", completion.ratios?.count), ("clip flags", completion.clips?.count),
    ] {
      if let length, length != count {
        throw StoreError(.refused, "\(place) has \(count) tokens but \(length) \(name).")
      }
    }
    let summary = RatioSummary(completion)
    let isSampler = completion.trainerLogProbabilities.map { sampler.map { $0.bits } == $0.bits }
    try connection.prepared(
      """
      INSERT INTO completion_updates (completion_id, update_id, ratio_min, ratio_max,
        log_ratio_max, clipped_low, clipped_high, kl_mean, trainer_logprobs, ratios, clips, arrays)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """
    ).run(
      id, updateID, summary.minimum, summary.maximum, summary.largestLogarithm,
      summary.clippedLow, summary.clippedHigh, completion.klMean,
      isSampler == true ? nil : Blob(completion.trainerLogProbabilities),
      summary.areAllOne ? nil : Blob(completion.ratios),
      summary.clippedLow + summary.clippedHigh == 0 ? nil : Blob(completion.clips),
      summary.arrays)
  }
}

extension [Float] {
  /// The bits of the numbers, to compare without NaN and −0.0 getting in the way.
  var bits: [UInt32] { map(\.bitPattern) }
}

/// The summaries of an update's ratios and clips of one completion.
struct RatioSummary {
  var minimum: Double?
  var maximum: Double?
  var largestLogarithm: Double?
  var clippedLow = 0
  var clippedHigh = 0
  var areAllOne = true
  /// Which arrays were given: 1 log-probabilities, 2 ratios, 4 clips.
  var arrays = 0

  init(_ completion: CompletionUpdateRecord) {
    if completion.trainerLogProbabilities != nil { arrays |= 1 }
    if let ratios = completion.ratios {
      arrays |= 2
      areAllOne = ratios.allSatisfy { $0 == 1 }
      minimum = ratios.min().map(Double.init)
      maximum = ratios.max().map(Double.init)
      if let minimum, let maximum {
        largestLogarithm = max(log(minimum).magnitude, log(maximum).magnitude)
      }
    }
    if let clips = completion.clips {
      arrays |= 4
      clippedLow = clips.count { $0 < 0 }
      clippedHigh = clips.count { $0 > 0 }
    }
  }
}
