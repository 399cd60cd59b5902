// y = σ(x w_gᵀ) · FeedForward(x), or FeedForward(x) without a gate: the expert that every token is sent to.
//
//     dFeedForward = σ dy,   dz = (dy · FeedForward(x)) σ (1 − σ)

import Tensors

/// A gated feed-forward part beside the routed experts.
struct SharedExpert: Sendable {
  private let feedForward: any FeedForwardPart
  private let gate: Gate?
  private let output: Slot

  private struct Gate: Sendable {
    let weight: ParameterID
    let inputs: Int
    /// σ, [R, 1], and the gradient of its logit.
    let share: Slot
    let dLogit: Slot
    let gated: Slot
    let dPart: Slot
  }

  /// Declares the part, and `<gateName>.weight` where it has a gate.
  init(
    _ design: GatedFeedForward.Design, gateName: String?, _ declaration: inout Declaration
  ) {
    let width = design.hiddenSize
    feedForward = design.part(&declaration)
    guard let gateName else {
      output = declaration.scratch("shared expert", width)
      gate = nil
      return
    }
    output = declaration.saved(width)
    gate = Gate(
      weight: declaration.tensor(gateName + ".weight", [1, width], .router), inputs: width,
      share: declaration.saved(1),
      dLogit: declaration.scratch("gradient of a gate", 1, isBackward: true),
      gated: declaration.scratch("shared expert", width),
      dPart: declaration.scratch("gradient of the shared expert", width, isBackward: true))
  }

  /// y, [R, C].
  func forward(_ x: Tensor, _ run: LayerRun) -> Tensor {
    let y = run.reserve(output)
    feedForward.forward(x, adding: nil, into: y, run)
    guard let gate else { return y }
    let share = run.reserve(gate.share)
    run.compute.multiply(x, by: run.parameters.matrix(gate.weight), into: share, in: .float32)
    run.compute.logistic(share)
    let gated = run.reserve(gate.gated)
    run.compute.scaleRows(y, by: share, into: gated)
    return gated
  }

  /// Computes again what `forward` keeps.
  func recompute(_ x: Tensor, _ run: LayerRun) {
    if gate == nil { feedForward.recompute(x, run) } else { _ = forward(x, run) }
  }

  /// Adds the gradients of its tensors, and writes that of its input.
  func backward(_ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients) {
    guard let gate else { return feedForward.backward(dy, x: x, into: dx, run, gradients) }
    let compute = run.compute
    let (share, dz, dPart) = (run[gate.share], run.reserve(gate.dLogit), run.reserve(gate.dPart))
    compute.gateBackward(dy, run[output], gate: share, into: dz)
    compute.scaleRows(dy, by: share, into: dPart)
    feedForward.backward(dPart, x: x, into: dx, run, gradients)
    let matrix = run.parameters.matrix(gate.weight)
    if let dWeight = gradients.tensor(gate.weight) {
      compute.accumulateWeightGradient(
        dz, x, layout: matrix.layout, into: dWeight, in: .float32)
    }
    compute.backpropagateInput(dz, through: matrix, into: dx, accumulating: true, in: .float32)
  }

  var flops: Int {
    feedForward.flops(context: 1) + (gate.map { 2 * $0.inputs } ?? 0)
  }
}
