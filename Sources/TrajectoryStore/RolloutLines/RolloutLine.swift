import Rollouts

/// A line of a rollout file: a prompt, what was answered, and what came of it.
///
///     {"group": …, "prompt_ids"|"prompt": …, "completion_ids"|"completion": …,
///      "reward": number|null|{name: number|null}, "step": int?, "advantage": number|[number]?,
///      "steps": [{"end": int, "score": number}]|{name: […]}?, "columns": {…}?,
///      "segments": [{"origin": "sampled"|"observed", "length": int}]?,
///      "old_logprobs": [number]?, "kept_sets": [null|[id]|{"except": [id]}]?, "finish": "stop"|"length"?}
///
/// Ids and text may both be given; the ids are what counts, and the text is for people.
///
/// `grpo log export` writes the form, `grpo score` and `grpo train --rollouts` read it, and `grpo log import` makes a log
/// of it, also where another trainer wrote it (`Reading.kept`).
public struct RolloutLine: Sendable, Hashable {
  /// Where it stands in its file.
  public var place: RowPlace
  /// Which lines were sampled for one prompt together: any scalar; nil where the line doesn't say.
  public var group: JSONValue?
  /// The prompt as text or messages.
  public var prompt: Prompt?
  /// The prompt's tokens; without them the prompt is encoded.
  public var promptTokens: [TokenID]?
  /// The completion as text.
  public var completion: String?
  /// The completion's tokens; without them the text is encoded.
  public var completionTokens: [TokenID]?
  /// The rewards in the line's order, a bare number under the name "reward"; nil where it has none.
  public var rewards: [Reward]?
  /// The step in which it is learnt from, from 1.
  public var step: Int?
  /// An advantage to be taken as it is: one for all tokens, or one per token.
  public var advantage: Advantage?
  /// Other columns of the problem.
  public var columns: JSONObject
  /// log π of each token under the policy that drew it, in nats.
  public var oldLogProbabilities: [Float]?
  /// Who wrote which of the completion's tokens; empty where the policy sampled all.
  public var segments: [Segment]
  /// What truncated sampling left to choose from at each token.
  public var keptSets: [KeptSet?]?
  /// Why the completion ended, where the line says.
  public var finish: FinishReason?
  /// Members that are not part of a rollout.
  public var others: JSONObject

  /// How strictly a line is read.
  public enum Reading: Sendable {
    /// To be learnt from: what is not in the form is a fault.
    case learned
    /// To be kept in a log, whoever wrote it: `input`, `output` and `score` are other names of `prompt`, `completion` and
    /// `reward`; a prompt or completion of another form is kept as its JSON, a reward that is not a number as one that
    /// couldn't be scored, a null among numbers as NaN, another reason of the end as `stop`; `steps` are not read.
    case kept
  }

  /// What one reward said.
  public struct Reward: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// The reward; nil where the completion couldn't be scored.
    public var value: Double?
    /// Rewards of parts: `end` counts tokens where the line has `completion_ids`, otherwise Unicode
    /// scalars of the text.
    public var steps: [StepScore] = []
  }

  /// How much better than its group the completion was.
  public enum Advantage: Sendable, Hashable {
    /// The same for all tokens.
    case completion(Double)
    /// One per token.
    case tokens([Double])
  }

  /// The name of a reward that a line gives as a bare number.
  public static let onlyReward = "reward"
}

extension RolloutLine {
  /// Reads a row.
  /// - Throws: `RolloutLineError` with the fault as a clause.
  package init(
    _ row: JSONObject, at place: RowPlace, _ reading: Reading = .learned
  ) throws(RolloutLineError) {
    let reader = RolloutLineReader(row, reading)
    self.place = place
    group = try reader.group()
    promptTokens = try reader.tokens("prompt_ids")
    prompt = try reader.prompt()
    completionTokens = try reader.tokens("completion_ids")
    completion = try reader.completion()
    rewards = try reader.rewards()
    step = try reader.step()
    advantage = try reader.advantage()
    columns = try reader.columns()
    segments = try reader.segments(of: completionTokens?.count ?? 0)
    oldLogProbabilities = try reader.numbers("old_logprobs").map { $0.map(Float.init) }
    keptSets = try reader.keptSets()
    finish = try reader.finish()
    others = reader.others
    try checkAgreement(reading)
  }

  private func checkAgreement(_ reading: Reading) throws(RolloutLineError) {
    guard promptTokens != nil || prompt != nil else {
      throw RolloutLineError("has neither 'prompt_ids' nor 'prompt'")
    }
    guard completionTokens != nil || completion != nil else {
      throw RolloutLineError("has neither 'completion_ids' nor 'completion'")
    }
    if reading == .learned, let promptTokens, promptTokens.isEmpty {
      throw RolloutLineError("'prompt_ids' is empty; a completion needs something to continue")
    }
    // What is said of each token is said of those that the policy sampled.
    let given = completionTokens?.count ?? (reading == .kept ? 0 : nil)
    guard let count = given.map({ $0 - segments.observedCount }) else {
      if keptSets != nil { throw RolloutLineError("has 'kept_sets' without 'completion_ids'") }
      return
    }
    if let sets = keptSets, sets.count != count {
      throw RolloutLineError(
        "'kept_sets' has \(sets.count) sets for the \(count) sampled tokens of 'completion_ids'")
    }
    if let old = oldLogProbabilities, old.count != count {
      throw RolloutLineError(
        "'old_logprobs' has \(old.count) numbers for the \(count) sampled tokens of 'completion_ids'"
      )
    }
    if case .tokens(let values) = advantage, values.count != count {
      throw RolloutLineError(
        "'advantage' has \(values.count) numbers for the \(count) sampled tokens of 'completion_ids'"
      )
    }
  }
}

/// Why a row is no rollout, as a clause.
package struct RolloutLineError: Error {
  package var reason: String
  package init(_ reason: String) { self.reason = reason }
}
