import RewardKit

extension RewardCatalogue {
  /// The rewards that ship with grpo.
  public static let shipped = RewardCatalogue(
    builtIns: [
      ExactMatch.self, Numeric.self, MathAnswer.self, Countdown.self, FormatReward.self,
      TagCount.self, RegexReward.self, Contains.self, WordList.self, JSONShapeReward.self,
      LengthTarget.self, SoftOverlong.self, CosineLength.self, Repetition.self,
    ],
    scripts: [CodeTests.script, MathVerify.script],
    executables: [(name: "http", file: "grpo-http-reward")])
}
