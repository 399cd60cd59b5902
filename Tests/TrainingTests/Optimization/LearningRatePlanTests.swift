import Foundation
import Testing

@testable import Training

/// transformers' schedules: get_constant_schedule_with_warmup, get_linear_…, get_cosine_….
@Suite("Learning-rate plan")
struct LearningRatePlanTests {
  private func factors(_ schedule: LearningRateSchedule, warmup: Int, total: Int) -> [Double] {
    let plan = LearningRatePlan(schedule, warmupUpdates: warmup, totalUpdates: total)
    return (0...total).map { plan.factor(at: $0) }
  }

  @Test("constant, and with a warm-up")
  func constant() {
    #expect(factors(.constant, warmup: 0, total: 3) == [1, 1, 1, 1])
    #expect(factors(.constantWithWarmup, warmup: 4, total: 5) == [0, 0.25, 0.5, 0.75, 1, 1])
  }

  @Test("linear falls to 0 at the last update and stays there")
  func linear() {
    #expect(factors(.linear, warmup: 0, total: 4) == [1, 0.75, 0.5, 0.25, 0])
    #expect(factors(.linear, warmup: 2, total: 6) == [0, 0.5, 1, 0.75, 0.5, 0.25, 0])
    let plan = LearningRatePlan(.linear, warmupUpdates: 0, totalUpdates: 4)
    #expect(plan.factor(at: 9) == 0)
  }

  @Test("cosine falls half a period")
  func cosine() {
    let values = factors(.cosine, warmup: 1, total: 5)
    for (value, want) in zip(values, [0, 1, 0.8535533905932737, 0.5, 0.14644660940672627, 0]) {
      #expect(abs(value - want) < 1e-15)
    }
  }

  @Test(
    "a warm-up longer than the run, and runs of nothing, are no trap",
    arguments: [
      LearningRateSchedule.constant, .constantWithWarmup, .linear, .cosine,
    ])
  func edges(schedule: LearningRateSchedule) {
    #expect(factors(schedule, warmup: 10, total: 5)[5] == 0.5)
    #expect(factors(schedule, warmup: 0, total: 0)[0].isFinite)
  }
}
