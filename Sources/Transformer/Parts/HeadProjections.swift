// q, k, v = x W_qᵀ + b_q, x W_kᵀ + b_k, x W_vᵀ + b_v
//
// The three matrices are tensors of their own, or one whose outputs lie behind one another: queries, keys, values. Then
// the three are columns of one product, and their gradients columns of one gradient.

import Tensors

/// The maps from the stream to queries, keys and values.
struct HeadProjections: Sendable {
  /// The three, as rows of a layer's run: [R, H·D], [R, K·D], [R, K·D].
  struct Rows {
    var queries: Tensor
    var keys: Tensor
    var values: Tensor
  }

  /// How the matrices lie in the file.
  enum Storage: Sendable, Hashable {
    /// Three tensors.
    case separate
    /// One.
    case fused
  }

  /// What the tensors are called, without `.weight`.
  struct Names: Sendable, Hashable {
    var queries = "self_attn.q_proj"
    var keys = "self_attn.k_proj"
    var values = "self_attn.v_proj"
    /// All three in one.
    var fused = "self_attn.qkv_proj"
    /// The map back to the stream.
    var output = "self_attn.o_proj"
  }

  private enum Maps: Sendable {
    case separate(queries: Linear, keys: Linear, values: Linear)
    case fused(Linear)
  }

  private let maps: Maps
  /// The rows and their gradients: three slots each, or one.
  private let rows: [Slot]
  private let gradients: [Slot]
  private let queryWidth: Int
  private let keyWidth: Int

  init(
    _ storage: Storage, _ names: Names, inputs: Int, queryWidth: Int, keyWidth: Int,
    hasBias: Bool, isTransposed: Bool, _ declaration: inout Declaration
  ) {
    (self.queryWidth, self.keyWidth) = (queryWidth, keyWidth)
    func linear(_ name: String, _ outputs: Int, _ declaration: inout Declaration) -> Linear {
      declaration.linear(
        name, inputs: inputs, outputs: outputs, hasBias: hasBias, isTransposed: isTransposed)
    }
    switch storage {
    case .separate:
      let queries = linear(names.queries, queryWidth, &declaration)
      let keys = linear(names.keys, keyWidth, &declaration)
      let values = linear(names.values, keyWidth, &declaration)
      maps = .separate(queries: queries, keys: keys, values: values)
      rows = [queryWidth, keyWidth, keyWidth].map { declaration.saved($0, areOperands: true) }
      gradients = [
        declaration.scratch("gradient of queries", queryWidth, isBackward: true),
        declaration.scratch("gradient of keys", keyWidth, isBackward: true),
        declaration.scratch("gradient of values", keyWidth, isBackward: true),
      ]
    case .fused:
      let width = queryWidth + 2 * keyWidth
      maps = .fused(linear(names.fused, width, &declaration))
      rows = [declaration.saved(width, areOperands: true)]
      gradients = [
        declaration.scratch("gradient of queries, keys and values", width, isBackward: true)
      ]
    }
  }

  /// Room for the rows.
  func reserveRows(_ run: LayerRun) -> Rows { views(rows.map { run.reserve($0) }) }
  /// The rows that were filled last.
  func savedRows(_ run: LayerRun) -> Rows { views(rows.map { run[$0] }) }
  /// Room for their gradients.
  func reserveGradients(_ run: LayerRun) -> Rows { views(gradients.map { run.reserve($0) }) }

  private func views(_ tensors: [Tensor]) -> Rows {
    guard tensors.count == 1 else {
      return Rows(queries: tensors[0], keys: tensors[1], values: tensors[2])
    }
    let first = queryWidth + keyWidth
    return Rows(
      queries: tensors[0].columns(0..<queryWidth), keys: tensors[0].columns(queryWidth..<first),
      values: tensors[0].columns(first..<first + keyWidth))
  }

  /// Projects x.
  /// - Parameter result: Where the separate maps' rows go; a fused map fills its own, of which `result` are the columns.
  func forward(_ x: Tensor, into result: Rows, _ run: LayerRun) {
    switch maps {
    case .separate(let queries, let keys, let values):
      run.compute.multiplyMany(
        x,
        by: queries.products(into: result.queries, run) + keys.products(into: result.keys, run)
          + values.products(into: result.values, run))
      queries.addAdapter(to: result.queries, run)
      keys.addAdapter(to: result.keys, run)
      values.addAdapter(to: result.values, run)
    case .fused(let map): map.forward(x, adding: nil, into: run[rows[0]], run)
    }
  }

  /// Carries gradients of the rows back to x.
  /// - Parameter d: As for `forward`.
  func backward(
    _ d: Rows, x: Tensor, into dx: Tensor, _ run: LayerRun, _ all: Gradients
  ) {
    switch maps {
    case .separate(let queries, let keys, let values):
      queries.backward(d.queries, x: x, into: dx, accumulating: false, run, all)
      keys.backward(d.keys, x: x, into: dx, accumulating: true, run, all)
      values.backward(d.values, x: x, into: dx, accumulating: true, run, all)
    case .fused(let map):
      map.backward(run[gradients[0]], x: x, into: dx, accumulating: false, run, all)
    }
  }

  var flops: Int {
    switch maps {
    case .separate(let queries, let keys, let values): queries.flops + keys.flops + values.flops
    case .fused(let map): map.flops
    }
  }
}
