// Grouped-query attention: H query heads share K key and value heads.
//
//     q, k, v = x W_qᵀ + b_q, x W_kᵀ + b_k, x W_vᵀ + b_v      per head of size D
//     q, k    = norm(q), norm(k)                               where the family norms them
//     q, k    = rotate(q, position), rotate(k, position)       where the layer rotates
//     o       = softmax(scale · q kᵀ) v                        over positions ≤ the query's own, within the window
//               scores s become c · tanh(s / c) before the softmax where the family caps them
//     o       = σ(log Σ exp scores − z) o                      where each head has a sink z
//     y       = x_residual + o W_oᵀ
//
// Backward (derivation: docs/backward.md): with P the probabilities and Δ = Σ_d dO∘O,
//
//     dV = Pᵀ dO,   dS = P ∘ (dO Vᵀ − Δ),   dQ = scale · dS K,   dK = scale · dSᵀ Q
//
// with capped scores dS ∘ (1 − (s / c)²) in the place of dS, then the inverse rotation, the norm's backward, and the products' transposes.
//
// Sources: Ainslie et al. 2023 (GQA, arXiv 2305.13245); Su et al. 2021 (RoPE, arXiv 2104.09864).

import Tensors

/// Grouped-query attention; with K = H it is multi-head attention, with K = 1 multi-query attention.
struct GroupedQueryAttention: AttentionPart {
  /// What a family chooses of it.
  struct Design: AttentionDesign, Hashable {
    var hiddenSize: Int
    /// H, a multiple of `keyValueHeadCount`.
    var headCount: Int
    /// K.
    var keyValueHeadCount: Int
    /// D; H · D need not be C.
    var headSize: Int
    /// Their tensors' names after the layer's prefix.
    var names = HeadProjections.Names()
    /// How the matrices of queries, keys and values lie in the file.
    var storage = HeadProjections.Storage.separate
    /// Whether files keep the matrices as [inputs, outputs].
    var isTransposed = false
    /// Whether queries, keys and values have biases.
    var hasBias = false
    /// Whether the output has a bias.
    var hasOutputBias = false
    /// How queries and keys are normed before they are rotated.
    var queryKeyNorm: QueryKeyNorm?
    /// How they are rotated by their position; nil for not at all.
    var rotation: Rotation?
    /// What scores are multiplied by.
    var scale: Float
    /// c, where scores s are softly capped: c · tanh(s / c).
    var scoreCap: Float?
    /// How many positions a token sees, itself included; nil for all.
    var window: Int?
    /// Whether each head has a sink, which takes a share of its attention and gives nothing.
    var hasSinks = false

    func part(_ declaration: inout Declaration) -> any AttentionPart {
      GroupedQueryAttention(self, &declaration)
    }
  }

  /// A norm of queries and one of keys.
  struct QueryKeyNorm: Hashable {
    var epsilon: Float
    var kind = Norm.Kind.rms
    /// Whether each head is normed by itself, or all heads of a token together.
    var isPerHead = true
  }

  private let design: Design
  /// Rotated queries, [R, H·D]; rotated keys and values, [R, K·D].
  private let projections: HeadProjections
  private let output: Linear
  private let queryNorm: NormedRows?
  private let keyNorm: NormedRows?
  private let rotation: Int?
  /// [H].
  private let sinks: ParameterID?
  /// Weighted values before the output product, [R, H·D], and log Σ exp of the scores, [R, H].
  private let attended: Slot
  private let logSumExp: Slot
  private let dAttended: Slot

  /// Queries or keys before their norm, what the norm keeps of them, and their gradient.
  private struct NormedRows {
    let norm: Norm
    let raw: Slot
    let statistics: Slot
    let dRaw: Slot
  }

  init(_ design: Design, _ declaration: inout Declaration) {
    self.design = design
    let width = design.hiddenSize
    let queries = design.headCount * design.headSize
    let keys = design.keyValueHeadCount * design.headSize
    precondition(
      design.storage == .separate || design.queryKeyNorm == nil,
      "norms of queries and keys are of matrices of their own")
    projections = HeadProjections(
      design.storage, design.names, inputs: width, queryWidth: queries, keyWidth: keys,
      hasBias: design.hasBias, isTransposed: design.isTransposed, &declaration)
    output = declaration.linear(
      design.names.output, inputs: queries, outputs: width, hasBias: design.hasOutputBias,
      isTransposed: design.isTransposed, role: .residualProduct)
    func normed(
      _ name: String, heads: Int, gradient: String, _ declaration: inout Declaration
    ) -> NormedRows? {
      guard let kind = design.queryKeyNorm else { return nil }
      let segments = kind.isPerHead ? heads : 1
      let columns = heads * design.headSize
      let norm = declaration.norm(
        NormDesign(
          name: name, columns: columns / segments, epsilon: kind.epsilon, kind: kind.kind),
        segments: segments)
      return NormedRows(
        norm: norm, raw: declaration.saved(columns),
        statistics: declaration.saved(norm.statisticsCount),
        dRaw: declaration.scratch(gradient, columns, isBackward: true))
    }
    // That of attended values is spent by then, and as wide as the queries.
    queryNorm = normed(
      "self_attn.q_norm", heads: design.headCount, gradient: "gradient of attended", &declaration)
    keyNorm = normed(
      "self_attn.k_norm", heads: design.keyValueHeadCount, gradient: "gradient of raw keys",
      &declaration)
    rotation = design.rotation.map { declaration.rotation($0) }
    sinks =
      design.hasSinks
      ? declaration.tensor("self_attn.sinks", [design.headCount], .sink) : nil
    // What sinks take is found from it as it is.
    attended = declaration.saved(queries, areOperands: !design.hasSinks)
    logSumExp = declaration.saved(design.headCount)
    dAttended = declaration.scratch("gradient of attended", queries, isBackward: true)
  }

  var cache: KeyValueShape {
    KeyValueShape(heads: design.keyValueHeadCount, headSize: design.headSize)
  }

  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun) {
    output.forward(attend(x, run), adding: residual, into: y, run)
  }

  func recompute(_ x: Tensor, _ run: LayerRun) { output.recompute(attend(x, run), run) }

  /// o, [R, H·D].
  private func attend(_ x: Tensor, _ run: LayerRun) -> Tensor {
    let rows = projections.reserveRows(run)
    let (q, k, v) = (rows.queries, rows.keys, rows.values)
    let raw = HeadProjections.Rows(
      queries: queryNorm.map { run.reserve($0.raw) } ?? q,
      keys: keyNorm.map { run.reserve($0.raw) } ?? k, values: v)
    projections.forward(x, into: raw, run)
    for (normed, result) in [(queryNorm, q), (keyNorm, k)] {
      guard let normed else { continue }
      normed.norm.forward(
        run[normed.raw], into: result, statistics: run.reserve(normed.statistics), run.model)
    }
    run.rotate(q, heads: design.headCount, by: rotation)
    run.rotate(k, heads: design.keyValueHeadCount, by: rotation)

    run.tokens.attention.store(keys: k, values: v, into: run.cache, run.compute)
    let (out, sums) = (run.reserve(attended), run.reserve(logSumExp))
    run.compute.attend(
      q, spans: run.tokens.attention.spans, table: run.tokens.attention.table, blocks: run.cache,
      heads: design.headCount, scale: design.scale, cap: design.scoreCap,
      window: design.window ?? .max, into: out, logSumExp: sums)
    if let sinks { run.compute.applySinks(run.parameters.vector(sinks), logSumExp: sums, to: out) }
    return out
  }

  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let out = run[attended]
    let dOut = run.reserve(dAttended)
    output.backward(dy, x: out, into: dOut, accumulating: false, run, gradients)
    if let sinks {
      run.compute.applySinksBackward(
        run.parameters.vector(sinks), logSumExp: run[logSumExp], out: out, dOut: dOut,
        dSinks: gradients.tensor(sinks))
    }
    let rows = projections.savedRows(run)
    let d = projections.reserveGradients(run)
    let (dq, dk, dv) = (d.queries, d.keys, d.values)
    run.compute.attendBackward(
      q: rows.queries, k: rows.keys, v: rows.values, out: out, dOut: dOut,
      logSumExp: run[logSumExp],
      groups: run.tokens.groups, heads: design.headCount, kvHeads: design.keyValueHeadCount,
      scale: design.scale, cap: design.scoreCap, window: design.window ?? .max, dq: dq, dk: dk,
      dv: dv)
    run.rotate(dq, heads: design.headCount, by: rotation, inverse: true)
    run.rotate(dk, heads: design.keyValueHeadCount, by: rotation, inverse: true)
    let dRaw = HeadProjections.Rows(
      queries: beforeNorm(queryNorm, dq, run, gradients),
      keys: beforeNorm(keyNorm, dk, run, gradients), values: dv)
    projections.backward(dRaw, x: x, into: dx, run, gradients)
  }

  /// The gradient of queries or keys before their norm.
  private func beforeNorm(
    _ normed: NormedRows?, _ gradient: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) -> Tensor {
    guard let normed else { return gradient }
    let dRaw = run.reserve(normed.dRaw)
    normed.norm.backward(
      gradient, x: run[normed.raw], statistics: run[normed.statistics], into: dRaw,
      accumulating: false, run.model, gradients)
    return dRaw
  }

  func flops(context: Int) -> Int {
    let seen = min(context, design.window ?? .max)
    return projections.flops + output.flops
      + 4 * seen * design.headCount * design.headSize
  }
}
