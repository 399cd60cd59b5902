import PolicyOptimization
import Rollouts
import Testing
import TrajectoryStore

@testable import Training

@Suite("Metrics of a step")
struct StepMetricsTests {
  private func step() throws -> StepMetrics {
    func completion(_ count: Int, _ finish: FinishReason) -> CompletionRecord {
      CompletionRecord(
        sample: 0,
        completion: Completion(
          text: "", tokens: [TokenID](repeating: 1, count: count), finish: finish),
        scores: [ScoreRecord(reward: "r", scoring: .scored(Score(Double(count))))])
    }
    func group(_ draw: Int, _ completions: [CompletionRecord], dropped: Bool = false) -> GroupRecord
    {
      GroupRecord(
        problem: Problem(index: draw, prompt: .text("")), promptTokens: [1, 2, 3], draw: draw,
        isDropped: dropped, completions: completions)
    }
    let rollout = StepRecord(
      step: 1, policyStep: 0,
      groups: [
        group(0, [completion(4, .stop), completion(8, .length)]),
        group(1, [completion(50, .stop), completion(50, .stop)], dropped: true),
        group(2, [completion(6, .stop), completion(10, .length)]),
      ])
    let advantages = try AdvantageEstimator(ObjectiveSettings(), rewardWeights: [1]).advantages(
      of: rollout, rewardNames: ["r"], stepEnd: { _, _ in 1 })
    return StepMetrics(rollout: rollout, rewards: advantages.metrics, rewardNames: ["r"])
  }

  @Test("lengths, tokens and rewards are those of the groups that were kept")
  func rollout() throws {
    let metrics = try step()
    let expected = [
      "completions/mean_length": 7.0, "completions/min_length": 4, "completions/max_length": 10,
      "completions/mean_terminated_length": 5, "completions/min_terminated_length": 4,
      "completions/max_terminated_length": 6, "completions/clipped_ratio": 0.5,
      "dropped_groups": 1, "num_tokens": 40, "reward": 7,
    ]
    for (name, value) in expected { #expect(metrics[name] == value, "\(name)") }
  }

  @Test("of several updates the mean, the least or the greatest is kept")
  func updates() throws {
    var metrics = try step()
    for (loss, least, greatest) in [(1.0, 0.5, 2.0), (2, 0.25, 1), (6, 0.75, 4)] {
      metrics.add([
        "loss": loss, "ratio/min": least, "clip_ratio/low_min": least, "ratio/max": greatest,
        "skipped_updates": 1, "learning_rate": 1 / loss,
      ])
    }
    #expect(metrics["loss"] == 3)
    #expect(metrics["ratio/min"] == 0.25 && metrics["clip_ratio/low_min"] == 0.25)
    #expect(metrics["ratio/max"] == 4)
    #expect(metrics["skipped_updates"] == 3)
    #expect(metrics["learning_rate"] == 1.0 / 6)
  }
}
