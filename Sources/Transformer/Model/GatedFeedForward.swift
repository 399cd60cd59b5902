import Tensors

/// The gated feed-forward part: y = x_residual + (silu(x W_gateᵀ) ∘ x W_upᵀ) W_downᵀ.
///
/// Backward (docs/backward.md): with h = silu(g) ∘ u and σ the logistic function,
/// dh = dy W_down, du = dh ∘ silu(g), dg = dh ∘ u ∘ σ(g)(1 + g(1 − σ(g))).
///
/// Source: Shazeer 2020 (SwiGLU, arXiv 2002.05202).
struct GatedFeedForward {
  let gate: Linear
  let up: Linear
  let down: Linear

  init(prefix: String, _ lookup: TensorLookup) {
    gate = Linear(prefix + "gate_proj", lookup)
    up = Linear(prefix + "up_proj", lookup)
    down = Linear(prefix + "down_proj", lookup)
  }

  /// Adds the part's output to the residual stream.
  /// - Parameters:
  ///   - x: Normed input, [R, C].
  ///   - hidden: Scratch for h, [R, F].
  func forward(
    _ x: UnsafeMutablePointer<Float>, residual: UnsafeMutablePointer<Float>,
    into result: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel,
    hidden: FloatScratch, saving saved: FeedForwardActivations
  ) {
    let h = activate(x, rows: rows, model: model, hidden: hidden, saving: saved)
    down.forward(
      h, residual: residual, into: result, rows: rows, model: model, reduced: saved.downReduced)
  }

  /// Computes again what `forward` keeps, without its result.
  func recompute(
    _ x: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel, hidden: FloatScratch,
    saving saved: FeedForwardActivations
  ) {
    let h = activate(x, rows: rows, model: model, hidden: hidden, saving: saved)
    down.reduce(h, rows: rows, model: model, reduced: saved.downReduced)
  }

  /// h = silu(x W_gateᵀ) ∘ x W_upᵀ, [R, F].
  private func activate(
    _ x: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel, hidden: FloatScratch,
    saving saved: FeedForwardActivations
  ) -> UnsafeMutablePointer<Float> {
    let compute = model.compute
    let width = gate.outputs
    let g = saved.gate.reserve(rows * width)
    let u = saved.up.reserve(rows * width)
    compute.multiplyMany(
      Rows(x, stride: gate.inputs), rows: rows,
      by: gate.products(into: g, rows: rows, model: model, reduced: saved.gateReduced)
        + up.products(into: u, rows: rows, model: model, reduced: saved.upReduced))
    gate.addAdapter(to: g, rows: rows, model: model, reduced: saved.gateReduced)
    up.addAdapter(to: u, rows: rows, model: model, reduced: saved.upReduced)
    let h = hidden.reserve(rows * width)
    compute.swiGLU(gate: g, up: u, count: rows * width, into: h)
    return h
  }

  /// Propagates the gradient of the stream after the part to the part's normed input.
  /// - Parameters:
  ///   - dResult: [R, C]; the residual path is the caller's.
  ///   - x: Normed input, [R, C].
  ///   - dx: Gradient of the normed input, [R, C]; overwritten.
  func backward(
    _ dResult: UnsafeMutablePointer<Float>, x: UnsafeMutablePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, rows: Int, model: LanguageModel,
    saved: FeedForwardActivations, gradients: Gradients, scratch: BackwardScratch
  ) {
    let compute = model.compute
    let count = rows * gate.outputs
    let g = saved.gate.pointer
    let u = saved.up.pointer
    let h = scratch.hidden.reserve(count)
    compute.swiGLU(gate: g, up: u, count: count, into: h)
    let dh = scratch.dHidden.reserve(count)
    down.backward(
      dResult, x: h, rows: rows, into: dh, accumulating: false, model: model,
      reduced: saved.downReduced, dReduced: scratch.dReduced, gradients: gradients)
    // The gradients of gate and up overwrite what is spent: h, and dh itself.
    compute.swiGLUBackward(dh, gate: g, up: u, count: count, dGate: h, dUp: dh)
    gate.backward(
      h, x: x, rows: rows, into: dx, accumulating: false, model: model,
      reduced: saved.gateReduced, dReduced: scratch.dReduced, gradients: gradients)
    up.backward(
      dh, x: x, rows: rows, into: dx, accumulating: true, model: model,
      reduced: saved.upReduced, dReduced: scratch.dReduced, gradients: gradients)
  }
}
