// Routed experts: each token passes through k of E gated feed-forward maps, and through a shared one where there is one.
//
//     w, T = router(x)                                                       weights and experts of each token
//     y    = x_residual + (Σ_{e ∈ T} (w_e φ(x W_gate,eᵀ) ∘ x W_up,eᵀ) W_down,eᵀ + shared(x))
//
// Tokens' rows are sorted by expert, k rows for each token, so that each expert's is a dense product without padding; the sum over
// T goes by ascending experts. So a row's bits depend on that row alone, and an expert without tokens costs nothing. Weights
// stand before W_down, a linear map: their gradient needs no output kept.
//
// Backward, with h = φ(g) ∘ u, h' = w h and dh' = dy W_down (docs/backward.md):
//
//     dw = dh' · h,   dh = w dh',   dW_down += dyᵀ h',   du, dg, dW_up, dW_gate as in GatedFeedForward,
//     dx = Σ_{e ∈ T} (dg W_gate,e + du W_up,e) + router's + shared's
//
// Sources: Shazeer et al. 2017 (arXiv 1701.06538); Dai et al. 2024 (DeepSeekMoE, arXiv 2401.06066, equations 3 to 5).

import Tensors

/// Routed experts.
struct RoutedExperts: FeedForwardPart {
  /// What a family chooses of it.
  struct Design: FeedForwardDesign, Hashable {
    var hiddenSize: Int
    /// F, of one expert.
    var intermediateSize: Int
    var routing: ExpertRouting
    var activation = Activation.silu
    var names = Names()
    /// Whether experts are chosen by their scores plus a bias that no gradient reaches.
    var hasSelectionBias = false
    /// The expert that every token is sent to.
    var shared: GatedFeedForward.Design?
    /// The name of the shared expert's gate, without `.weight`; nil for none.
    var sharedGate: String?

    func part(_ declaration: inout Declaration) -> any FeedForwardPart {
      RoutedExperts(self, &declaration)
    }
  }

  /// What the tensors are called.
  struct Names: Hashable {
    /// The router, without `.weight`.
    var router = "mlp.gate"
    /// Put before an expert's number.
    var experts = "mlp.experts"
    var gate = "gate_proj"
    var up = "up_proj"
    var down = "down_proj"
    var selectionBias = "mlp.gate.e_score_correction_bias"
  }

  private let activation: Activation
  private let router: ExpertRouter
  private let shared: SharedExpert?
  private let gate: ExpertLinear
  private let up: ExpertLinear
  private let down: ExpertLinear
  /// Rows sorted by expert, [k·R, …]: gates and what they multiply, kept; h; tokens or their outputs, and gradients.
  private let gated: Slot
  private let raised: Slot
  private let hidden: Slot
  private let sorted: Slot
  private let dHidden: Slot
  private let dSorted: Slot

  init(_ design: Design, _ declaration: inout Declaration) {
    activation = design.activation
    let (inner, outer) = (design.intermediateSize, design.hiddenSize)
    let chosen = design.routing.chosenCount
    router = ExpertRouter(
      design.routing, name: design.names.router,
      selectionBias: design.hasSelectionBias ? design.names.selectionBias : nil, inputs: outer,
      &declaration)
    shared = design.shared.map { SharedExpert($0, gateName: design.sharedGate, &declaration) }
    func maps(
      _ name: String, _ inputs: Int, _ outputs: Int, _ role: TensorRole,
      _ declaration: inout Declaration
    ) -> ExpertLinear {
      ExpertLinear(
        (0..<design.routing.expertCount).map { "\(design.names.experts).\($0).\(name)" },
        inputs: inputs, outputs: outputs, rowsPerToken: chosen, role: role, &declaration)
    }
    gate = maps(design.names.gate, outer, inner, .product, &declaration)
    up = maps(design.names.up, outer, inner, .product, &declaration)
    down = maps(design.names.down, inner, outer, .residualProduct, &declaration)
    gated = declaration.saved(inner, rowsPerToken: chosen, areOperands: true)
    raised = declaration.saved(inner, rowsPerToken: chosen, areOperands: true)
    hidden = declaration.scratch("hidden", inner, rowsPerToken: chosen)
    sorted = declaration.scratch("rows by expert", outer, rowsPerToken: chosen)
    dHidden = declaration.scratch(
      "gradient of hidden", inner, rowsPerToken: chosen, isBackward: true)
    dSorted = declaration.scratch(
      "gradient of rows by expert", outer, rowsPerToken: chosen, isBackward: true)
  }

  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun) {
    // The shared expert first: its scratch is the routed ones' then.
    let common = shared?.forward(x, run)
    let (rows, h) = activate(x, run)
    let outputs = run.reserve(sorted)
    run.compute.multiply(h, rows, by: down.products(into: outputs, run))
    down.addAdapters(to: outputs, rows, run)
    run.compute.combine(rows, of: outputs, adding: common, to: residual, into: y)
  }

  func recompute(_ x: Tensor, _ run: LayerRun) {
    shared?.recompute(x, run)
    let (rows, h) = activate(x, run)
    down.recompute(h, rows, run)
  }

  /// h' = w φ(x W_gateᵀ) ∘ x W_upᵀ, [k·R, F].
  private func activate(_ x: Tensor, _ run: LayerRun) -> (ExpertRows, Tensor) {
    let compute = run.compute
    let (rows, weights) = router.forward(x, run)
    let tokens = run.reserve(sorted)
    compute.gather(rows, of: x, into: tokens)
    let (g, u) = (run.reserve(gated), run.reserve(raised))
    compute.multiply(tokens, rows, by: gate.products(into: g, run) + up.products(into: u, run))
    gate.addAdapters(to: g, rows, run)
    up.addAdapters(to: u, rows, run)
    let h = run.reserve(hidden)
    compute.gatedUnit(activation, gate: g, up: u, into: h)
    compute.scale(h, rows, by: weights)
    return (rows, h)
  }

  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let compute = run.compute
    shared?.backward(dy, x: x, into: dx, run, gradients)
    let (rows, weights) = router.saved(run)
    let (g, u) = (run[gated], run[raised])
    let dOutputs = run.reserve(dSorted)
    compute.gather(rows, of: dy, into: dOutputs)

    let (h, dh) = (run.reserve(hidden), run.reserve(dHidden))
    compute.gatedUnit(activation, gate: g, up: u, into: h)
    down.backpropagate(dOutputs, rows, into: dh, accumulating: false, run)
    compute.dots(dh, h, rows, into: router.reserveGradient(run))
    compute.scale(h, rows, by: weights)
    compute.scale(dh, rows, by: weights)
    down.accumulateGradients(dOutputs, x: h, rows, run, gradients)
    // The gradients overwrite what is spent: h, and dh itself.
    compute.gatedUnitBackward(activation, dh, gate: g, up: u, dGate: h, dUp: dh)

    let tokens = run.reserve(sorted)
    compute.gather(rows, of: x, into: tokens)
    let dTokens = dOutputs
    gate.backpropagate(h, rows, into: dTokens, accumulating: false, run)
    gate.accumulateGradients(h, x: tokens, rows, run, gradients)
    up.backpropagate(dh, rows, into: dTokens, accumulating: true, run)
    up.accumulateGradients(dh, x: tokens, rows, run, gradients)
    compute.combine(rows, of: dTokens, to: shared == nil ? nil : dx, into: dx)
    router.backward(x, addingTo: dx, run, gradients)
  }

  func flops(context: Int) -> Int {
    router.flops + (shared?.flops ?? 0)
      + router.rule.chosenCount * (gate.flops + up.flops + down.flops)
  }
}
