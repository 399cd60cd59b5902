import RewardKit

extension RewardCatalogue {
  /// The rewards that ship with grpo.
  public static let shipped = RewardCatalogue(
    builtIns: [
      ExactMatch.self,
    ])
}
