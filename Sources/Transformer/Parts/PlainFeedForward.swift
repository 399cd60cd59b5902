// y = x_residual + φ(x W_inᵀ + b_in) W_outᵀ + b_out
//
// Backward (docs/backward.md): with z = x W_inᵀ + b_in and h = φ(z), dh = dy W_out, dz = dh ∘ φ′(z).

import Tensors

/// The feed-forward part without a gate.
struct PlainFeedForward: FeedForwardPart {
  /// What a family chooses of it.
  struct Design: FeedForwardDesign, Hashable {
    var hiddenSize: Int
    var intermediateSize: Int
    var activation: Activation
    var hasBias = false
    /// The names of its matrices after the layer's prefix.
    var entrance: String
    var exit: String
    /// Whether files keep the matrices as [inputs, outputs].
    var isTransposed = false

    func part(_ declaration: inout Declaration) -> any FeedForwardPart {
      PlainFeedForward(self, &declaration)
    }
  }

  private let activation: Activation
  private let entrance: Linear
  private let exit: Linear
  /// z, [R, F].
  private let entered: Slot
  /// h, and its gradient, [R, F].
  private let hidden: Slot
  private let dHidden: Slot

  init(_ design: Design, _ declaration: inout Declaration) {
    activation = design.activation
    let (inner, outer) = (design.intermediateSize, design.hiddenSize)
    entrance = declaration.linear(
      design.entrance, inputs: outer, outputs: inner, hasBias: design.hasBias,
      isTransposed: design.isTransposed)
    exit = declaration.linear(
      design.exit, inputs: inner, outputs: outer, hasBias: design.hasBias,
      isTransposed: design.isTransposed, role: .residualProduct)
    entered = declaration.saved(inner, areOperands: true)
    hidden = declaration.scratch("hidden", inner)
    dHidden = declaration.scratch("gradient of hidden", inner, isBackward: true)
  }

  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun) {
    exit.forward(activate(x, run), adding: residual, into: y, run)
  }

  func recompute(_ x: Tensor, _ run: LayerRun) { exit.recompute(activate(x, run), run) }

  /// h = φ(x W_inᵀ + b_in), [R, F].
  private func activate(_ x: Tensor, _ run: LayerRun) -> Tensor {
    let (z, h) = (run.reserve(entered), run.reserve(hidden))
    entrance.forward(x, adding: nil, into: z, run)
    run.compute.unit(activation, z, into: h)
    return h
  }

  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let (z, h, dh) = (run[entered], run.reserve(hidden), run.reserve(dHidden))
    run.compute.unit(activation, z, into: h)
    exit.backward(dy, x: h, into: dh, accumulating: false, run, gradients)
    run.compute.unitBackward(activation, dh, z: z, into: dh)
    entrance.backward(dh, x: x, into: dx, accumulating: false, run, gradients)
  }

  func flops(context: Int) -> Int { entrance.flops + exit.flops }
}
