// q = W_q x,  or  W_qb norm(W_qa x) where their map has a low rank.

import Tensors

/// The maps from the stream to the queries of latent attention.
struct LatentQueries: Sendable {
  /// What stands between the two maps of a low rank.
  private struct LowRank {
    let reduction: Linear
    let norm: Norm
    /// W_qa x, and what its norm keeps.
    let raw: Slot
    let statistics: Slot
    let normed: Slot
    let dNormed: Slot
    let dRaw: Slot
  }

  private let lowRank: LowRank?
  private let projection: Linear
  /// q, [R, H·(N + r)], and its gradient.
  let rows: Slot
  let gradient: Slot

  init(_ design: LatentAttention.Design, _ declaration: inout Declaration) {
    let width = design.headCount * design.querySize
    func linear(
      _ name: String, _ inputs: Int, _ outputs: Int, hasBias: Bool = false,
      _ declaration: inout Declaration
    ) -> Linear {
      declaration.linear(
        "self_attn.\(name)", inputs: inputs, outputs: outputs, hasBias: hasBias)
    }
    if let rank = design.queryRank {
      let reduction = linear(
        "q_a_proj", design.hiddenSize, rank, hasBias: design.hasBias, &declaration)
      let norm = declaration.norm(
        NormDesign(
          name: "self_attn.q_a_layernorm", columns: rank, epsilon: design.normEpsilon))
      projection = linear("q_b_proj", rank, width, &declaration)
      lowRank = LowRank(
        reduction: reduction, norm: norm, raw: declaration.saved(rank),
        statistics: declaration.saved(norm.statisticsCount),
        normed: declaration.scratch("normed query latents", rank),
        dNormed: declaration.scratch("gradient of normed query latents", rank, isBackward: true),
        dRaw: declaration.scratch("gradient of query latents", rank, isBackward: true))
    } else {
      projection = linear("q_proj", design.hiddenSize, width, &declaration)
      lowRank = nil
    }
    rows = declaration.saved(width, areOperands: true)
    gradient = declaration.scratch("gradient of queries", width, isBackward: true)
  }

  /// The map that takes the stream.
  var entrance: Linear { lowRank?.reduction ?? projection }

  /// Room for what it gives.
  func reserveEntered(_ run: LayerRun) -> Tensor { run.reserve(lowRank?.raw ?? rows) }

  /// q, once the entrance's result stands.
  func complete(_ run: LayerRun) -> Tensor {
    guard let lowRank else { return run[rows] }
    let q = run.reserve(rows)
    projection.forward(normed(lowRank, run), adding: nil, into: q, run)
    return q
  }

  private func normed(_ lowRank: LowRank, _ run: LayerRun) -> Tensor {
    let normed = run.reserve(lowRank.normed)
    lowRank.norm.forward(
      run[lowRank.raw], into: normed, statistics: run.reserve(lowRank.statistics), run.model)
    return normed
  }

  /// Adds the gradients of the maps, and writes that of the stream.
  func backward(_ dq: Tensor, x: Tensor, into dx: Tensor, _ run: LayerRun, _ all: Gradients) {
    guard let lowRank else {
      return projection.backward(dq, x: x, into: dx, accumulating: false, run, all)
    }
    let (dNormed, dRaw) = (run.reserve(lowRank.dNormed), run.reserve(lowRank.dRaw))
    projection.backward(
      dq, x: normed(lowRank, run), into: dNormed, accumulating: false, run, all)
    lowRank.norm.backward(
      dNormed, x: run[lowRank.raw], statistics: run[lowRank.statistics], into: dRaw,
      accumulating: false, run.model, all)
    lowRank.reduction.backward(dRaw, x: x, into: dx, accumulating: false, run, all)
  }

  var flops: Int { projection.flops + (lowRank?.reduction.flops ?? 0) }
}
