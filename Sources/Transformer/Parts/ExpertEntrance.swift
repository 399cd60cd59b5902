// g, u = x_i W_gate,eᵀ, x_i W_up,eᵀ for the expert e of row i, and h = φ(g) ∘ u: two maps of each expert, or one whose
// outputs are gates and linear parts in turn.

import Tensors

/// The maps of all experts from the stream to their hidden rows.
struct ExpertEntrance: Sendable {
  private enum Maps: Sendable {
    case separate(Activation, gate: ExpertLinear, up: ExpertLinear, gated: Slot, raised: Slot)
    case interleaved(ClampedUnit, ExpertLinear, both: Slot, dBoth: Slot)
  }

  private let maps: Maps

  /// Declares a gate and an up map of each expert.
  init(
    _ activation: Activation, gate: ExpertLinear, up: ExpertLinear, rowsPerToken: Int,
    _ declaration: inout Declaration
  ) {
    maps = .separate(
      activation, gate: gate, up: up,
      gated: declaration.saved(gate.outputs, rowsPerToken: rowsPerToken, areOperands: true),
      raised: declaration.saved(up.outputs, rowsPerToken: rowsPerToken, areOperands: true))
  }

  /// Declares a map of each expert to both in turn.
  init(
    _ unit: ClampedUnit, _ map: ExpertLinear, rowsPerToken: Int, _ declaration: inout Declaration
  ) {
    maps = .interleaved(
      unit, map,
      both: declaration.saved(map.outputs, rowsPerToken: rowsPerToken),
      dBoth: declaration.scratch(
        "gradient of experts' gates", map.outputs, rowsPerToken: rowsPerToken, isBackward: true))
  }

  /// Keeps g and u of sorted rows, [k·R, F].
  func forward(_ x: Tensor, _ rows: ExpertRows, _ run: LayerRun) {
    switch maps {
    case .separate(_, let gate, let up, let gated, let raised):
      let (g, u) = (run.reserve(gated), run.reserve(raised))
      run.compute.multiply(x, rows, by: gate.products(into: g, run) + up.products(into: u, run))
      gate.addAdapters(to: g, rows, run)
      up.addAdapters(to: u, rows, run)
    case .interleaved(_, let map, let both, _):
      run.compute.multiply(x, rows, by: map.products(into: run.reserve(both), run))
    }
  }

  /// h = φ(g) ∘ u of what is kept.
  func activate(into h: Tensor, _ run: LayerRun) {
    switch maps {
    case .separate(let activation, _, _, let gated, let raised):
      run.compute.gatedUnit(activation, gate: run[gated], up: run[raised], into: h)
    case .interleaved(let unit, _, let both, _):
      run.compute.clampedUnit(unit, run[both], into: h)
    }
  }

  /// Adds the maps' gradients, and writes that of x.
  /// - Parameters:
  ///   - dh: The gradient of h; overwritten, as h itself is, which is spent.
  func backward(
    _ dh: Tensor, _ h: Tensor, x: Tensor, into dx: Tensor, _ rows: ExpertRows, _ run: LayerRun,
    _ gradients: Gradients
  ) {
    switch maps {
    case .separate(let activation, let gate, let up, let gated, let raised):
      run.compute.gatedUnitBackward(
        activation, dh, gate: run[gated], up: run[raised], dGate: h, dUp: dh)
      gate.backpropagate(h, rows, into: dx, accumulating: false, run)
      gate.accumulateGradients(h, x: x, rows, run, gradients)
      up.backpropagate(dh, rows, into: dx, accumulating: true, run)
      up.accumulateGradients(dh, x: x, rows, run, gradients)
    case .interleaved(let unit, let map, let both, let dBoth):
      let d = run.reserve(dBoth)
      run.compute.clampedUnitBackward(unit, dh, run[both], into: d)
      map.backpropagate(d, rows, into: dx, accumulating: false, run)
      map.accumulateGradients(d, x: x, rows, run, gradients)
    }
  }

  /// Floating-point operations of a row's forward pass.
  var flops: Int {
    switch maps {
    case .separate(_, let gate, let up, _, _): gate.flops + up.flops
    case .interleaved(_, let map, _, _): map.flops
    }
  }
}
