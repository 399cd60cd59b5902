/// A token's index in the vocabulary.
public typealias TokenID = Int32

/// A chat message: its role, its text, and whatever else the row carried.
public struct ChatMessage: Sendable, Hashable {
  /// `system`, `user`, `assistant`, or another role that the chat template knows.
  public var role: String
  /// The text of the message.
  public var content: String
  /// Other members of the message's object, for templates that read them (`tool_calls`, `name`).
  public var extra: JSONObject

  /// Makes a message.
  public init(role: String, content: String, extra: JSONObject = [:]) {
    self.role = role
    self.content = content
    self.extra = extra
  }
}

/// What the policy is asked: plain text, or a conversation that a chat template renders.
public enum Prompt: Sendable, Hashable {
  case text(String)
  case messages([ChatMessage])
}

/// One row of a dataset: a prompt, and every other column for the rewards.
public struct Problem: Sendable, Hashable {
  /// The row's index in its dataset, from 0.
  public var index: Int
  /// What the policy is asked.
  public var prompt: Prompt
  /// Every other column, unchanged.
  public var columns: JSONObject

  /// Makes a problem.
  public init(index: Int, prompt: Prompt, columns: JSONObject = [:]) {
    self.index = index
    self.prompt = prompt
    self.columns = columns
  }
}

/// Why a completion ended.
public enum FinishReason: String, Sendable, Hashable, Codable {
  /// An end token or a stop string.
  case stop
  /// The limit on its length: it is truncated.
  case length
}

/// What the policy answered, as rewards and the log see it.
///
/// A trajectory of several turns has what was observed between them among its tokens; its text is the last turn's.
public struct Completion: Sendable, Hashable {
  /// The decoded text, without special tokens, before a stop string.
  public var text: String
  /// The tokens after the prompt, the end token included.
  public var tokens: [TokenID]
  /// Why it ended.
  public var finish: FinishReason
  /// Who wrote which of the tokens; empty where the policy wrote all.
  public var segments: [Segment]
  /// The conversation and what its environment said; nil without one.
  public var episode: Episode?

  /// What the policy answered.
  public init(
    text: String, tokens: [TokenID], finish: FinishReason, segments: [Segment] = [],
    episode: Episode? = nil
  ) {
    self.text = text
    self.tokens = tokens
    self.finish = finish
    self.segments = segments
    self.episode = episode
  }

  /// How many tokens the policy sampled: what counts as the length, and what is trained.
  public var sampledCount: Int { tokens.count - segments.observedCount }

  /// The tokens that the policy sampled.
  public var sampledTokens: [TokenID] {
    segments.isEmpty ? tokens : segments.sampledRanges.flatMap { tokens[$0] }
  }
}

/// A reward for the part of a completion that ends at a position (process supervision).
public struct StepScore: Sendable, Hashable, Codable {
  /// Where the step ends: a count of Unicode scalars of the completion's text, exclusive.
  public var end: Int
  /// The step's reward.
  public var score: Double

  /// Makes a step's score.
  public init(end: Int, score: Double) {
    self.end = end
    self.score = score
  }
}

/// A completion's reward from one reward plugin.
public struct Score: Sendable, Hashable {
  /// The reward.
  public var value: Double
  /// Named components, kept in the log.
  public var parts: [String: Double]
  /// Rewards of the steps, in order of their ends; empty without process supervision.
  public var steps: [StepScore]
  /// Whatever else the plugin wants kept in the log.
  public var log: JSONObject
  /// Why the score is what it is, for people.
  public var reason: String?

  /// Makes a score; −0.0 is taken as 0.0, which is what the log keeps of it.
  public init(
    _ value: Double, parts: [String: Double] = [:], steps: [StepScore] = [],
    log: JSONObject = [:], reason: String? = nil
  ) {
    self.value = value == 0 ? 0 : value
    self.parts = parts
    self.steps = steps
    self.log = log
    self.reason = reason
  }
}

/// What came of scoring one completion with one plugin; never a NaN, never a silent zero.
public enum Scoring: Sendable, Hashable {
  /// The completion was scored.
  case scored(Score)
  /// The plugin says that the completion can't be scored: left out of the group's mean.
  case unscorable(reason: String)
  /// Scoring failed (crash, time-out, garbage); its effect is the plugin's `on_error` setting.
  case failed(error: String)
}
