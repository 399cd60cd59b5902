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
  /// Whether equal completions of equal rows get equal scores, so that a score may be remembered.
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
  /// False: nothing is remembered.
  public static var isDeterministic: Bool { false }
  /// All.
  public static var columns: [String]? { nil }

  /// Answers requests from standard input until it closes.
  public static func main() {
    var greeting = RewardGreeting(name: name)
    greeting.range = range
    greeting.isDeterministic = isDeterministic
    greeting.reads = columns
    PluginLoop.run { settings in
      let reward = try Self(parameters: RewardParameters(settings, declared: parameters))
      return (
        greeting, { $0.map { reward.scoring(of: $0.completion, for: $0.problem) } }
      )
    }
  }
}

/// The plugin's side of the line protocol.
package enum PluginLoop {
  /// One scoring for each request, in their order.
  package typealias Answering = ([ReceivedRequest]) -> [Scoring]

  /// Greets, then answers a line at a time, until standard input closes.
  /// - Parameter make: Reads the settings; says how to greet, and what answers.
  package static func run(
    make: (JSONObject) throws -> (greeting: RewardGreeting, answer: Answering)
  ) {
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
        do {
          let made = try make(hello["parameters"]?.object ?? [:])
          answer = made.answer
          write([made.greeting.line])
        } catch { complain("\(error)") }
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
