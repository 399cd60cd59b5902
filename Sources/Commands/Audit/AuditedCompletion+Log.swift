import Foundation
import Rollouts
import TrajectoryStore

extension AuditedCompletion {
  /// A completion of an evaluation.
  init(_ record: EvaluationCompletionRecord) {
    self.init(
      problem: record.problemIndex, columns: record.columns, prompt: record.prompt.plainText,
      text: record.completion.text, reward: record.reward, length: record.completion.tokens.count)
  }

  /// The completions of a run's newest evaluation.
  static func ofNewestEvaluation(in location: LogLocation) throws -> [AuditedCompletion] {
    let reader = try TrajectoryReader(readOnly: location.log)
    guard let newest = try reader.evaluations(withCompletions: true).last else {
      throw UsageError("\(location.log.relativePath) holds no evaluation; leave out --evaluation")
    }
    return newest.completions.map(AuditedCompletion.init)
  }

  /// The completions of a run's rollouts, those of dropped groups included.
  static func ofRollouts(
    in location: LogLocation, steps: String?
  ) throws -> [AuditedCompletion] {
    var filter = TrajectoryFilter()
    if let steps { try filter.setSteps(steps) }
    let session = try QuerySession(readOnly: location.log)
    var columns: [Int: JSONObject] = [:]
    var prompts: [Int: String] = [:]
    let run = "(SELECT max(id) FROM runs)"
    let problems = try session.rows(
      "SELECT id, form, prompt, columns FROM problems WHERE run_id = \(run)")
    for row in problems.rows {
      guard let id = row[0].integer else { continue }
      columns[id] = (try? JSONValue.parse(row[3].plainText))?.object ?? [:]
      let text = row[2].plainText
      prompts[id] =
        row[1].plainText == "messages"
        ? (try? Prompt(json: JSONValue.parse(text)))?.plainText ?? text : text
    }
    let rows = try session.rows(
      """
      SELECT problem_id, text, reward, length FROM trajectories WHERE run_id = \(run)
        AND step >= :first AND step <= :last ORDER BY completion_id
      """,
      parameters: [
        "first": .integer(Int64(filter.firstStep ?? 0)),
        "last": .integer(Int64(filter.lastStep ?? .max)),
      ])
    return rows.rows.map { row in
      let problem = row[0].integer ?? 0
      return AuditedCompletion(
        problem: problem, columns: columns[problem] ?? [:], prompt: prompts[problem] ?? "",
        text: row[1].plainText, reward: row[2].double, length: row[3].integer ?? 0)
    }
  }
}
