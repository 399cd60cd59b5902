/// What one optimiser update saw and did.
public struct UpdateRecord: Sendable, Equatable {
  /// The step whose rollout the update learned from.
  public var step: Int
  /// The update within its step, from 0.
  public var update: Int
  /// The optimiser updates behind the policy after this one.
  public var policyStep: Int
  /// What it saw of each completion that it used.
  public var completions: [CompletionUpdateRecord]
  /// Numbers of the update, by name (loss, gradient norm, …).
  public var metrics: [String: Double]
  /// Numbers of the step as a whole that are known with its last update; replace those of before.
  public var stepMetrics: [String: Double]

  /// Makes a record.
  public init(
    step: Int, update: Int, policyStep: Int, completions: [CompletionUpdateRecord],
    metrics: [String: Double] = [:], stepMetrics: [String: Double] = [:]
  ) {
    self.step = step
    self.update = update
    self.policyStep = policyStep
    self.completions = completions
    self.metrics = metrics
    self.stepMetrics = stepMetrics
  }
}

/// What one optimiser update saw of one completion.
public struct CompletionUpdateRecord: Sendable, Equatable {
  /// The draw of its group in the step.
  public var draw: Int
  /// Its place in the group.
  public var sample: Int
  /// Log-probabilities by the policy at the start of the update, an element per token, in nats.
  public var trainerLogProbabilities: [Float]?
  /// Importance ratios as the objective used them, an element per token.
  public var ratios: [Float]?
  /// −1 where the lower clip removed the gradient, 1 where the upper one did, else 0; an element per token.
  public var clips: [Int8]?
  /// The mean divergence from the reference per token, in nats.
  public var klMean: Double?

  /// Makes a record.
  public init(
    draw: Int, sample: Int, trainerLogProbabilities: [Float]? = nil, ratios: [Float]? = nil,
    clips: [Int8]? = nil, klMean: Double? = nil
  ) {
    self.draw = draw
    self.sample = sample
    self.trainerLogProbabilities = trainerLogProbabilities
    self.ratios = ratios
    self.clips = clips
    self.klMean = klMean
  }
}
