// RMS norm:    y = z w, or z (1 + w);   z = x · r,         r = 1 / √(mean(x²) + ε)
// Layer norm:  y = z w + b;             z = (x − μ) · r,   r = 1 / √(mean((x − μ)²) + ε)
//
// Backward (docs/backward.md), with g = w ∘ dy: dw += Σ_rows dy ∘ z, db += Σ_rows dy, and
//
//     dx = r (g − z mean(g ∘ z)),   of a layer norm r (g − mean(g) − z mean(g ∘ z))
//
// The forward pass keeps r, of a layer norm μ and r, for each row and segment.
//
// Sources: Zhang and Sennrich 2019 (arXiv 1910.07467); Ba, Kiros and Hinton 2016 (arXiv 1607.06450).

import Tensors

/// A norm of rows, or of each of their segments (the heads of queries and keys).
struct Norm: Sendable {
  /// What is normalised, and by which factors.
  enum Kind: Sendable, Hashable {
    /// By the root mean square, times w.
    case rms
    /// By the root mean square, times 1 + w (Gemma).
    case rmsAroundOne
    /// By mean and deviation, times w, plus b where there is one.
    case layer

    /// What its factors begin at.
    var initialScale: Float { self == .rmsAroundOne ? 0 : 1 }
  }

  let weight: ParameterID
  let bias: ParameterID?
  let kind: Kind
  let epsilon: Float
  /// The numbers that are normalised together.
  let columns: Int
  /// How many such segments a row has.
  let segments: Int

  /// How many numbers the forward pass keeps of a row.
  var statisticsCount: Int { kind == .layer ? 2 * segments : segments }

  /// y = norm(x).
  /// - Parameter statistics: Keeps r, or μ and r, of each segment, [R, statisticsCount].
  func forward(_ x: Tensor, into y: Tensor, statistics: Tensor, _ model: LanguageModel) {
    switch kind {
    case .rms, .rmsAroundOne:
      model.compute.rmsNorm(
        x, segments: segments, weight: factors(model), epsilon: epsilon, into: y,
        inverseRMS: statistics)
    case .layer:
      model.compute.layerNorm(
        x, segments: segments, weight: factors(model), bias: bias.map(model.parameters.vector),
        epsilon: epsilon, into: y, statistics: statistics)
    }
  }

  /// Adds the gradients of w and b, and gives dx, written or added; dx may be dy unless it is added to.
  func backward(
    _ dy: Tensor, x: Tensor, statistics: Tensor, into dx: Tensor, accumulating: Bool,
    _ model: LanguageModel, _ gradients: Gradients
  ) {
    switch kind {
    case .rms, .rmsAroundOne:
      model.compute.rmsNormBackward(
        dy, x: x, segments: segments, weight: factors(model), inverseRMS: statistics, into: dx,
        accumulating: accumulating, dWeight: gradients.tensor(weight))
    case .layer:
      model.compute.layerNormBackward(
        dy, x: x, segments: segments, weight: factors(model), statistics: statistics, into: dx,
        accumulating: accumulating, dWeight: gradients.tensor(weight),
        dBias: bias.flatMap(gradients.tensor))
    }
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
