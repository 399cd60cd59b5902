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
  /// Updates `count` values as torch.optim.AdamW does.
  ///
  /// p ← p(1 − lr·λ); m ← m + (1 − β₁)(g − m); v ← β₂v + (1 − β₂)g²;
  /// p ← p − lr/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε), g being the gradient times `gradientScale`.
  /// All four lie in the same layout. The corrections are computed in double precision.
  /// Source: Loshchilov and Hutter 2019, algorithm 2.
  public func adamW(
    _ parameter: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>,
    m: UnsafeMutablePointer<Float>, v: UnsafeMutablePointer<Float>, count: Int, _ step: AdamWStep
  ) {
    let arguments = AdamWArguments(
      one_minus_beta1: Float(1 - step.beta1), beta2: Float(step.beta2),
      one_minus_beta2: Float(1 - step.beta2), epsilon: Float(step.epsilon),
      gradient_scale: Float(step.gradientScale),
      weight_decay: Float(1 - step.learningRate * step.weightDecay),
      step_size: Float(step.learningRate / (1 - pow(step.beta1, Double(step.step)))),
      square_root_correction: Float((1 - pow(step.beta2, Double(step.step))).squareRoot()),
      clearing_gradient: step.isClearingGradient ? 1 : 0)
    parallelRanges(count, cost: 1, alignment: 16) { begin, end in
      withUnsafePointer(to: arguments) {
        kernels.pointee.adamw($0, parameter, gradient, m, v, begin, end)
      }
    }
  }

  /// Updates a packed weight; gradient, m and v lie in its layout.
  public func adamW(
    _ parameter: PackedMatrix, gradient: FloatBuffer, m: FloatBuffer, v: FloatBuffer,
    _ step: AdamWStep
  ) {
    let count = parameter.layout.count
    precondition(
      gradient.count >= count && m.count >= count && v.count >= count,
      "the gradient and the moments of a weight lie in its packed layout")
    adamW(
      parameter.pointer, gradient: gradient.pointer, m: m.pointer, v: v.pointer, count: count, step)
  }
}
