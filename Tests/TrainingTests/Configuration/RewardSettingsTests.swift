import RewardKit
import Rollouts
import Testing

@testable import Training

@Suite("Limits of rewards from the run's settings")
struct RewardSettingsTests {
  @Test("A reward's own limit wins over the run's, and that over the default")
  func precedence() throws {
    var configuration = RunConfiguration()
    configuration.reward = ["exact_match=0.5", ["use": "regex", "time_limit": 3, "cache": true]]
    let untouched = try configuration.rewardSpecifications()
    #expect(untouched == (try RewardSpecification.list(from: .array(configuration.reward))))

    configuration.rewardTimeLimit = 7
    configuration.rewardWorkers = 4
    configuration.rewardFailureLimit = 0.25
    configuration.rewardCache = false
    configuration.sandbox = .isolated
    let limited = try configuration.rewardSpecifications()
    #expect(limited.map(\.timeLimit) == [7, 3])
    #expect(limited.map(\.workers) == [4, 4])
    #expect(limited.map(\.failureLimit) == [0.25, 0.25])
    #expect(limited.map(\.cache) == [false, true])
    #expect(limited.map(\.sandbox) == [.isolated, .isolated])
    #expect(limited.map(\.weight) == [0.5, 1])
  }
}
