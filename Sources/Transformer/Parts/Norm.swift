// RMS norm: y = x · r · w,  r = 1 / √(mean(x²) + ε)
//
// Backward (docs/backward.md): dw += Σ_rows dy ∘ x r;  dx = r (w ∘ dy) − x r³/C Σ dy ∘ w ∘ x. The forward pass keeps r,
// one number for each row and segment.
//
// Source: Zhang and Sennrich 2019 (arXiv 1910.07467).

import Tensors

/// A norm of rows, or of each of their segments (the heads of queries and keys).
struct Norm: Sendable {
  /// What is normalised, and by which factors.
  enum Kind: Sendable, Hashable {
    /// By the root mean square, times w.
    case rms
    /// By the root mean square, times 1 + w (Gemma).
    case rmsAroundOne

    /// What its factors begin at.
    var initialScale: Float { self == .rms ? 1 : 0 }
  }

  let weight: ParameterID
  let kind: Kind
  let epsilon: Float
  /// The numbers that are normalised together.
  let columns: Int
  /// How many such segments a row has.
  let segments: Int

  /// y = norm(x).
  /// - Parameter statistics: Keeps r, [R, segments].
  func forward(_ x: Tensor, into y: Tensor, statistics: Tensor, _ model: LanguageModel) {
    model.compute.rmsNorm(
      x, segments: segments, weight: factors(model), epsilon: epsilon, into: y,
      inverseRMS: statistics)
  }

  /// Adds the gradient of w, and gives dx, written or added; dx may be dy unless it is added to.
  func backward(
    _ dy: Tensor, x: Tensor, statistics: Tensor, into dx: Tensor, accumulating: Bool,
    _ model: LanguageModel, _ gradients: Gradients
  ) {
    model.compute.rmsNormBackward(
      dy, x: x, segments: segments, weight: factors(model), inverseRMS: statistics, into: dx,
      accumulating: accumulating, dWeight: gradients.tensor(weight))
  }

  /// w, or 1 + w.
  private func factors(_ model: LanguageModel) -> Tensor {
    let w = model.parameters.vector(weight)
    guard kind == .rmsAroundOne else { return w }
    let factors = model.normFactors.reserve(rows: 1, columns: columns)
    model.compute.fill(factors, with: 1)
    model.compute.add(w, to: factors)
    return factors
  }
}
