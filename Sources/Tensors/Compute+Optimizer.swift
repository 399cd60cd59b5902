import CKernels
import Foundation

/// The settings of one AdamW update of one parameter.
public struct AdamWStep: Equatable, Sendable {
  /// Learning rate.
  public var learningRate: Double
  /// Decay of the first moment.
  public var beta1: Double
  /// Decay of the second moment.
  public var beta2: Double
  /// Added to the root of the second moment.
  public var epsilon: Double
  /// Decay of the weight, times the learning rate.
  public var weightDecay: Double
  /// Which update this is, from 1.
  public var step: Int
  /// Multiplies the gradient first: the clipping of its norm.
  public var gradientScale: Double
  /// Whether the gradient is set to zero on the way, ready for the next update.
  public var isClearingGradient: Bool

  /// The settings of update number `step`.
  public init(
    learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, step: Int, gradientScale: Double = 1, isClearingGradient: Bool = false
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.step = step
    self.gradientScale = gradientScale
    self.isClearingGradient = isClearingGradient
  }
}

extension Compute {
  /// Updates values as torch.optim.AdamW does.
  ///
  /// p ← p(1 − lr·λ); m ← m + (1 − β₁)(g − m); v ← β₂v + (1 − β₂)g²;
  /// p ← p − lr/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε), g being the gradient times `gradientScale`.
  /// All four are contiguous and lie alike; of a matrix they are its panels. The corrections are computed in double
  /// precision.
  /// Complexity: about 14 flops and 28 bytes for each value.
  /// Source: Loshchilov and Hutter 2019, algorithm 2.
  public func adamW(
    _ parameter: Tensor, gradient: Tensor, m: Tensor, v: Tensor, _ step: AdamWStep
  ) {
    let count = parameter.count
    precondition(
      [parameter, gradient, m, v].allSatisfy { $0.isContiguous && $0.count == count },
      "the gradient and the moments of a weight lie as the weight does")
    let arguments = AdamWArguments(
      one_minus_beta1: Float(1 - step.beta1), beta2: Float(step.beta2),
      one_minus_beta2: Float(1 - step.beta2), epsilon: Float(step.epsilon),
      gradient_scale: Float(step.gradientScale),
      weight_decay: Float(1 - step.learningRate * step.weightDecay),
      step_size: Float(step.learningRate / (1 - pow(step.beta1, Double(step.step)))),
      square_root_correction: Float((1 - pow(step.beta2, Double(step.step))).squareRoot()),
      clearing_gradient: step.isClearingGradient ? 1 : 0)
    let (p, g, first, second) = (parameter.start, gradient.start, m.start, v.start)
    parallelRanges(count, cost: 1, alignment: 16) { begin, end in
      withUnsafePointer(to: arguments) {
        kernels.pointee.adamw($0, p, g, first, second, begin, end)
      }
    }
  }
}
