import Rollouts

/// One evaluation of a policy.
public struct EvaluationRecord: Sendable, Equatable {
  /// The steps behind the policy; 0 before the first.
  public var step: Int
  /// Which evaluation, where a run has several.
  public var name: String
  /// The evaluation data's path.
  public var dataset: String
  /// The results, by name.
  public var metrics: [String: Double]
  /// The time it took; nondeterministic.
  public var seconds: Double?
  /// Its trajectories.
  public var completions: [EvaluationCompletionRecord]

  /// Makes a record.
  public init(
    step: Int, name: String = "eval", dataset: String, metrics: [String: Double],
    seconds: Double? = nil, completions: [EvaluationCompletionRecord] = []
  ) {
    self.step = step
    self.name = name
    self.dataset = dataset
    self.metrics = metrics
    self.seconds = seconds
    self.completions = completions
  }
}

/// One trajectory of an evaluation.
public struct EvaluationCompletionRecord: Sendable, Equatable {
  /// The problem's index in the evaluation data.
  public var problemIndex: Int
  /// The place among the completions of the problem, from 0.
  public var sample: Int
  /// What was asked.
  public var prompt: Prompt
  /// Text, tokens and why it ended.
  public var completion: Completion
  /// The weighted total; nil where it could not be scored.
  public var reward: Double?
  /// The value of each reward, nil where it gave none.
  public var scores: [String: Double?]
  /// The other columns of the problem's row.
  public var columns: JSONObject

  /// Makes a record.
  public init(
    problemIndex: Int, sample: Int, prompt: Prompt, completion: Completion, reward: Double?,
    scores: [String: Double?] = [:], columns: JSONObject = [:]
  ) {
    self.problemIndex = problemIndex
    self.sample = sample
    self.prompt = prompt
    self.completion = completion
    self.reward = reward
    self.scores = scores
    self.columns = columns
  }
}

/// A checkpoint that was written whole.
public struct CheckpointRecord: Sendable, Equatable {
  /// The steps behind the weights.
  public var step: Int
  /// The optimiser updates behind the weights.
  public var policyStep: Int
  /// The folder, relative to the run folder.
  public var path: String
  /// The SHA-256 of its `trainer.json`, which has those of all its files.
  public var contentHash: String

  /// Makes a record.
  public init(step: Int, policyStep: Int, path: String, contentHash: String) {
    self.step = step
    self.policyStep = policyStep
    self.path = path
    self.contentHash = contentHash
  }
}

/// Something that befell a run; nondeterministic.
public struct EventRecord: Sendable, Equatable {
  /// The step it happened in; nil outside a step.
  public var step: Int?
  /// A short word: `start`, `resume`, `warning`, `failure`, ….
  public var kind: String
  /// What happened, as a sentence.
  public var message: String
  /// Whatever belongs to it.
  public var detail: JSONObject

  /// Makes a record.
  public init(step: Int? = nil, kind: String, message: String, detail: JSONObject = [:]) {
    self.step = step
    self.kind = kind
    self.message = message
    self.detail = detail
  }
}
