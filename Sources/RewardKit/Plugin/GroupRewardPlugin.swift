import Rollouts

/// A group reward that is a program of its own: mark the type `@main`.
///
/// Each call has all completions of a group, however many there are, in order.
///
/// ```swift
/// import RewardKit
///
/// @main struct Shortest: GroupRewardPlugin {
///   static let name = "shortest"
///   init(parameters: RewardParameters) {}
///
///   func score(_ completions: [Completion], for problem: Problem) -> [Score] {
///     let least = completions.map(\.text.count).min()
///     return completions.map { Score($0.text.count == least ? 1 : 0) }
///   }
/// }
/// ```
public protocol GroupRewardPlugin: GroupReward {
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

extension GroupRewardPlugin {
  /// None.
  public static var parameters: [RewardParameter] { [] }
  /// Unknown.
  public static var range: ClosedRange<Double>? { nil }
  /// All.
  public static var columns: [String]? { nil }

  /// Answers requests from standard input until it closes.
  public static func main() {
    var greeting = RewardGreeting(name: name)
    greeting.scope = .group
    greeting.range = range
    greeting.reads = columns
    PluginLoop.run { settings in
      let reward = try Self(parameters: RewardParameters(settings, declared: parameters))
      return (greeting, reward.scorings)
    }
  }
}

extension GroupReward {
  /// Judges the requests of one group; what is thrown, and a wrong number of scores, fails all of them.
  package func scorings(of requests: [ReceivedRequest]) -> [Scoring] {
    guard let first = requests.first else { return [] }
    return RewardKit.scorings(of: requests) {
      let completions = requests.map(\.completion)
      return try score(completions, for: first.problem).map(Scoring.scored)
    }
  }
}

extension StepReward {
  /// Judges the requests of one step; what is thrown, and a wrong number of outcomes, fails all of them.
  package func scorings(of received: [ReceivedRequest]) -> [Scoring] {
    RewardKit.scorings(of: received) {
      let requests = received.map {
        RewardRequest(id: $0.id, group: $0.group, problem: $0.problem, completion: $0.completion)
      }
      return try score(requests, at: received.first?.trainerState)
    }
  }
}

/// What came of one call for several completions: one outcome each, in their order.
private func scorings(
  of requests: [ReceivedRequest], _ call: () throws -> [Scoring]
) -> [Scoring] {
  func all(_ scoring: Scoring) -> [Scoring] { requests.map { _ in scoring } }
  do {
    let scorings = try call()
    guard scorings.count == requests.count else {
      return all(
        .failed(
          error: "the reward returned \(scorings.count) scores for \(requests.count) completions"))
    }
    return zip(scorings, requests).map { scoring, request in
      if case .scored(let score) = scoring { return score.checked(against: request.completion) }
      return scoring
    }
  } catch let unscorable as Unscorable {
    return all(.unscorable(reason: unscorable.reason))
  } catch {
    return all(.failed(error: "\(error)"))
  }
}
