import Rollouts

/// A step reward that is a program of its own: mark the type `@main`.
///
/// It is called once per step with every completion, groups in order and the completions of each in order; with
/// `dynamic_sampling` once for each round of drawing, in evaluation once for each evaluation.
///
/// ```swift
/// import RewardKit
///
/// @main struct Rarity: StepRewardPlugin {
///   static let name = "rarity"
///   static let range: ClosedRange<Double>? = 0...1
///   init(parameters: RewardParameters) {}
///
///   func score(_ requests: [RewardRequest], at state: TrainerState?) -> [Scoring] {
///     let counts = Dictionary(grouping: requests, by: \.completion.text).mapValues(\.count)
///     return requests.map { .scored(Score(1 / Double(counts[$0.completion.text] ?? 1))) }
///   }
/// }
/// ```
public protocol StepRewardPlugin: StepReward {
  /// The plugin's name, as greeted.
  static var name: String { get }
  /// The settings that it takes.
  static var parameters: [RewardParameter] { get }
  /// The least and greatest score, where they are known.
  static var range: ClosedRange<Double>? { get }
  /// The columns that it reads; nil for all.
  static var columns: [String]? { get }
  /// Makes the reward from settings that fit the declaration.
  init(parameters: RewardParameters) throws
}

extension StepRewardPlugin {
  /// None.
  public static var parameters: [RewardParameter] { [] }
  /// Unknown.
  public static var range: ClosedRange<Double>? { nil }
  /// All.
  public static var columns: [String]? { nil }

  /// Answers requests from standard input until it closes.
  public static func main() {
    var greeting = RewardGreeting(name: name)
    greeting.scope = .step
    greeting.range = range
    greeting.reads = columns
    PluginLoop.run { settings in
      let reward = try Self(parameters: RewardParameters(settings, declared: parameters))
      return (greeting, reward.scorings)
    }
  }
}
