import RewardKit

extension RunConfiguration {
  /// The rewards, with the run's own limits where a reward names none itself.
  /// - Throws: `RewardError` with every fault of the list.
  func rewardSpecifications() throws(RewardError) -> [RewardSpecification] {
    var specifications = try RewardSpecification.list(from: .array(reward))
    for (index, element) in reward.enumerated() {
      let named = Set(element.object?.keys ?? [])
      if let limit = rewardTimeLimit, !named.contains("time_limit") {
        specifications[index].timeLimit = limit
      }
      if let workers = rewardWorkers, !named.contains("workers") {
        specifications[index].workers = workers
      }
      if !named.contains("failure_limit") {
        specifications[index].failureLimit = rewardFailureLimit
      }
      if !named.contains("cache"), !rewardCache { specifications[index].cache = false }
      if let sandbox, !named.contains("sandbox") { specifications[index].sandbox = sandbox }
    }
    return specifications
  }
}
