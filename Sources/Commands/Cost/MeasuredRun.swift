import Audits
import Foundation
import Rollouts
import TrajectoryStore
import Transformer

/// What a run's log says of its work and its time.
struct MeasuredRun {
  /// One step.
  struct Step {
    var groups: Double
    var completions: Double
    var promptTokens: Double
    var tokens: Double
    var samplingSeconds: Double
    var updateSeconds: Double
  }

  /// The steps that have times.
  let steps: [Step]
  private let location: LogLocation
  private let configuration: JSONObject

  init(_ location: LogLocation) throws {
    self.location = location
    let session = try QuerySession(readOnly: location.log)
    let rows = try session.rows(
      """
      SELECT steps.groups + dropped_groups, completions, tokens,
        (SELECT total(length(prompt_token_ids) / 4) FROM groups JOIN problems
          ON problems.id = problem_id WHERE groups.step_id = steps.id),
        (SELECT total(value) FROM metrics WHERE step_id = steps.id AND update_index = -1
          AND name IN ('time/rollout', 'time/reference')),
        (SELECT total(value) FROM metrics WHERE step_id = steps.id AND update_index = -1
          AND name = 'time/update')
      FROM steps WHERE run_id = (SELECT max(id) FROM runs) ORDER BY step
      """)
    steps = rows.rows.map { row in
      func number(_ index: Int) -> Double { row[index].double ?? 0 }
      return Step(
        groups: number(0), completions: number(1), promptTokens: number(3), tokens: number(2),
        samplingSeconds: number(4), updateSeconds: number(5))
    }
    let settings = try session.rows("SELECT config FROM runs ORDER BY id DESC LIMIT 1")
    configuration =
      settings.rows.first.flatMap { try? JSONValue.parse($0[0].plainText) }?.object ?? [:]
  }

  /// The shape of the model that the run trains.
  func model() throws -> ModelConfiguration {
    let folder = location.folder
    let checkpoints = folder.appendingPathComponent("checkpoints")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: checkpoints.path)) ?? []
    let candidates =
      [folder.appendingPathComponent("final"), folder.appendingPathComponent("initial")]
      + names.sorted().map { checkpoints.appendingPathComponent($0) }
      + (configuration["model"]?.string.map { [URL(fileURLWithPath: $0)] } ?? [])
    for candidate in candidates {
      if let model = try? ModelConfiguration(folder: candidate) { return model }
    }
    throw UsageError(
      "\(folder.relativePath) has no model's config.json: operations can't be counted")
  }

  private var iterations: Double { configuration["num_iterations"]?.double ?? 1 }
  private var hasReference: Bool { (configuration["beta"]?.double ?? 0) != 0 }

  /// The whole run as a workload of its means.
  var workload: CostWorkload { workload(of: steps) }

  private func workload(of steps: [Step]) -> CostWorkload {
    let groups = steps.reduce(0) { $0 + $1.groups }
    let completions = steps.reduce(0) { $0 + $1.completions }
    let tokens = steps.reduce(0) { $0 + $1.tokens }
    let prompts = steps.reduce(0) { $0 + $1.promptTokens }
    return CostWorkload(
      steps: Double(steps.count), prompts: groups / max(1, Double(steps.count)),
      group: completions / max(1, groups), promptLength: prompts / max(1, groups),
      completionLength: tokens / max(1, completions), iterations: iterations,
      hasReference: hasReference)
  }

  /// The seconds that the run took, in the phases of a projection: sampling in proportion to its operations.
  func seconds(_ modelled: [CostPhase: Double]) -> [CostPhase: Double] {
    let sampling = steps.reduce(0) { $0 + $1.samplingSeconds }
    let update = steps.reduce(0) { $0 + $1.updateSeconds }
    let parts = modelled.filter { $0.key != .update }
    let total = parts.values.reduce(0, +)
    var seconds = parts.mapValues { total > 0 ? $0 / total * sampling : 0 }
    seconds[.update] = update
    return seconds
  }
}

extension MeasuredRun.Step {
  /// The step's operations with the seconds that they took.
  func work(
    forward: (Double, Bool) -> Double, _ run: MeasuredRun
  ) -> (
    sampling: (operations: Double, seconds: Double), update: (operations: Double, seconds: Double)
  ) {
    let whole = run.workload
    let workload = CostWorkload(
      steps: 1, prompts: groups, group: completions / max(1, groups),
      promptLength: promptTokens / max(1, groups), completionLength: tokens / max(1, completions),
      iterations: whole.iterations, hasReference: whole.hasReference)
    let operations = workload.operations(forward: forward)
    let update = operations[.update] ?? 0
    let sampling = operations.values.reduce(0, +) - update
    return ((sampling, samplingSeconds), (update, updateSeconds))
  }
}
