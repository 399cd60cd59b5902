// z = x W_rᵀ (+ b_r), float32 whatever the precision of other products; then the rule of Tensors' ExpertRouting.
//
// What is chosen has no gradient; the weights of what is chosen have one. The scores of all experts are kept, so that the
// backward pass needs no product again.

import Tensors

/// Where the tokens of a layer go, and with which weights.
struct ExpertRouter: Sendable {
  let rule: ExpertRouting
  private let weight: ParameterID
  private let bias: ParameterID?
  /// b, added to scores where experts are chosen.
  private let selectionBias: ParameterID?
  private let inputs: Int
  /// Where its choices stand among those of all layers.
  private let column: Int
  /// Scores, [R, E]; chosen experts in ascending order and their weights, [R, k].
  private let scores: Slot
  private let choices: Slot
  private let weights: Slot
  private let dWeights: Slot
  private let dLogits: Slot

  /// Declares `<name>.weight`, and `<name>.bias` where it has one.
  init(
    _ rule: ExpertRouting, name: String, hasBias: Bool, selectionBias biasName: String?,
    inputs: Int, _ declaration: inout Declaration
  ) {
    self.rule = rule
    self.inputs = inputs
    column = declaration.router(rule)
    let (experts, chosen) = (rule.expertCount, rule.chosenCount)
    weight = declaration.tensor(name + ".weight", [experts, inputs], .router)
    bias = hasBias ? declaration.tensor(name + ".bias", [experts], .bias) : nil
    selectionBias = biasName.map { declaration.tensor($0, [experts], .selectionBias) }
    scores = declaration.saved(experts)
    choices = declaration.saved(chosen)
    weights = declaration.saved(chosen)
    dWeights = declaration.scratch("gradient of experts' weights", chosen, isBackward: true)
    dLogits = declaration.scratch("gradient of router logits", experts, isBackward: true)
  }

  /// Chooses the experts of each row and sorts the rows by them.
  func forward(_ x: Tensor, _ run: LayerRun) -> (rows: ExpertRows, weights: Tensor) {
    let s = run.reserve(scores)
    run.compute.multiply(
      x, by: run.parameters.matrix(weight), into: s, bias: bias.map(run.parameters.vector),
      in: .float32)
    let (c, w) = (run.reserve(choices), run.reserve(weights))
    let given = run.tokens.givenRoutes
    given?.load(column, into: c)
    run.compute.route(
      s, by: rule, selectionBias: selectionBias.map(run.parameters.vector), scores: s, choices: c,
      weights: w, keepsChoices: given != nil)
    run.routes?.table.store(c, at: column)
    return (ExpertRows(choices: c, expertCount: rule.expertCount), w)
  }

  /// What `forward` chose.
  func saved(_ run: LayerRun) -> (rows: ExpertRows, weights: Tensor) {
    (ExpertRows(choices: run[choices], expertCount: rule.expertCount), run[weights])
  }

  /// Room for the gradient of the weights, [R, k].
  func reserveGradient(_ run: LayerRun) -> Tensor { run.reserve(dWeights) }

  /// Adds the router's gradients, and to dx what comes by way of the weights, whose gradient stands in its room.
  func backward(_ x: Tensor, addingTo dx: Tensor, _ run: LayerRun, _ gradients: Gradients) {
    let compute = run.compute
    let matrix = run.parameters.matrix(weight)
    let dz = run.reserve(dLogits)
    compute.routeBackward(
      run[dWeights], by: rule, scores: run[scores], choices: run[choices], into: dz)
    if let dWeight = gradients.tensor(weight) {
      compute.accumulateWeightGradient(
        dz, x, layout: matrix.layout, into: dWeight, in: .float32)
    }
    if let bias, let dBias = gradients.tensor(bias) {
      compute.accumulateBiasGradient(dz, into: dBias)
    }
    compute.backpropagateInput(dz, through: matrix, into: dx, accumulating: true, in: .float32)
  }

  var flops: Int { 2 * inputs * rule.expertCount }
}
