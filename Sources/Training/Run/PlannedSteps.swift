import Rollouts
import TrajectoryStore

/// How many steps a run was to have, as planned when it began and at every change since.
///
/// The schedule of the learning rate depends on it: a run that was made longer has, in every step, the rate of the
/// plan that held in it.
struct PlannedSteps: Equatable {
  /// A plan, and the step after which it holds.
  private struct Plan: Equatable {
    var after: Int
    var steps: Int
  }

  private var plans: [Plan]

  /// The plan that a run begins with.
  init(_ steps: Int) { plans = [Plan(after: 0, steps: Self.possible(steps))] }

  /// The number itself where a run may have so many steps; schedules multiply it.
  private static func possible(_ steps: Int) -> Int { min(max(steps, 0), 1_000_000_000) }

  /// What a log says of its run's plans; nil where it says nothing.
  init?(_ run: LoggedRun, in reader: TrajectoryReader) throws(StoreError) {
    guard let first = RunHost(run.record.host)?.plannedSteps else { return nil }
    self.init(first)
    for event in try reader.events(run: run.id) {
      guard let steps = event.detail[Self.name]?.integer, let after = event.step else { continue }
      change(to: Int(steps), after: after)
    }
  }

  /// What the record of a change calls it.
  static let name = "planned_steps"

  /// From the step after `step` on, another plan holds.
  mutating func change(to steps: Int, after step: Int) {
    plans.append(Plan(after: step, steps: Self.possible(steps)))
  }

  /// The plan that holds in a step: of those that begin before it the one that was made last.
  subscript(step: Int) -> Int { plans.last { $0.after < step }?.steps ?? plans[0].steps }

  /// The plan that was made last.
  var latest: Int { plans[plans.count - 1].steps }
}
