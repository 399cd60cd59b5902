// y_i = x_i W_eᵀ + b_e + s (x_i A_eᵀ) B_eᵀ for the expert e of row i: the linear maps of all experts of a layer.
//
// Rows are sorted by expert. Everything is as in Linear, a map for each expert: the products are the batch-invariant kernel's,
// and each gradient is one chain in order of the expert's rows, which stand in order of their tokens.

import Tensors

/// A linear map of each expert, with its adapter.
struct ExpertLinear: Sendable {
  /// How the matrices lie in the file.
  private enum Weights: Sendable {
    /// A tensor for each expert.
    case separate([ParameterID])
    /// One tensor [E, inputs, outputs].
    case stacked(ParameterID)
  }

  private let weights: Weights
  /// [E, N].
  private let biases: ParameterID?
  private let expertCount: Int
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
    weights = .separate(
      names.map { declaration.tensor($0 + ".weight", [outputs, inputs], role) })
    biases = nil
    expertCount = names.count
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

  /// Declares `<name>` [E, inputs, outputs] and `<name>_bias` [E, outputs]; stacked maps are not adapted.
  init(
    stacked name: String, experts: Int, inputs: Int, outputs: Int, areResidual: Bool = false,
    _ declaration: inout Declaration
  ) {
    weights = .stacked(
      declaration.tensor(
        name, [experts, inputs, outputs], .stackedProducts(areResidual: areResidual)))
    biases = declaration.tensor(name + "_bias", [experts, outputs], .bias)
    expertCount = experts
    self.inputs = inputs
    self.outputs = outputs
    adapters = nil
  }

  /// The products of x that y is made of, to be run beside those of other maps of the same x; `addAdapters` completes y.
  func products(into y: Tensor, _ run: LayerRun) -> [ExpertProduct] {
    let base = ExpertProduct(matrices(run), into: y, biases: biases(run))
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
      dy, rows, through: matrices(run), into: dx, accumulating: accumulating)
    guard let adapters = applied(run) else { return }
    let dh = run.reserve(adapters.dReduced)
    compute.backpropagateInput(
      dy, rows, through: matrices(adapters, \.b, run), into: dh, accumulating: false)
    compute.scale(dh, by: adapters.scale)
    compute.backpropagateInput(
      dh, rows, through: matrices(adapters, \.a, run), into: dx, accumulating: true)
  }

  /// Multiplies what `backpropagate` left for the adapters' gradients by the rows' weights, as their dy is.
  func scaleGradient(_ rows: ExpertRows, by weights: Tensor, _ run: LayerRun) {
    guard let adapters = applied(run) else { return }
    run.compute.scale(run[adapters.dReduced], rows, by: weights)
  }

  /// Whether adapters take part.
  func isAdapted(_ run: LayerRun) -> Bool { applied(run) != nil }

  /// Adds the gradients of what is trained, right after `backpropagate` of the same rows.
  func accumulateGradients(
    _ dy: Tensor, x: Tensor, _ rows: ExpertRows, _ run: LayerRun, _ gradients: Gradients
  ) {
    let compute = run.compute
    let dWeights = matrixGradients(gradients, run)
    if let biases, let dBiases = gradients.tensor(biases) {
      compute.accumulateBiasGradients(dy, rows, into: dBiases.reshaped(columns: outputs))
    }
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

  /// b of each expert, [E, N].
  func biases(_ run: LayerRun) -> Tensor? {
    biases.map { run.parameters.vector($0).reshaped(columns: outputs) }
  }

  private func matrices(_ run: LayerRun) -> [PackedMatrix] {
    switch weights {
    case .separate(let ids): ids.map(run.parameters.matrix)
    case .stacked(let id): run.parameters.stack(id).matrices
    }
  }

  private func matrixGradients(_ gradients: Gradients, _ run: LayerRun) -> [Tensor?] {
    switch weights {
    case .separate(let ids): return ids.map(gradients.tensor)
    case .stacked(let id):
      guard let all = gradients.tensor(id) else { return Array(repeating: nil, count: expertCount) }
      let stack = run.parameters.stack(id)
      return (0..<expertCount).map { stack.part($0, of: all) }
    }
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
