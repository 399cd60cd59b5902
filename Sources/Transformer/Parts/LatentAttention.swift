// Multi-head latent attention: keys and values of all H heads are maps of one latent c of size L, and one key of size r
// that all heads share carries the position. A head's query has N plain numbers and r rotated ones, its value V:
//
//     q           = W_q x,  or  W_qb norm(W_qa x)                per head [q_plain, rotate(q_pos)]
//     [a, k_pos]  = W_kva x,   c = norm(a),   k_pos = rotate(k_pos)
//     q̃           = q_plain W_UK                                 per head; W_kvb = [W_UK, W_UV]: [N, L] and [V, L]
//     u           = softmax(scale · (q̃ cᵀ + q_pos k_posᵀ)) c     over positions ≤ the query's own
//     o           = u W_UVᵀ                                      per head
//     y           = x_residual + o W_oᵀ
//
// q_plain · (W_UK c) = (q_plain W_UK) · c: the maps of keys and values are absorbed into queries and outputs, so that what
// is cached of a token is (c, k_pos), L + r numbers for all heads, and attention has one key head whose first L numbers are
// its value. Sampling and training both compute this form, hence the same bits; docs/models.md says what it costs.
//
// Backward (derivation: docs/backward.md), with attention's own gradients of q̃, of keys and of values:
//
//     dW_UV += doᵀ u,   du = do W_UV,   dc = dK[..L] + dV
//     dW_UK += q_plainᵀ dq̃,   dq_plain = dq̃ W_UKᵀ
//
// then the inverse rotations, the norms' backward and the products' transposes.
//
// Source: DeepSeek-AI 2024 (DeepSeek-V2, arXiv 2405.04434), section 2.1 and appendix C.

import Tensors

/// Multi-head latent attention.
struct LatentAttention: AttentionPart {
  /// What a family chooses of it.
  struct Design: AttentionDesign, Hashable {
    var hiddenSize: Int
    /// H.
    var headCount: Int
    /// The rank of the queries' map; nil for a full one.
    var queryRank: Int?
    /// L.
    var latentSize: Int
    /// N, the numbers of a head's query that no position changes.
    var plainSize: Int
    /// r, those that are rotated; even.
    var rotatedSize: Int
    /// V.
    var valueSize: Int
    /// Whether the maps from the stream to low ranks, and the one back to it, have biases.
    var hasBias = false
    /// Of the norms of latents.
    var normEpsilon: Float = 1e-6
    /// How r numbers are rotated by their position.
    var rotation: Rotation
    /// What scores are multiplied by.
    var scale: Float

    /// N + r, the numbers of a head's query.
    var querySize: Int { plainSize + rotatedSize }
    /// L + r, the numbers of a key.
    var keySize: Int { latentSize + rotatedSize }

    func part(_ declaration: inout Declaration) -> any AttentionPart {
      LatentAttention(self, &declaration)
    }
  }

  private let design: Design
  private let queries: LatentQueries
  private let compression: Linear
  private let latentNorm: Norm
  private let heads: AbsorbedProjection
  private let output: Linear
  private let rotation: Int
  /// [a, k_pos before its rotation], [R, L + r], and r of a's norm, [R, 1].
  private let compressed: Slot
  private let statistics: Slot
  /// u, [R, H·L], and log Σ exp of the scores, [R, H].
  private let attended: Slot
  private let logSumExp: Slot
  /// [c, k_pos], [R, L + r]; [q̃, q_pos] of each head, [R, H·(L + r)]; o, [R, H·V]: made again from what is saved.
  private let keys: Slot
  private let absorbed: Slot
  private let expanded: Slot
  private let dKeys: Slot
  private let dValues: Slot
  private let dAbsorbed: Slot
  private let dExpanded: Slot
  private let dAttended: Slot
  private let dCompressed: Slot

  init(_ design: Design, _ declaration: inout Declaration) {
    self.design = design
    let (heads, latent, width) = (design.headCount, design.latentSize, design.keySize)
    queries = LatentQueries(design, &declaration)
    compression = declaration.linear(
      "self_attn.kv_a_proj_with_mqa", inputs: design.hiddenSize, outputs: width,
      hasBias: design.hasBias)
    latentNorm = declaration.norm(
      NormDesign(
        name: "self_attn.kv_a_layernorm", columns: latent, epsilon: design.normEpsilon))
    self.heads = AbsorbedProjection(design, &declaration)
    output = declaration.linear(
      "self_attn.o_proj", inputs: heads * design.valueSize, outputs: design.hiddenSize,
      hasBias: design.hasBias, role: .residualProduct)
    rotation = declaration.rotation(design.rotation)
    compressed = declaration.saved(width)
    statistics = declaration.saved(latentNorm.statisticsCount)
    attended = declaration.saved(heads * latent, areOperands: true)
    logSumExp = declaration.saved(heads)
    keys = declaration.scratch("latent keys", width)
    absorbed = declaration.scratch("absorbed queries", heads * width)
    expanded = declaration.scratch("expanded values", heads * design.valueSize)
    func gradient(_ name: String, _ columns: Int, _ declaration: inout Declaration) -> Slot {
      declaration.scratch("gradient of \(name)", columns, isBackward: true)
    }
    dKeys = gradient("keys", width, &declaration)
    dValues = gradient("values", latent, &declaration)
    dAbsorbed = gradient("absorbed queries", heads * width, &declaration)
    dExpanded = gradient("expanded values", heads * design.valueSize, &declaration)
    dAttended = gradient("attended", heads * latent, &declaration)
    dCompressed = gradient("compressed", width, &declaration)
  }

  var cache: KeyValueShape {
    KeyValueShape(heads: 1, keySize: design.keySize, sharingValuesOf: design.latentSize)
  }

  func forward(_ x: Tensor, adding residual: Tensor?, into y: Tensor, _ run: LayerRun) {
    output.forward(attend(x, run), adding: residual, into: y, run)
  }

  func recompute(_ x: Tensor, _ run: LayerRun) { output.recompute(attend(x, run), run) }

  /// o, [R, H·V].
  private func attend(_ x: Tensor, _ run: LayerRun) -> Tensor {
    let (entrance, entered) = (queries.entrance, queries.reserveEntered(run))
    let a = run.reserve(compressed)
    run.compute.multiplyMany(
      x, by: entrance.products(into: entered, run) + compression.products(into: a, run))
    entrance.addAdapter(to: entered, run)
    compression.addAdapter(to: a, run)
    let q = queries.complete(run)
    run.rotate(q, heads: design.headCount, by: rotation, first: design.plainSize)
    let (k, attending) = (makeKeys(run), absorb(q, run))
    run.tokens.attention.store(keys: k, values: nil, into: run.cache, run.compute)
    let out = run.reserve(attended)
    run.compute.attend(
      attending, spans: run.tokens.attention.spans, table: run.tokens.attention.table,
      blocks: run.cache, heads: design.headCount, scale: design.scale, into: out,
      logSumExp: run.reserve(logSumExp))
    return expand(run)
  }

  /// [c, rotated k_pos], [R, L + r], from what was compressed.
  private func makeKeys(_ run: LayerRun) -> Tensor {
    let (a, k) = (run[compressed], run.reserve(keys))
    latentNorm.forward(
      latent(a), into: latent(k), statistics: run.reserve(statistics), run.model)
    let position = positionColumns(heads: 1, before: design.latentSize)
    run.compute.copyHeads(HeadColumns(a, position), into: HeadColumns(k, position))
    run.rotate(k, heads: 1, by: rotation, first: design.latentSize)
    return k
  }

  /// [q̃, q_pos] of each head, [R, H·(L + r)], from rotated queries.
  private func absorb(_ q: Tensor, _ run: LayerRun) -> Tensor {
    let result = run.reserve(absorbed)
    heads.absorb(q, into: result, run)
    run.compute.copyHeads(
      HeadColumns(q, positionColumns(heads: design.headCount, before: design.plainSize)),
      into: HeadColumns(
        result, positionColumns(heads: design.headCount, before: design.latentSize)))
    return result
  }

  /// o, [R, H·V], from u.
  private func expand(_ run: LayerRun) -> Tensor {
    let o = run.reserve(expanded)
    heads.expand(run[attended], into: o, run)
    return o
  }

  func backward(
    _ dy: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let (u, q) = (run[attended], run[queries.rows])
    let dOut = run.reserve(dExpanded)
    output.backward(dy, x: expand(run), into: dOut, accumulating: false, run, gradients)
    let du = run.reserve(dAttended)
    heads.expandBackward(dOut, u: u, into: du, run, gradients)

    let (k, attending) = (makeKeys(run), absorb(q, run))
    let (dk, dv) = (run.reserve(dKeys), run.reserve(dValues))
    let dAttending = run.reserve(dAbsorbed)
    run.compute.attendBackward(
      q: attending, k: k, v: latent(k), out: u, dOut: du, logSumExp: run[logSumExp],
      groups: run.tokens.groups, heads: design.headCount, kvHeads: 1, scale: design.scale,
      dq: dAttending, dk: dk, dv: dv)
    run.compute.add(dv, to: latent(dk))

    let dq = run.reserve(queries.gradient)
    heads.absorbBackward(dAttending, q: q, into: dq, run, gradients)
    run.compute.copyHeads(
      HeadColumns(
        dAttending, positionColumns(heads: design.headCount, before: design.latentSize)),
      into: HeadColumns(dq, positionColumns(heads: design.headCount, before: design.plainSize)))
    run.rotate(dq, heads: design.headCount, by: rotation, first: design.plainSize, inverse: true)
    queries.backward(dq, x: x, into: dx, run, gradients)
    compression.backward(
      beforeCompression(dk, run, gradients), x: x, into: dx, accumulating: true, run, gradients)
  }

  /// The gradient of [a, k_pos], from that of keys.
  private func beforeCompression(
    _ dk: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) -> Tensor {
    run.rotate(dk, heads: 1, by: rotation, first: design.latentSize, inverse: true)
    let da = run.reserve(dCompressed)
    let position = positionColumns(heads: 1, before: design.latentSize)
    run.compute.copyHeads(HeadColumns(dk, position), into: HeadColumns(da, position))
    latentNorm.backward(
      latent(dk), x: latent(run[compressed]), statistics: run[statistics], into: latent(da),
      accumulating: false, run.model, gradients)
    return da
  }

  /// The latent's columns of keys.
  private func latent(_ keys: Tensor) -> Tensor { keys.columns(0..<design.latentSize) }

  /// The rotated numbers of heads that have so many before them.
  private func positionColumns(heads: Int, before count: Int) -> HeadRange {
    HeadRange(
      heads: heads, first: count, step: count + design.rotatedSize, count: design.rotatedSize)
  }

  func flops(context: Int) -> Int {
    queries.flops + compression.flops + heads.flops + output.flops
      + 2 * context * design.headCount * (design.keySize + design.latentSize)
  }
}
