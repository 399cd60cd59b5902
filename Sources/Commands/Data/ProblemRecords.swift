import Foundation
import Rollouts
import TrajectoryStore

/// How the rows of a data set fared in a run, matched by row and prompt.
struct ProblemRecords {
  /// One row.
  struct Record {
    var solved = 0
    var scored = 0
    /// Completions by text: how often, and how many of them were solved.
    var answers: [String: (count: Int, solved: Int)] = [:]

    /// The answer of most completions, where it is that of more than half of at least four.
    var majority: (text: String, count: Int, solved: Int)? {
      guard let best = answers.max(by: { ($0.value.count, $1.key) < ($1.value.count, $0.key) }),
        scored >= 4, 2 * best.value.count > scored
      else { return nil }
      return (best.key, best.value.count, best.value.solved)
    }
  }

  /// By row.
  let records: [Int: Record]
  /// The reward from which a completion counts as solved.
  let solvedAt: Double
  /// Problems of the run whose prompt is not that of the row.
  let mismatches: Int

  /// Reads a run's rollouts.
  /// - Throws: `UsageError` where the run asked none of the rows.
  init(_ dataset: Dataset, run: String, solvedAt: Double?) throws {
    let location = try LogLocation(run)
    let session = try QuerySession(readOnly: location.log)
    let rows = try session.rows(
      """
      SELECT problem_index, problems.prompt, form, completions.text, completions.reward
      FROM problems JOIN groups ON groups.problem_id = problems.id
        JOIN completions ON group_id = groups.id
      WHERE problems.run_id = (SELECT max(id) FROM runs) AND completions.reward IS NOT NULL
      ORDER BY completions.id
      """
    ).rows
    let threshold = solvedAt ?? rows.compactMap { $0[4].double }.max() ?? 1
    var records: [Int: Record] = [:]
    var mismatches = 0
    for row in rows {
      guard let index = row[0].integer, dataset.problems.indices.contains(index),
        Self.isSame(dataset.problems[index].prompt, row[1].plainText)
      else {
        mismatches += 1
        continue
      }
      let isSolved = (row[4].double ?? -.infinity) >= threshold - 1e-9
      let text = row[3].plainText.trimmingCharacters(in: .whitespacesAndNewlines)
      records[index, default: Record()].scored += 1
      records[index]?.solved += isSolved ? 1 : 0
      records[index]?.answers[text, default: (0, 0)].count += 1
      records[index]?.answers[text]?.solved += isSolved ? 1 : 0
    }
    guard !records.isEmpty else {
      throw UsageError("the run \(run) asked none of the rows of \(dataset.name)")
    }
    (self.records, self.solvedAt, self.mismatches) = (records, threshold, mismatches)
  }

  /// Whether a prompt is the one of the log: as text, or as the JSON of its messages.
  private static func isSame(_ prompt: Prompt, _ text: String) -> Bool {
    switch prompt {
    case .text(let own): own == text
    case .messages: (try? JSONValue.parse(text)) == prompt.json
    }
  }
}
