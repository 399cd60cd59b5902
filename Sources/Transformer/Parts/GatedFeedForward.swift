// y = x_residual + (φ(x W_gateᵀ) ∘ x W_upᵀ) W_downᵀ
//
// Backward (docs/backward.md): with h = φ(g) ∘ u, φ(g) = g σ(a(g)) and σ the logistic function,
//
//     dh = dy W_down,   du = dh ∘ φ(g),   dg = dh ∘ u ∘ σ(a)(1 + g a′(g)(1 − σ(a)))
//
// a(g) = g is SiLU; a(g) = 2√(2/π)(g + 0.044715 g³) is GELU in its tanh form.
//
// Source: Shazeer 2020 (SwiGLU and GEGLU, arXiv 2002.05202).

import Tensors

/// The gated feed-forward part.
struct GatedFeedForward: FeedForwardPart {
  /// What a family chooses of it.
  struct Design: FeedForwardDesign, Hashable {
    var hiddenSize: Int
    var intermediateSize: Int
    var hasBias = false
    var activation = Activation.silu

    func part(_ declaration: inout Declaration) -> any FeedForwardPart {
      GatedFeedForward(self, &declaration)
    }
  }

  private let activation: Activation
  private let gate: Linear
  private let up: Linear
  private let down: Linear
  /// g and u, [R, F].
  private let gated: Slot
  private let raised: Slot
  /// h, and its gradient, [R, F].
  private let hidden: Slot
  private let dHidden: Slot

  init(_ design: Design, _ declaration: inout Declaration) {
    activation = design.activation
    let (inner, outer) = (design.intermediateSize, design.hiddenSize)
    gate = declaration.linear(
      "mlp.gate_proj", inputs: outer, outputs: inner, hasBias: design.hasBias)
    up = declaration.linear("mlp.up_proj", inputs: outer, outputs: inner, hasBias: design.hasBias)
    down = declaration.linear(
      "mlp.down_proj", inputs: inner, outputs: outer, hasBias: design.hasBias,
      role: .residualProduct)
    gated = declaration.saved(inner)
    raised = declaration.saved(inner)
    hidden = declaration.scratch("hidden", inner)
    dHidden = declaration.scratch("gradient of hidden", inner, isBackward: true)
  }

  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun) {
    down.forward(activate(x, run), adding: residual, into: y, run)
  }

  func recompute(_ x: Tensor, _ run: LayerRun) { down.recompute(activate(x, run), run) }

  /// h = φ(x W_gateᵀ) ∘ x W_upᵀ, [R, F].
  private func activate(_ x: Tensor, _ run: LayerRun) -> Tensor {
    let (g, u) = (run.reserve(gated), run.reserve(raised))
    run.compute.multiplyMany(x, by: gate.products(into: g, run) + up.products(into: u, run))
    gate.addAdapter(to: g, run)
    up.addAdapter(to: u, run)
    let h = run.reserve(hidden)
    run.compute.gatedUnit(activation, gate: g, up: u, into: h)
    return h
  }

  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let (g, u) = (run[gated], run[raised])
    let h = run.reserve(hidden)
    run.compute.gatedUnit(activation, gate: g, up: u, into: h)
    let dh = run.reserve(dHidden)
    down.backward(dy, x: h, into: dh, accumulating: false, run, gradients)
    // The gradients of gate and up overwrite what is spent: h, and dh itself.
    run.compute.gatedUnitBackward(activation, dh, gate: g, up: u, dGate: h, dUp: dh)
    gate.backward(h, x: x, into: dx, accumulating: false, run, gradients)
    up.backward(dh, x: x, into: dx, accumulating: true, run, gradients)
  }

  func flops(context: Int) -> Int { gate.flops + up.flops + down.flops }
}
