// y_i = x_i W_eᵀ + b_e + s (x_i A_eᵀ) B_eᵀ for the expert e of row i: the linear maps of all experts of a layer.
//
// Rows are sorted by expert. Everything is as in Linear, a map for each expert: the products are the batch-invariant kernel's,
// and each gradient is one chain in order of the expert's rows, which stand in order of their tokens.

import Tensors

/// A linear map of each expert, with its adapter.
struct ExpertLinear: Sendable {
  let weights: [ParameterID]
  let inputs: Int
  let outputs: Int
  private let adapters: Adapters?

  /// The trained parts of adapted maps.
  private struct Adapters: Sendable {
    /// A [r, inputs] and B [outputs, r] of each expert, where it is adapted.
    let tensors: [(a: ParameterID, b: ParameterID)?]
    let rank: Int
    let scale: Float
    /// h = s x Aᵀ, [k·R, r].
    let reduced: Slot
    let dReduced: Slot
  }

  /// Declares `<name of expert e>.weight` for each expert.
  init(
    _ names: [String], inputs: Int, outputs: Int, rowsPerToken: Int, role: TensorRole = .product,
    _ declaration: inout Declaration
  ) {
    weights = names.map { declaration.tensor($0 + ".weight", [outputs, inputs], role) }
    self.inputs = inputs
    self.outputs = outputs
    let tensors = names.map {
      declaration.adapterTensors(of: declaration.prefix + $0, inputs: inputs, outputs: outputs)
    }
    if let adapter = declaration.adapter, tensors.contains(where: { $0 != nil }) {
      adapters = Adapters(
        tensors: tensors, rank: adapter.rank, scale: adapter.scale,
        reduced: declaration.saved(adapter.rank, rowsPerToken: rowsPerToken, areOperands: true),
        dReduced: declaration.scratch(
          "an adapter's gradient", adapter.rank, rowsPerToken: rowsPerToken, isBackward: true))
    } else {
      adapters = nil
    }
  }

  /// The products of x that y is made of, to be run beside those of other maps of the same x; `addAdapters` completes y.
  func products(into y: Tensor, _ run: LayerRun) -> [ExpertProduct] {
    let base = ExpertProduct(weights.map(run.parameters.matrix), into: y)
    guard let adapters = applied(run) else { return [base] }
    return [
      base, ExpertProduct(matrices(adapters, \.a, run), into: run.reserve(adapters.reduced)),
    ]
  }

  /// Adds the adapters' part to y, after `products`.
  func addAdapters(to y: Tensor, _ rows: ExpertRows, _ run: LayerRun) {
    guard let adapters = applied(run) else { return }
    run.compute.scale(run[adapters.reduced], by: adapters.scale)
    run.compute.multiply(
      run[adapters.reduced], rows, by: [ExpertProduct(matrices(adapters, \.b, run), into: y)],
      accumulating: true)
  }

  /// Computes again what the forward pass keeps: nothing without adapters.
  func recompute(_ x: Tensor, _ rows: ExpertRows, _ run: LayerRun) {
    guard let adapters = applied(run) else { return }
    let h = run.reserve(adapters.reduced)
    run.compute.multiply(x, rows, by: [ExpertProduct(matrices(adapters, \.a, run), into: h)])
    run.compute.scale(h, by: adapters.scale)
  }

  /// dx = dy W + dh A with dh = s dy B, written or added.
  func backpropagate(
    _ dy: Tensor, _ rows: ExpertRows, into dx: Tensor, accumulating: Bool, _ run: LayerRun
  ) {
    let compute = run.compute
    compute.backpropagateInput(
      dy, rows, through: weights.map(run.parameters.matrix), into: dx, accumulating: accumulating)
    guard let adapters = applied(run) else { return }
    let dh = run.reserve(adapters.dReduced)
    compute.backpropagateInput(
      dy, rows, through: matrices(adapters, \.b, run), into: dh, accumulating: false)
    compute.scale(dh, by: adapters.scale)
    compute.backpropagateInput(
      dh, rows, through: matrices(adapters, \.a, run), into: dx, accumulating: true)
  }

  /// Adds the gradients of what is trained, right after `backpropagate` of the same rows.
  func accumulateGradients(
    _ dy: Tensor, x: Tensor, _ rows: ExpertRows, _ run: LayerRun, _ gradients: Gradients
  ) {
    let compute = run.compute
    let dWeights = weights.map(gradients.tensor)
    if dWeights.contains(where: { $0 != nil }) {
      compute.accumulateWeightGradients(
        dy, x, rows, layout: PackedLayout(rows: outputs, columns: inputs),
        segments: run.tokens.segments, into: dWeights)
    }
    guard let adapters = applied(run) else { return }
    func parts(_ tensor: KeyPath<(a: ParameterID, b: ParameterID), ParameterID>) -> [Tensor?] {
      adapters.tensors.map { $0.flatMap { gradients.tensor($0[keyPath: tensor]) } }
    }
    compute.accumulateWeightGradients(
      dy, run[adapters.reduced], rows,
      layout: PackedLayout(rows: outputs, columns: adapters.rank), segments: run.tokens.segments,
      into: parts(\.b))
    compute.accumulateWeightGradients(
      run[adapters.dReduced], x, rows,
      layout: PackedLayout(rows: adapters.rank, columns: inputs), segments: run.tokens.segments,
      into: parts(\.a))
  }

  /// Floating-point operations of a row's forward pass.
  var flops: Int {
    2 * inputs * outputs + (adapters.map { 2 * $0.rank * (inputs + outputs) } ?? 0)
  }

  private func applied(_ run: LayerRun) -> Adapters? {
    run.model.appliesAdapter ? adapters : nil
  }

  private func matrices(
    _ adapters: Adapters, _ tensor: KeyPath<(a: ParameterID, b: ParameterID), ParameterID>,
    _ run: LayerRun
  ) -> [PackedMatrix?] {
    adapters.tensors.map { $0.map { run.parameters.matrix($0[keyPath: tensor]) } }
  }
}
