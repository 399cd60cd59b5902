import Tensors

/// Grouped-query attention with rotary positions: H query heads share K key and value heads.
///
///     q, k, v = x W_qᵀ + b_q, x W_kᵀ + b_k, x W_vᵀ + b_v      per head of size D
///     q, k    = norm(q), norm(k)                               Qwen3 only, per head
///     q, k    = rotate(q, position), rotate(k, position)
///     o       = softmax(q kᵀ / √D) v                           over positions ≤ the query's own
///     y       = x_residual + o W_oᵀ
///
/// Backward (derivation: docs/backward.md): with P the probabilities and Δ = Σ_d dO∘O,
/// dV = Pᵀ dO, dS = P ∘ (dO Vᵀ − Δ), dQ = dS K/√D, dK = dSᵀ Q/√D; then the inverse rotation, the norm's
/// backward, and the products' transposes.
///
/// Sources: Ainslie et al. 2023 (GQA, arXiv 2305.13245); Su et al. 2021 (RoPE, arXiv 2104.09864), in
/// Hugging Face's half-split layout of a head.
struct GroupedQueryAttention {
  let query: Linear
  let key: Linear
  let value: Linear
  let output: Linear
  let queryNorm: Vector?
  let keyNorm: Vector?

  init(prefix: String, _ lookup: TensorLookup) {
    query = Linear(prefix + "q_proj", lookup)
    key = Linear(prefix + "k_proj", lookup)
    value = Linear(prefix + "v_proj", lookup)
    output = Linear(prefix + "o_proj", lookup)
    queryNorm = Vector(optional: prefix + "q_norm.weight", lookup)
    keyNorm = Vector(optional: prefix + "k_norm.weight", lookup)
  }

  /// Adds attention's output to the residual stream.
  /// - Parameters:
  ///   - x: Normed input, [R, C].
  ///   - residual: The stream before the layer, [R, C].
  ///   - result: The stream after attention, [R, C].
  func forward(
    _ x: UnsafeMutablePointer<Float>, residual: UnsafeMutablePointer<Float>,
    into result: UnsafeMutablePointer<Float>, rows: Int, layer: Int, model: LanguageModel,
    plan: AttentionPlan, positions: UnsafePointer<Int32>, blocks: KeyValueBlocks,
    saving saved: AttentionActivations
  ) {
    let compute = model.compute
    let shape = model.configuration
    let queries = shape.headCount * shape.headSize
    let keys = shape.keyValueHeadCount * shape.headSize
    let q = saved.query.reserve(rows * queries)
    let k = saved.key.reserve(rows * keys)
    let v = saved.value.reserve(rows * keys)
    let isNormed = queryNorm != nil
    let rawQ = isNormed ? saved.rawQuery.reserve(rows * queries) : q
    let rawK = isNormed ? saved.rawKey.reserve(rows * keys) : k
    compute.multiplyMany(
      Rows(x, stride: shape.hiddenSize), rows: rows,
      by: query.products(into: rawQ, rows: rows, model: model, reduced: saved.queryReduced)
        + key.products(into: rawK, rows: rows, model: model, reduced: saved.keyReduced)
        + value.products(into: v, rows: rows, model: model, reduced: saved.valueReduced))
    query.addAdapter(to: rawQ, rows: rows, model: model, reduced: saved.queryReduced)
    key.addAdapter(to: rawK, rows: rows, model: model, reduced: saved.keyReduced)
    value.addAdapter(to: v, rows: rows, model: model, reduced: saved.valueReduced)
    if let queryNorm, let keyNorm {
      compute.rmsNorm(
        saved.rawQuery.rows(queries), rows: rows, segments: shape.headCount,
        columns: shape.headSize, weight: queryNorm.values.pointer, epsilon: shape.normEpsilon,
        into: Rows(q, stride: queries),
        inverseRMS: saved.queryInverseRMS.reserve(rows * shape.headCount))
      compute.rmsNorm(
        saved.rawKey.rows(keys), rows: rows, segments: shape.keyValueHeadCount,
        columns: shape.headSize, weight: keyNorm.values.pointer, epsilon: shape.normEpsilon,
        into: Rows(k, stride: keys),
        inverseRMS: saved.keyInverseRMS.reserve(rows * shape.keyValueHeadCount))
    }
    model.rotate(q, rows: rows, heads: shape.headCount, positions: positions)
    model.rotate(k, rows: rows, heads: shape.keyValueHeadCount, positions: positions)

    let keyRows = Rows(k, stride: keys)
    let valueRows = Rows(v, stride: keys)
    compute.store(
      keys: keyRows, values: valueRows, spans: plan.promptSpans, table: plan.table, into: blocks)
    for straddle in plan.straddles { blocks.copy(block: straddle.from, to: straddle.to) }
    compute.store(
      keys: keyRows, values: valueRows, spans: plan.completionSpans, table: plan.table,
      into: blocks)
    let attended = saved.attended.reserve(rows * queries)
    compute.attend(
      Rows(q, stride: queries), spans: plan.promptSpans + plan.completionSpans, table: plan.table,
      blocks: blocks, heads: shape.headCount, scale: model.attentionScale,
      window: shape.slidingWindow(layer: layer) ?? .max,
      into: Rows(attended, stride: queries),
      logSumExp: saved.logSumExp.reserve(rows * shape.headCount))
    output.forward(
      attended, residual: residual, into: result, rows: rows, model: model,
      reduced: saved.outputReduced)
  }

  /// Propagates the gradient of the stream after attention to attention's normed input.
  /// - Parameters:
  ///   - dResult: Gradient of the stream after attention, [R, C]; the residual path is the caller's.
  ///   - x: Normed input, [R, C].
  ///   - dx: Gradient of the normed input, [R, C]; overwritten.
  func backward(
    _ dResult: UnsafeMutablePointer<Float>, x: UnsafeMutablePointer<Float>,
    into dx: UnsafeMutablePointer<Float>, batch: PackedBatch, layer: Int, model: LanguageModel,
    positions: UnsafePointer<Int32>, saved: AttentionActivations, gradients: Gradients,
    scratch: BackwardScratch
  ) {
    let compute = model.compute
    let shape = model.configuration
    let rows = batch.rowCount
    let queries = shape.headCount * shape.headSize
    let keys = shape.keyValueHeadCount * shape.headSize
    let dAttended = scratch.dAttended.reserve(rows * queries)
    output.backward(
      dResult, x: saved.attended.pointer, rows: rows, into: dAttended, accumulating: false,
      model: model, reduced: saved.outputReduced, dReduced: scratch.dReduced, gradients: gradients)

    let dq = scratch.dQuery.reserve(rows * queries)
    let dk = scratch.dKey.reserve(rows * keys)
    let dv = scratch.dValue.reserve(rows * keys)
    compute.attendBackward(
      q: saved.query.rows(queries), k: saved.key.rows(keys), v: saved.value.rows(keys),
      out: saved.attended.rows(queries), dOut: Rows(dAttended, stride: queries),
      logSumExp: saved.logSumExp.pointer, groups: batch.groups, heads: shape.headCount,
      kvHeads: shape.keyValueHeadCount, headSize: shape.headSize, scale: model.attentionScale,
      window: shape.slidingWindow(layer: layer) ?? .max, dq: Rows(dq, stride: queries),
      dk: Rows(dk, stride: keys), dv: Rows(dv, stride: keys))
    model.rotate(dq, rows: rows, heads: shape.headCount, positions: positions, inverse: true)
    model.rotate(
      dk, rows: rows, heads: shape.keyValueHeadCount, positions: positions, inverse: true)
    var dRawQuery = dq
    var dRawKey = dk
    if let queryNorm, let keyNorm {
      // dAttended is spent, and as wide as the queries.
      dRawQuery = dAttended
      compute.rmsNormBackward(
        Rows(dq, stride: queries), x: saved.rawQuery.rows(queries), rows: rows,
        segments: shape.headCount, columns: shape.headSize, weight: queryNorm.values.pointer,
        inverseRMS: saved.queryInverseRMS.pointer, into: Rows(dRawQuery, stride: queries),
        accumulating: false, dWeight: gradients.pointer(queryNorm.place))
      dRawKey = scratch.dRawKey.reserve(rows * keys)
      compute.rmsNormBackward(
        Rows(dk, stride: keys), x: saved.rawKey.rows(keys), rows: rows,
        segments: shape.keyValueHeadCount, columns: shape.headSize,
        weight: keyNorm.values.pointer, inverseRMS: saved.keyInverseRMS.pointer,
        into: Rows(dRawKey, stride: keys), accumulating: false,
        dWeight: gradients.pointer(keyNorm.place))
    }
    query.backward(
      dRawQuery, x: x, rows: rows, into: dx, accumulating: false, model: model,
      reduced: saved.queryReduced, dReduced: scratch.dReduced, gradients: gradients)
    key.backward(
      dRawKey, x: x, rows: rows, into: dx, accumulating: true, model: model,
      reduced: saved.keyReduced, dReduced: scratch.dReduced, gradients: gradients)
    value.backward(
      dv, x: x, rows: rows, into: dx, accumulating: true, model: model,
      reduced: saved.valueReduced, dReduced: scratch.dReduced, gradients: gradients)
  }
}
