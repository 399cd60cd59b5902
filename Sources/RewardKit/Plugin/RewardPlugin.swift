import Foundation
import Rollouts

/// A reward that is a program of its own: mark the type `@main`, and it speaks the line protocol.
///
/// ```swift
/// import RewardKit
///
/// @main struct Brevity: RewardPlugin {
///   static let name = "brevity"
///   static let parameters = [
///     RewardParameter("words", .integer(1...1000), default: 20, "words that are few enough")
///   ]
///   let words: Int
///   init(parameters: RewardParameters) { words = parameters.integer("words") }
///
///   func score(_ completion: Completion, for problem: Problem) -> Score {
///     Score(completion.text.split(separator: " ").count <= words ? 1 : 0)
///   }
/// }
/// ```
public protocol RewardPlugin: Reward {
  /// The plugin's name, as greeted.
  static var name: String { get }
  /// The settings that it takes.
  static var parameters: [RewardParameter] { get }
  /// The least and greatest score, where they are known.
  static var range: ClosedRange<Double>? { get }
  /// Whether equal completions get equal scores.
  static var isDeterministic: Bool { get }
  /// The columns that it reads; nil for all.
  static var columns: [String]? { get }
  /// Makes the reward from settings that fit the declaration.
  init(parameters: RewardParameters) throws
}

extension RewardPlugin {
  /// None.
  public static var parameters: [RewardParameter] { [] }
  /// Unknown.
  public static var range: ClosedRange<Double>? { nil }
  /// True.
  public static var isDeterministic: Bool { true }
  /// All.
  public static var columns: [String]? { nil }

  /// Answers requests from standard input until it closes.
  public static func main() {
    var greeting = RewardGreeting(name: name)
    greeting.range = range
    greeting.isDeterministic = isDeterministic
    greeting.reads = columns
    PluginLoop.run(greeting: greeting) { settings in
      let reward = try Self(parameters: RewardParameters(settings, declared: parameters))
      return { requests in
        requests.map { reward.scoring(of: $0.completion, for: $0.problem) }
      }
    }
  }
}

/// A group reward that is a program of its own: mark the type `@main`.
///
/// All completions of a group reach it together where a group has at most `batch` completions.
public protocol GroupRewardPlugin: GroupReward {
  /// The plugin's name, as greeted.
  static var name: String { get }
  /// The settings that it takes.
  static var parameters: [RewardParameter] { get }
  /// The least and greatest score, where they are known.
  static var range: ClosedRange<Double>? { get }
  /// The most completions that it takes together.
  static var batch: Int { get }
  /// Makes the reward from settings that fit the declaration.
  init(parameters: RewardParameters) throws
}

extension GroupRewardPlugin {
  /// None.
  public static var parameters: [RewardParameter] { [] }
  /// Unknown.
  public static var range: ClosedRange<Double>? { nil }
  /// 64, enough for the usual groups.
  public static var batch: Int { 64 }

  /// Answers requests from standard input until it closes.
  public static func main() {
    var greeting = RewardGreeting(name: name)
    greeting.range = range
    greeting.batch = batch
    // The score of a completion depends on its neighbours: it must not be remembered.
    greeting.isDeterministic = false
    PluginLoop.run(greeting: greeting) { settings in
      let reward = try Self(parameters: RewardParameters(settings, declared: parameters))
      return { requests in scorings(of: requests, by: reward) }
    }
  }

  private static func scorings(of requests: [ReceivedRequest], by reward: Self) -> [Scoring] {
    var scorings = [Scoring](repeating: .failed(error: "not scored"), count: requests.count)
    for (_, indices) in Dictionary(grouping: requests.indices, by: { requests[$0].group }) {
      let completions = indices.map { requests[$0].completion }
      do {
        let scores = try reward.score(completions, for: requests[indices[0]].problem)
        for (place, index) in indices.enumerated() where place < scores.count {
          scorings[index] = scores[place].checked(against: completions[place])
        }
        for index in indices.dropFirst(scores.count) {
          scorings[index] = .failed(error: "the group got fewer scores than completions")
        }
      } catch let unscorable as Unscorable {
        for index in indices { scorings[index] = .unscorable(reason: unscorable.reason) }
      } catch {
        for index in indices { scorings[index] = .failed(error: "\(error)") }
      }
    }
    return scorings
  }
}

/// The plugin's side of the line protocol.
package enum PluginLoop {
  /// One scoring for each request, in their order.
  package typealias Answering = ([ReceivedRequest]) -> [Scoring]

  /// Greets, then answers a line at a time, until standard input closes.
  package static func run(greeting: RewardGreeting, make: (JSONObject) throws -> Answering) {
    var answer: Answering?
    while let line = readLine(strippingNewline: true) {
      guard !line.isEmpty else { continue }
      let value: JSONValue
      do { value = try JSONValue.parse(line) } catch {
        complain("a line that is no JSON: \(error)")
      }
      if let hello = value["hello"] {
        guard value["grpo"]?.integer == rewardProtocolVersion else {
          complain("grpo speaks another version of the protocol than \(rewardProtocolVersion)")
        }
        do { answer = try make(hello["parameters"]?.object ?? [:]) } catch { complain("\(error)") }
        write([greeting.line])
        continue
      }
      guard let answer else { complain("a request came before the greeting") }
      do {
        let requests = try (value.array ?? [value]).map(ReceivedRequest.init)
        let scorings = answer(requests)
        write(zip(requests, scorings).map { WireReply.line(id: $0.id, $1) })
      } catch {
        complain("\(error)")
      }
    }
  }

  private static func write(_ lines: [String]) {
    let text = lines.map { $0 + "\n" }.joined()
    FileHandle.standardOutput.write(Data(text.utf8))
  }

  private static func complain(_ sentence: String) -> Never {
    FileHandle.standardError.write(Data((sentence + "\n").utf8))
    exit(1)
  }
}
