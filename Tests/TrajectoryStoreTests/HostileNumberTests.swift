import Foundation
import Rollouts
import Testing

@testable import TrajectoryStore

@Suite("Numbers of a log that others wrote trap nothing")
struct HostileNumberTests {
  static let extremes: [Int] = [.min, .min + 1, -1, 0, 1, 1 << 53, 1 << 62, .max - 1, .max]
  static let reals = ["9e999", "-9e999", "1e308", "-1e308", "5e-324", "NULL"]

  @Test func saturatingArithmeticEndsAtTheLimits() {
    #expect(Int(clamping: .nan) == 0)
    #expect(Int(clamping: .infinity) == .max && Int(clamping: -.infinity) == .min)
    #expect(Int(clamping: 0x1p63) == .max && Int(clamping: -0x1p63) == .min)
    #expect(Int(clamping: 0x1p62) == 1 << 62 && Int(clamping: -2.9) == -2)
    #expect((Int.max +| 1) == .max && (Int.min +| -1) == .min)
    #expect((Int.min -| 1) == .min && (Int.max -| -1) == .max)
    #expect((5 +| -7) == -2 && (5 -| 7) == -2)
  }

  @Test(arguments: extremes) func stretchesOfStepsCoverThem(_ first: Int) {
    for last in Self.extremes where last >= first {
      for count in [1, 2, 12, 48] {
        let buckets = StepBuckets(first: first, last: last, count: count)
        #expect(buckets.count >= 1 && buckets.count <= count)
        #expect(buckets.index(of: first) == 0)
        #expect(buckets.index(of: last) == buckets.count - 1)
        #expect(buckets.name(0).hasPrefix("\(first)"))
        #expect(buckets.name(buckets.count - 1).hasSuffix("\(last)"))
      }
    }
  }

  /// The stretches are those of index = (step − first) · count / size in whole numbers.
  @Test func stretchesAreOfEqualLength() {
    for size in 1...40 {
      let buckets = StepBuckets(first: 3, last: 2 + size, count: 12)
      let count = min(12, size)
      #expect(buckets.count == count)
      for step in 3..<(3 + size) {
        #expect(buckets.index(of: step) == (step - 3) * count / size)
      }
    }
  }

  /// Every report and the page of a log in which one whole number, or one real one, is extreme everywhere.
  @Test(arguments: [
    ("steps", "step"), ("steps", "policy_step"), ("steps", "completions"), ("steps", "length_max"),
    ("completions", "length"), ("completions", "id"), ("problems", "id"),
    ("problems", "problem_index"),
    ("reward_summaries", "scored"), ("reward_summaries", "failed"), ("reward_pairs", "count"),
    ("completion_updates", "clipped_low"), ("updates", "update_index"), ("metrics", "update_index"),
    ("evaluations", "step"), ("rewards", "id"), ("groups", "draw"), ("runs", "seed"),
  ])
  func extremeWholeNumbers(_ table: String, _ column: String) throws {
    try everyReport(table, column, Self.extremes.map { "\($0)" })
  }

  @Test(arguments: [
    ("completions", "reward"), ("completions", "advantage"), ("steps", "reward_mean"),
    ("steps", "reward_min"),
    ("steps", "reward_max"), ("steps", "entropy_mean"), ("reward_summaries", "sum"),
    ("reward_summaries", "sum_squares"), ("reward_summaries", "advantage_share"),
    ("scores", "value"),
    ("reward_pairs", "sum_products"), ("completion_updates", "log_ratio_max"), ("metrics", "value"),
    ("rewards", "weight"), ("groups", "reward_mean"),
  ])
  func extremeRealNumbers(_ table: String, _ column: String) throws {
    try everyReport(table, column, Self.reals)
  }

  private func everyReport(_ table: String, _ column: String, _ values: [String]) throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "one")
    let connection = try Connection(path: folder.log.path, mode: .readWrite)
    for value in values {
      try connection.execute("BEGIN; PRAGMA ignore_check_constraints = ON")
      // One row, then all rows: both ends of a range at once.
      for rows in ["(SELECT max(rowid) FROM \(table))", "rowid"] {
        let condition =
          ["reward_summaries", "reward_pairs", "completion_updates", "metrics", "scores"]
            .contains(table) ? "" : " WHERE rowid = \(rows)"
        // What a key or NOT NULL refuses cannot be in a log either.
        try? connection.execute("UPDATE OR IGNORE \(table) SET \(column) = \(value)\(condition)")
      }
      try connection.execute("COMMIT")
      let session = try QuerySession(readOnly: folder.log)
      for report in Report.all {
        var request = ReportRequest(
          session: session, arguments: report.arguments.isEmpty ? [] : ["1"])
        request.others = [(session, nil)]
        // An error is an answer; a trap would end the process.
        _ = try? report.make(request)
        request.filter.reward = .compared(">", 0.5)
        _ = try? report.make(request)
      }
      _ = try? RunPage([RunPage.Source(session: session)]).html()
      let reader = try TrajectoryReader(readOnly: folder.log)
      for step in (try? reader.steps()) ?? [] {
        _ = try? reader.step(step)
        _ = try? reader.updates(ofStep: step)
      }
    }
  }

  @Test func anImportedStepMayBeHuge() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("huge.jsonl")
    let text = """
      {"prompt":"a","completion":"b","reward":1,"step":1}
      {"prompt":"a","completion":"c","reward":0,"step":4611686018427387904}
      {"prompt":"a","completion":"c","reward":0,"step":9223372036854775807}
      """
    try Data(text.utf8).write(to: file)
    #expect(try RolloutImport.run(file, into: folder.log) == 3)
    let session = try QuerySession(readOnly: folder.log)
    for report in Report.all {
      var request = ReportRequest(
        session: session, arguments: report.arguments.isEmpty ? [] : ["1"])
      request.others = [(session, nil)]
      _ = try report.make(request)
    }
    #expect(try RunPage([RunPage.Source(session: session)]).html().contains("9223372036854775807"))
  }
}
