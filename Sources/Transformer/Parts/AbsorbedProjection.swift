// W_kvb, absorbed: of each head W_UK [N, L] and W_UV [V, L], rows of one tensor, are used from the side of the queries and
// of the outputs:
//
//     q̃ = q W_UK,   o = u W_UVᵀ
//
// With an adapter W + s B A, of whose B each head has rows B_K [N, ρ] and B_V [V, ρ]:
//
//     t = s q B_K,    q̃ += t A;      dA += tᵀ dq̃,   dt = s dq̃ Aᵀ,   dq += dt B_Kᵀ,   dB_K += qᵀ dt
//     w = s u Aᵀ,     o += w B_Vᵀ;   dB_V += doᵀ w,   dw = s do B_V,   dA += dwᵀ u,   du += dw A
//
// A is every head's: its products take heads as rows, [R·H, L].

import Tensors

/// The map from latents to keys and values of all heads, which neither keys nor values ever pass through.
struct AbsorbedProjection: Sendable {
  private struct Adapter {
    let a: ParameterID
    let b: ParameterID
    let rank: Int
    let scale: Float
    /// t and w, [R, H·ρ], and their gradients; made again in the backward pass.
    let queries: Slot
    let values: Slot
    let dQueries: Slot
    let dValues: Slot
  }

  private let design: LatentAttention.Design
  private let weight: ParameterID
  private let keyRows: HeadRange
  private let valueRows: HeadRange
  private let adapter: Adapter?

  init(_ design: LatentAttention.Design, _ declaration: inout Declaration) {
    self.design = design
    let (heads, rows) = (design.headCount, design.plainSize + design.valueSize)
    let name = "self_attn.kv_b_proj"
    weight = declaration.tensor(name + ".weight", [heads * rows, design.latentSize], .product)
    keyRows = HeadRange(heads: heads, step: rows, count: design.plainSize)
    valueRows = HeadRange(
      heads: heads, first: design.plainSize, step: rows, count: design.valueSize)
    guard let chosen = declaration.adapter,
      let (a, b) = declaration.adapterTensors(
        of: declaration.prefix + name, inputs: design.latentSize, outputs: heads * rows)
    else {
      adapter = nil
      return
    }
    func scratch(
      _ name: String, isBackward: Bool = false, _ declaration: inout Declaration
    ) -> Slot {
      declaration.scratch(name, heads * chosen.rank, isBackward: isBackward)
    }
    adapter = Adapter(
      a: a, b: b, rank: chosen.rank, scale: chosen.scale,
      queries: scratch("an adapter's queries", &declaration),
      values: scratch("an adapter's values", &declaration),
      dQueries: scratch("gradient of an adapter's queries", isBackward: true, &declaration),
      dValues: scratch("gradient of an adapter's values", isBackward: true, &declaration))
  }

  /// q̃, written before each head's position.
  /// - Parameters:
  ///   - q: [R, H·(N + r)].
  ///   - result: [R, H·(L + r)].
  func absorb(_ q: Tensor, into result: Tensor, _ run: LayerRun) {
    let compute = run.compute
    compute.backpropagateHeads(
      plain(q), through: run.parameters.matrix(weight), rows: keyRows, into: latents(result))
    guard let adapter, run.model.appliesAdapter else { return }
    let t = run.reserve(adapter.queries)
    compute.backpropagateHeads(
      plain(q), through: run.parameters.matrix(adapter.b), rows: keyRows,
      into: reduced(t, adapter))
    compute.scale(t, by: adapter.scale)
    compute.backpropagateInput(
      t.reshaped(columns: adapter.rank), through: run.parameters.matrix(adapter.a),
      into: latentRows(result), accumulating: true)
  }

  /// The gradient of q's plain numbers, and those of W_UK and the adapter, after `absorb` of the same q.
  func absorbBackward(
    _ d: Tensor, q: Tensor, into dq: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let compute = run.compute
    let matrix = run.parameters.matrix(weight)
    if let dWeight = gradients.tensor(weight) {
      compute.accumulateHeadsGradient(
        plain(q), latents(d), layout: matrix.layout, rows: keyRows,
        segments: run.tokens.segments, into: dWeight)
    }
    compute.multiplyHeads(latents(d), by: matrix, rows: keyRows, into: plain(dq))
    guard let adapter, run.model.appliesAdapter else { return }
    let (a, b) = (run.parameters.matrix(adapter.a), run.parameters.matrix(adapter.b))
    let dt = run.reserve(adapter.dQueries)
    if let dA = gradients.tensor(adapter.a) {
      compute.accumulateWeightGradient(
        run[adapter.queries].reshaped(columns: adapter.rank), latentRows(d), layout: a.layout,
        segments: headSegments(run), into: dA)
    }
    compute.multiply(latentRows(d), by: a, into: dt.reshaped(columns: adapter.rank))
    compute.scale(dt, by: adapter.scale)
    compute.multiplyHeads(
      reduced(dt, adapter), by: b, rows: keyRows, into: plain(dq), accumulating: true)
    if let dB = gradients.tensor(adapter.b) {
      compute.accumulateHeadsGradient(
        plain(q), reduced(dt, adapter), layout: b.layout, rows: keyRows,
        segments: run.tokens.segments, into: dB)
    }
  }

  /// o, [R, H·V], of u, [R, H·L].
  func expand(_ u: Tensor, into o: Tensor, _ run: LayerRun) {
    let compute = run.compute
    compute.multiplyHeads(
      latents(u), by: run.parameters.matrix(weight), rows: valueRows, into: values(o))
    guard let adapter, run.model.appliesAdapter else { return }
    let w = run.reserve(adapter.values)
    compute.multiply(
      latentRows(u), by: run.parameters.matrix(adapter.a),
      into: w.reshaped(columns: adapter.rank))
    compute.scale(w, by: adapter.scale)
    compute.multiplyHeads(
      reduced(w, adapter), by: run.parameters.matrix(adapter.b), rows: valueRows, into: values(o),
      accumulating: true)
  }

  /// The gradient of u, and those of W_UV and the adapter, after `expand` of the same u.
  func expandBackward(
    _ d: Tensor, u: Tensor, into du: Tensor, _ run: LayerRun, _ gradients: Gradients
  ) {
    let compute = run.compute
    let matrix = run.parameters.matrix(weight)
    if let dWeight = gradients.tensor(weight) {
      compute.accumulateHeadsGradient(
        values(d), latents(u), layout: matrix.layout, rows: valueRows,
        segments: run.tokens.segments, into: dWeight)
    }
    compute.backpropagateHeads(values(d), through: matrix, rows: valueRows, into: latents(du))
    guard let adapter, run.model.appliesAdapter else { return }
    let (a, b) = (run.parameters.matrix(adapter.a), run.parameters.matrix(adapter.b))
    let dw = run.reserve(adapter.dValues)
    compute.backpropagateHeads(
      values(d), through: b, rows: valueRows, into: reduced(dw, adapter))
    if let dB = gradients.tensor(adapter.b) {
      compute.accumulateHeadsGradient(
        values(d), reduced(run[adapter.values], adapter), layout: b.layout, rows: valueRows,
        segments: run.tokens.segments, into: dB)
    }
    compute.scale(dw, by: adapter.scale)
    let rows = dw.reshaped(columns: adapter.rank)
    if let dA = gradients.tensor(adapter.a) {
      compute.accumulateWeightGradient(
        rows, latentRows(u), layout: a.layout, segments: headSegments(run), into: dA)
    }
    compute.backpropagateInput(rows, through: a, into: latentRows(du), accumulating: true)
  }

  /// Floating-point operations of a token's forward pass.
  var flops: Int {
    let (inputs, outputs) = (design.latentSize, design.plainSize + design.valueSize)
    let adapted = adapter.map { $0.rank * (2 * inputs + outputs) } ?? 0
    return 2 * design.headCount * (inputs * outputs + adapted)
  }

  // MARK: Columns

  /// Each head's plain numbers of queries.
  private func plain(_ q: Tensor) -> HeadColumns { columns(q, design.plainSize) }

  /// Each head's latent of queries that absorbed their map, or of what was attended.
  private func latents(_ x: Tensor) -> HeadColumns { columns(x, design.latentSize) }

  private func values(_ o: Tensor) -> HeadColumns { columns(o, design.valueSize) }

  private func reduced(_ t: Tensor, _ adapter: Adapter) -> HeadColumns {
    columns(t, adapter.rank)
  }

  /// Where each group's rows begin where heads are rows.
  private func headSegments(_ run: LayerRun) -> [Int] {
    run.tokens.segments.map { $0 * design.headCount }
  }

  /// The same latents as rows, [R·H, L].
  private func latentRows(_ x: Tensor) -> Tensor {
    x.reshaped(columns: x.columns / design.headCount).columns(0..<design.latentSize)
  }

  /// The first numbers of each head.
  private func columns(_ x: Tensor, _ count: Int) -> HeadColumns {
    HeadColumns(
      x,
      HeadRange(heads: design.headCount, step: x.columns / design.headCount, count: count))
  }
}
