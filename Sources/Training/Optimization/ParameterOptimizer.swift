import Rollouts
import Tensors
import Transformer

/// How one tensor is trained.
public struct ParameterRule: Sendable, Equatable {
  /// Its learning rate before the schedule.
  public var learningRate: Double
  /// Its decoupled weight decay.
  public var weightDecay: Double

  /// Makes a rule.
  public init(learningRate: Double, weightDecay: Double) {
    self.learningRate = learningRate
    self.weightDecay = weightDecay
  }
}

/// The norm of all gradients together, and what they are multiplied with so that it keeps within its limit.
public struct GradientClip: Sendable, Equatable {
  /// ‖g‖ before it is clipped.
  public var norm: Double
  /// min(1, max_norm / (‖g‖ + 1e-6)).
  public var scale: Double
  /// Whether nothing may move along the gradients, since they are not whole; their norm says nothing then.
  public var isRejected = false

  /// The clip of gradients that are not whole.
  static let rejected = GradientClip(norm: .nan, scale: 0, isRejected: true)
}

/// AdamW over what a model trains, after the global norm of the gradient is clipped.
///
///     ‖g‖ = √Σ g²,  g ← g · min(1, max_norm / (‖g‖ + 1e-6))         torch.nn.utils.clip_grad_norm_
///     then AdamW by tensor, with its own learning rate and weight decay
///
/// The norm is summed in double precision in a fixed order. Source: Loshchilov and Hutter 2019.
public final class ParameterOptimizer {
  /// The settings that all tensors share.
  public struct Settings: Sendable, Equatable {
    /// β₁.
    public var beta1: Double
    /// β₂.
    public var beta2: Double
    /// ε.
    public var epsilon: Double
    /// The greatest norm of the gradient; 0 for no limit.
    public var maxGradientNorm: Double
    /// What gradients are multiplied by when they come, at first; nil for nothing.
    public var lossScale: LossScale?

    /// Makes settings.
    public init(
      beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
      maxGradientNorm: Double = 1, lossScale: LossScale? = nil
    ) {
      self.lossScale = lossScale
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.maxGradientNorm = maxGradientNorm
    }
  }

  /// What one update did.
  public struct Report: Sendable {
    /// The norm of the gradient before it was clipped.
    public var gradientNorm: Double
    /// Whether the weights moved: not where the gradient isn't finite.
    public var isApplied: Bool
    /// What the gradient was multiplied by; nil where losses are not scaled.
    public var lossScale: Double?
    /// The first tensor that has a weight which is not finite now; nil where all are finite.
    public var nonfiniteTensor: String?
  }

  private let parameters: Parameters
  private let compute: Compute
  private let settings: Settings
  private let rules: [ParameterRule]
  /// The moments, which lie as the gradients do: an arena each.
  private let firstMoments: [Tensor]
  private let secondMoments: [Tensor]
  /// Updates done so far.
  public private(set) var updates = 0
  /// What the next gradient is to be multiplied by, from the loss on.
  public private(set) var lossScale: LossScale?

  /// Makes an optimiser whose moments are zero; `rules` has one entry a trained tensor.
  public init(
    _ parameters: Parameters, compute: Compute, settings: Settings, rules: [ParameterRule]
  ) {
    precondition(rules.count == parameters.trained.count, "one rule a tensor")
    self.parameters = parameters
    self.compute = compute
    self.settings = settings
    self.rules = rules
    lossScale = settings.lossScale
    let layout = parameters.arenaLayout
    firstMoments = layout.parts(of: Tensor(count: layout.count))
    secondMoments = layout.parts(of: Tensor(count: layout.count))
  }

  /// The norm of gradients as the loss has them, not as they were scaled, and by what they are clipped.
  public func clip(_ gradients: Gradients) -> GradientClip {
    let scaled = gradients.parts.reduce(0.0) { $0 + compute.squaredNorm($1) }.squareRoot()
    let norm = scaled / (lossScale?.scale ?? 1)
    let limit = settings.maxGradientNorm
    return GradientClip(norm: norm, scale: limit > 0 ? min(1, limit / (norm + 1e-6)) : 1)
  }

  /// Moves the weights along clipped gradients, which are zero afterwards.
  ///
  /// Where the gradients' norm isn't finite nothing moves, and no update is counted; a loss scale shrinks then.
  public func update(
    by gradients: Gradients, _ clip: GradientClip, learningRateFactor: Double
  ) -> Report {
    let lossScale = self.lossScale?.scale
    if !clip.isRejected { self.lossScale?.update(overflowed: !clip.norm.isFinite) }
    guard clip.norm.isFinite else {
      gradients.reset(compute)
      return Report(gradientNorm: clip.norm, isApplied: false, lossScale: lossScale)
    }
    updates += 1
    for (index, tensor) in parameters.trained.enumerated() {
      let step = AdamWStep(
        learningRate: rules[index].learningRate * learningRateFactor, beta1: settings.beta1,
        beta2: settings.beta2, epsilon: settings.epsilon, weightDecay: rules[index].weightDecay,
        step: updates, gradientScale: clip.scale / (lossScale ?? 1), isClearingGradient: true)
      compute.adamW(
        tensor.storage.stored, gradient: gradients.parts[index], m: firstMoments[index],
        v: secondMoments[index], step)
    }
    return Report(
      gradientNorm: clip.norm, isApplied: true, lossScale: lossScale,
      nonfiniteTensor: nonfiniteTensor)
  }

  /// The first trained tensor with a weight that is not finite.
  private var nonfiniteTensor: String? {
    parameters.trained.first { !compute.isFinite($0.storage.stored) }?.name
  }

  /// The moments of a tensor by name, for checkpoints: `exp_avg` and `exp_avg_sq`.
  public var state: [(name: String, tensor: Int, values: Tensor)] {
    parameters.trained.enumerated().flatMap { index, tensor in
      [
        ("exp_avg.\(tensor.name)", index, firstMoments[index]),
        ("exp_avg_sq.\(tensor.name)", index, secondMoments[index]),
      ]
    }
  }

  /// What gradients are multiplied by, from the loss on.
  var gradientFactor: Float { Float(lossScale?.scale ?? 1) }

  /// Where the schedule of the learning rate stands: an update that was left out for an overflow takes its place in it.
  var scheduledUpdates: Int { updates + (lossScale?.skipped ?? 0) }

  /// Goes on where a checkpoint left off: the moments were read into `state`.
  public func resume(after updates: Int, lossScale: LossScale? = nil) {
    self.updates = updates
    if let lossScale { self.lossScale = lossScale }
  }
}

extension ParameterRule {
  /// The rules of a model's tensors: the first group whose pattern matches a name wins.
  ///
  /// What is exempt doesn't decay unless a group has a weight decay.
  /// Patterns are globs: `*` matches any run of characters, `?` one.
  public static func rules(
    for parameters: Parameters, base: ParameterRule, exempt: WeightDecayExemption,
    groups: [(pattern: String, learningRate: Double?, weightDecay: Double?)]
  ) -> [ParameterRule] {
    parameters.trained.map { tensor in
      let group = groups.first { Glob($0.pattern).matches(tensor.name) }
      let isExempt = exempt == .normsAndBiases && isNormOrBias(tensor.name)
      let decay = isExempt ? 0 : base.weightDecay
      return ParameterRule(
        learningRate: group?.learningRate ?? base.learningRate,
        weightDecay: group?.weightDecay ?? decay)
    }
  }

  /// Whether a tensor is a norm or a bias by its name.
  ///
  /// transformers' patterns: `bias`, `layernorm`, `rmsnorm`, `(?:^|\.)norm(?:$|\.)`, `_norm(?:$|\.)`.
  static func isNormOrBias(_ name: String) -> Bool {
    let name = name.lowercased()
    if ["bias", "layernorm", "rmsnorm"].contains(where: name.contains) { return true }
    return name.split(separator: ".").contains { $0 == "norm" || $0.hasSuffix("_norm") }
  }
}

/// A pattern with `*` and `?`, matched in time linear in text × stars.
struct Glob {
  private let pattern: [Character]

  init(_ pattern: String) { self.pattern = Array(pattern) }

  func matches(_ text: String) -> Bool {
    let text = Array(text)
    var (p, t) = (0, 0)
    var star: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == "?" || pattern[p] == text[t] {
        p += 1
        t += 1
      } else if p < pattern.count, pattern[p] == "*" {
        star = (p, t)
        p += 1
      } else if let last = star {
        p = last.pattern + 1
        t = last.text + 1
        star = (last.pattern, t)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == "*" }
  }
}
