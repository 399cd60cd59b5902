// Routed experts: each token passes through k of E gated feed-forward maps, and through a shared one where there is one.
//
//     w, T = router(x)                                                       weights and experts of each token
//     y    = x_residual + (Σ_{e ∈ T} w_e ((φ(x W_gate,eᵀ) ∘ x W_up,eᵀ) W_down,eᵀ + b_e) + shared(x))
//
// Tokens' rows are sorted by expert, k rows for each token, so that each expert's is a dense product without padding; the sum
// over T goes by ascending experts. So a row's bits depend on that row alone, and an expert without tokens costs nothing.
//
// Backward, with h = φ(g) ∘ u of an expert and dh' = dy W_down (docs/backward.md):
//
//     dw = dh' · h + dy · b,   dh = w dh',   dW_down += (w dy)ᵀ h,   du, dg, dW_up, dW_gate as in GatedFeedForward,
//     dx = Σ_{e ∈ T} (dg W_gate,e + du W_up,e) + router's + shared's
//
// so that no expert's output is kept.
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
    /// How gates and linear parts meet where the experts' maps are one tensor each, `gate_up_proj` and `down_proj`, with
    /// biases of experts and router; nil where each expert has tensors of its own.
    var stacked: ClampedUnit?
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

  private let router: ExpertRouter
  private let shared: SharedExpert?
  private let entrance: ExpertEntrance
  private let down: ExpertLinear
  /// Rows sorted by expert: h [k·R, F]; tokens or experts' outputs, [k·R, C]; their gradients.
  private let hidden: Slot
  private let sorted: Slot
  private let dHidden: Slot
  private let dSorted: Slot

  init(_ design: Design, _ declaration: inout Declaration) {
    let (inner, outer) = (design.intermediateSize, design.hiddenSize)
    let chosen = design.routing.chosenCount
    router = ExpertRouter(
      design.routing, name: design.names.router, hasBias: design.stacked != nil,
      selectionBias: design.hasSelectionBias ? design.names.selectionBias : nil, inputs: outer,
      &declaration)
    shared = design.shared.map { SharedExpert($0, gateName: design.sharedGate, &declaration) }
    (entrance, down) = Self.maps(design, &declaration)
    hidden = declaration.scratch("hidden", inner, rowsPerToken: chosen)
    sorted = declaration.scratch("rows by expert", outer, rowsPerToken: chosen)
    dHidden = declaration.scratch(
      "gradient of hidden", inner, rowsPerToken: chosen, isBackward: true)
    dSorted = declaration.scratch(
      "gradient of rows by expert", outer, rowsPerToken: chosen, isBackward: true)
  }

  private static func maps(
    _ design: Design, _ declaration: inout Declaration
  ) -> (ExpertEntrance, ExpertLinear) {
    let (inner, outer) = (design.intermediateSize, design.hiddenSize)
    let (experts, chosen) = (design.routing.expertCount, design.routing.chosenCount)
    let names = design.names
    if let unit = design.stacked {
      let map = ExpertLinear(
        stacked: "\(names.experts).gate_up_proj", experts: experts, inputs: outer,
        outputs: 2 * inner, &declaration)
      let down = ExpertLinear(
        stacked: "\(names.experts).down_proj", experts: experts, inputs: inner, outputs: outer,
        areResidual: true, &declaration)
      return (ExpertEntrance(unit, map, rowsPerToken: chosen, &declaration), down)
    }
    func maps(
      _ name: String, _ inputs: Int, _ outputs: Int, _ role: TensorRole,
      _ declaration: inout Declaration
    ) -> ExpertLinear {
      ExpertLinear(
        (0..<experts).map { "\(names.experts).\($0).\(name)" }, inputs: inputs, outputs: outputs,
        rowsPerToken: chosen, role: role, &declaration)
    }
    let gate = maps(names.gate, outer, inner, .product, &declaration)
    let up = maps(names.up, outer, inner, .product, &declaration)
    let down = maps(names.down, inner, outer, .residualProduct, &declaration)
    let entrance = ExpertEntrance(
      design.activation, gate: gate, up: up, rowsPerToken: chosen, &declaration)
    return (entrance, down)
  }

  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun) {
    // The shared expert first: its scratch is the routed ones' then.
    let common = shared?.forward(x, run)
    let (rows, weights) = enter(x, run)
    let h = run.reserve(hidden)
    entrance.activate(into: h, run)
    let outputs = run.reserve(sorted)
    run.compute.multiply(h, rows, by: down.products(into: outputs, run))
    down.addAdapters(to: outputs, rows, run)
    run.compute.combine(
      rows, of: outputs, weighed: weights, adding: common, to: residual, into: y)
  }

  func recompute(_ x: Tensor, _ run: LayerRun) {
    shared?.recompute(x, run)
    let (rows, _) = enter(x, run)
    guard down.isAdapted(run) else { return }
    let h = run.reserve(hidden)
    entrance.activate(into: h, run)
    down.recompute(h, rows, run)
  }

  /// Sends rows to their experts, and keeps their gates and linear parts.
  private func enter(_ x: Tensor, _ run: LayerRun) -> (ExpertRows, weights: Tensor) {
    let (rows, weights) = router.forward(x, run)
    let tokens = run.reserve(sorted)
    run.compute.gather(rows, of: x, into: tokens)
    entrance.forward(tokens, rows, run)
    return (rows, weights)
  }

  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let compute = run.compute
    shared?.backward(dy, x: x, into: dx, run, gradients)
    let (rows, weights) = router.saved(run)
    let dOutputs = run.reserve(dSorted)
    compute.gather(rows, of: dy, into: dOutputs)
    let (h, dh) = (run.reserve(hidden), run.reserve(dHidden))
    entrance.activate(into: h, run)

    let dWeights = router.reserveGradient(run)
    down.backpropagate(dOutputs, rows, into: dh, accumulating: false, run)
    compute.dots(dh, h, rows, into: dWeights)
    if let biases = down.biases(run) {
      compute.addDots(dOutputs, biases: biases, rows, to: dWeights)
    }
    compute.scale(dh, rows, by: weights)
    compute.scale(dOutputs, rows, by: weights)
    down.scaleGradient(rows, by: weights, run)
    down.accumulateGradients(dOutputs, x: h, rows, run, gradients)

    let tokens = run.reserve(sorted)
    compute.gather(rows, of: x, into: tokens)
    // What came back to the outputs is spent.
    let dTokens = dOutputs
    entrance.backward(dh, h, x: tokens, into: dTokens, rows, run, gradients)
    compute.combine(rows, of: dTokens, to: shared == nil ? nil : dx, into: dx)
    router.backward(x, addingTo: dx, run, gradients)
  }

  func flops(context: Int) -> Int {
    router.flops + (shared?.flops ?? 0)
      + router.rule.chosenCount * (entrance.flops + down.flops)
  }
}
