// y = x Wᵀ + b + s (x Aᵀ) Bᵀ
//
// The sum is taken from left to right: the base's product, its bias, the residual where there is one,
// then the adapter's product, whose chain begins with what is there. Each product is the batch-invariant
// kernel's, so a row has the same bits in sampling, scoring and training. With h = s x Aᵀ, kept:
//
//     dB += dyᵀ h,   dh = s dy B,   dA += dhᵀ x,   dx (+)= dy W + dh A
//
// A frozen base has no dW and no db: neither their memory nor their arithmetic.

import Tensors

/// A linear map with its adapter.
struct Linear: Sendable {
  let weight: ParameterID
  let bias: ParameterID?
  let inputs: Int
  let outputs: Int
  let adapter: LowRankAdapter?

  /// The products of x that y is made of, to be run beside those of other maps of the same x;
  /// `addAdapter` completes y.
  /// - Parameter y: [R, N].
  func products(into y: Tensor, _ run: LayerRun) -> [Product] {
    let base = Product(
      run.parameters.matrix(weight), into: y, bias: bias.map(run.parameters.vector))
    guard let adapter, run.model.appliesAdapter else { return [base] }
    return [
      base, Product(run.parameters.matrix(adapter.a), into: run.reserve(adapter.reduced)),
    ]
  }

  /// Adds the adapter's part to y, after `products`.
  func addAdapter(to y: Tensor, _ run: LayerRun) {
    guard let adapter, run.model.appliesAdapter else { return }
    run.compute.scale(run[adapter.reduced], by: adapter.scale)
    adapter.addScaled(to: y, run)
  }

  /// y = residual + (x Wᵀ + b), and the adapter's part.
  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun) {
    run.compute.multiply(
      x, by: run.parameters.matrix(weight), into: y, bias: bias.map(run.parameters.vector),
      adding: residual)
    guard let adapter, run.model.appliesAdapter else { return }
    adapter.reduce(x, run)
    adapter.addScaled(to: y, run)
  }

  /// Computes again what `forward` keeps: nothing without an adapter.
  func recompute(_ x: Tensor, _ run: LayerRun) {
    guard let adapter, run.model.appliesAdapter else { return }
    adapter.reduce(x, run)
  }

  /// Adds the gradients of what is trained, and gives dx, written or added.
  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, accumulating: Bool, _ run: LayerRun,
    _ gradients: Gradients
  ) {
    let compute = run.compute
    let matrix = run.parameters.matrix(weight)
    if let dWeight = gradients.tensor(weight) {
      compute.accumulateWeightGradient(
        dy, x, layout: matrix.layout, segments: run.tokens.segments, into: dWeight)
    }
    if let bias, let dBias = gradients.tensor(bias) {
      compute.accumulateBiasGradient(dy, into: dBias)
    }
    compute.backpropagateInput(dy, through: matrix, into: dx, accumulating: accumulating)
    if let adapter, run.model.appliesAdapter {
      adapter.backward(dy, x: x, into: dx, run, gradients)
    }
  }

  /// Floating-point operations of a token's forward pass.
  var flops: Int { 2 * inputs * outputs + (adapter.map { 2 * $0.rank * (inputs + outputs) } ?? 0) }
}

/// The trained part of an adapted map.
struct LowRankAdapter: Sendable {
  /// A [r, inputs].
  let a: ParameterID
  /// B [outputs, r].
  let b: ParameterID
  let rank: Int
  let scale: Float
  /// h = s x Aᵀ, [R, r].
  let reduced: Slot
  let dReduced: Slot

  /// h = s x Aᵀ, which is all that the backward pass needs.
  func reduce(_ x: Tensor, _ run: LayerRun) {
    let h = run.reserve(reduced)
    run.compute.multiply(x, by: run.parameters.matrix(a), into: h)
    run.compute.scale(h, by: scale)
  }

  /// y += h Bᵀ.
  func addScaled(to y: Tensor, _ run: LayerRun) {
    run.compute.multiply(run[reduced], by: run.parameters.matrix(b), into: y, adding: y)
  }

  /// dB += dyᵀ h, dA += dhᵀ x, dx += dh A with dh = s dy B.
  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let compute = run.compute
    let (matrixA, matrixB) = (run.parameters.matrix(a), run.parameters.matrix(b))
    let dh = run.reserve(dReduced)
    compute.backpropagateInput(dy, through: matrixB, into: dh, accumulating: false)
    compute.scale(dh, by: scale)
    if let dB = gradients.tensor(b) {
      compute.accumulateWeightGradient(
        dy, run[reduced], layout: matrixB.layout, segments: run.tokens.segments, into: dB)
    }
    if let dA = gradients.tensor(a) {
      compute.accumulateWeightGradient(
        dh, x, layout: matrixA.layout, segments: run.tokens.segments, into: dA)
    }
    compute.backpropagateInput(dh, through: matrixA, into: dx, accumulating: true)
  }
}
