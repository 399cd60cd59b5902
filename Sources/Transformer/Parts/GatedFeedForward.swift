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
    /// Put before the names of its tensors, with a dot.
    var name = "mlp"
    var activation = Activation.silu
    /// Whether W_gate and W_up are one tensor, `gate_up_proj`, the outputs of the gate first.
    var isFused = false

    func part(_ declaration: inout Declaration) -> any FeedForwardPart {
      GatedFeedForward(self, &declaration)
    }
  }

  private let activation: Activation
  private let entrance: Entrance
  private let down: Linear
  /// h, and its gradient, [R, F].
  private let hidden: Slot
  private let dHidden: Slot

  init(_ design: Design, _ declaration: inout Declaration) {
    activation = design.activation
    let (inner, outer) = (design.intermediateSize, design.hiddenSize)
    entrance = Entrance(design, &declaration)
    down = declaration.linear(
      design.name + ".down_proj", inputs: inner, outputs: outer, hasBias: design.hasBias,
      role: .residualProduct)
    hidden = declaration.scratch("hidden", inner)
    dHidden = declaration.scratch("gradient of hidden", inner, isBackward: true)
  }

  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun) {
    down.forward(activate(x, run), adding: residual, into: y, run)
  }

  func recompute(_ x: Tensor, _ run: LayerRun) { down.recompute(activate(x, run), run) }

  /// h = φ(x W_gateᵀ) ∘ x W_upᵀ, [R, F].
  private func activate(_ x: Tensor, _ run: LayerRun) -> Tensor {
    let (g, u) = entrance.forward(x, run)
    let h = run.reserve(hidden)
    run.compute.gatedUnit(activation, gate: g, up: u, into: h)
    return h
  }

  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let (g, u) = entrance.saved(run)
    let h = run.reserve(hidden)
    run.compute.gatedUnit(activation, gate: g, up: u, into: h)
    let dh = run.reserve(dHidden)
    down.backward(dy, x: h, into: dh, accumulating: false, run, gradients)
    // The gradients of separate maps overwrite what is spent: h, and dh itself.
    let (dg, du) = entrance.gradients(run) ?? (h, dh)
    run.compute.gatedUnitBackward(activation, dh, gate: g, up: u, dGate: dg, dUp: du)
    entrance.backward(dg, du, x: x, into: dx, run, gradients)
  }

  func flops(context: Int) -> Int { entrance.flops + down.flops }
}

/// The maps from the stream to g and u, [R, F]: two tensors, or one whose product has both as columns.
private enum Entrance: Sendable {
  case separate(gate: Linear, up: Linear, gated: Slot, raised: Slot)
  case fused(Linear, both: Slot, dBoth: Slot)

  init(_ design: GatedFeedForward.Design, _ declaration: inout Declaration) {
    let (inner, outer) = (design.intermediateSize, design.hiddenSize)
    func linear(_ name: String, _ outputs: Int, _ declaration: inout Declaration) -> Linear {
      declaration.linear(
        "\(design.name).\(name)", inputs: outer, outputs: outputs, hasBias: design.hasBias)
    }
    if design.isFused {
      let map = linear("gate_up_proj", 2 * inner, &declaration)
      self = .fused(
        map, both: declaration.saved(2 * inner, areOperands: true),
        dBoth: declaration.scratch("gradient of gate and up", 2 * inner, isBackward: true))
    } else {
      let gate = linear("gate_proj", inner, &declaration)
      let up = linear("up_proj", inner, &declaration)
      self = .separate(
        gate: gate, up: up, gated: declaration.saved(inner, areOperands: true),
        raised: declaration.saved(inner, areOperands: true))
    }
  }

  func forward(_ x: Tensor, _ run: LayerRun) -> (gate: Tensor, up: Tensor) {
    switch self {
    case .separate(let gate, let up, let gated, let raised):
      let (g, u) = (run.reserve(gated), run.reserve(raised))
      run.compute.multiplyMany(x, by: gate.products(into: g, run) + up.products(into: u, run))
      gate.addAdapter(to: g, run)
      up.addAdapter(to: u, run)
      return (g, u)
    case .fused(let map, let both, _):
      map.forward(x, adding: nil, into: run.reserve(both), run)
      return halves(run[both])
    }
  }

  /// g and u as they were last computed.
  func saved(_ run: LayerRun) -> (gate: Tensor, up: Tensor) {
    switch self {
    case .separate(_, _, let gated, let raised): (run[gated], run[raised])
    case .fused(_, let both, _): halves(run[both])
    }
  }

  /// Where the gradients must lie; nil for anywhere.
  func gradients(_ run: LayerRun) -> (gate: Tensor, up: Tensor)? {
    guard case .fused(_, _, let dBoth) = self else { return nil }
    return halves(run.reserve(dBoth))
  }

  func backward(
    _ dGate: Tensor, _ dUp: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ all: Gradients
  ) {
    switch self {
    case .separate(let gate, let up, _, _):
      gate.backward(dGate, x: x, into: dx, accumulating: false, run, all)
      up.backward(dUp, x: x, into: dx, accumulating: true, run, all)
    case .fused(let map, _, let dBoth):
      map.backward(run[dBoth], x: x, into: dx, accumulating: false, run, all)
    }
  }

  var flops: Int {
    switch self {
    case .separate(let gate, let up, _, _): gate.flops + up.flops
    case .fused(let map, _, _): map.flops
    }
  }

  private func halves(_ both: Tensor) -> (gate: Tensor, up: Tensor) {
    let width = both.columns / 2
    return (both.columns(0..<width), both.columns(width..<2 * width))
  }
}
