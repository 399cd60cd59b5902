import Rollouts
import Tensors

/// What the parts of a model declare, from the embedding up: tensors, slots, rotations.
///
/// A part's initialiser declares and keeps what it was given for each declaration; nothing else knows a part's shape.
struct Declaration {
  /// Which linear maps have adapters.
  let adapter: AdapterConfiguration?
  /// Put before the names of tensors: `model.layers.0.`.
  var prefix = ""

  private(set) var tensors: [TensorDeclaration] = []
  private(set) var adapterTensors: [TensorSpecification] = []
  /// The columns of the saved slots of the layer at hand.
  private(set) var savedColumns: [Int] = []
  /// Which of them hold operands.
  private(set) var operandSlots: Set<Int> = []
  private(set) var scratch: [ScratchDeclaration] = []
  private(set) var rotations: [Rotation] = []
  /// The routers from the first layer up.
  private(set) var routers: [ExpertRouting] = []

  init(adapter: AdapterConfiguration?) { self.adapter = adapter }

  // MARK: Tensors

  /// A tensor `<prefix><name>`.
  mutating func tensor(
    _ name: String, _ shape: [Int], _ role: TensorRole, isTransposed: Bool = false
  ) -> ParameterID {
    var specification = TensorSpecification(prefix + name, shape, isTransposed: isTransposed)
    specification.isPlain = role == .bias
    tensors.append(TensorDeclaration(specification: specification, role: role))
    return .model(tensors.count - 1)
  }

  /// A linear map `<prefix><name>.weight`, with `.bias` where it has one, and its adapter where it is adapted.
  /// - Parameter isTransposed: Whether files keep the weight as [inputs, outputs].
  mutating func linear(
    _ name: String, inputs: Int, outputs: Int, hasBias: Bool = false,
    isTransposed: Bool = false, role: TensorRole = .product
  ) -> Linear {
    let weight = tensor(
      name + ".weight", isTransposed ? [inputs, outputs] : [outputs, inputs], role,
      isTransposed: isTransposed)
    let bias = hasBias ? tensor(name + ".bias", [outputs], .bias) : nil
    return Linear(
      weight: weight, bias: bias, inputs: inputs, outputs: outputs,
      adapter: role.isAdaptable
        ? lowRankAdapter(of: prefix + name, inputs: inputs, outputs: outputs) : nil)
  }

  private mutating func lowRankAdapter(
    of layer: String, inputs: Int, outputs: Int
  ) -> LowRankAdapter? {
    guard let adapter,
      let (a, b) = adapterTensors(of: layer, inputs: inputs, outputs: outputs)
    else { return nil }
    return LowRankAdapter(
      a: a, b: b, rank: adapter.rank, scale: adapter.scale,
      reduced: saved(adapter.rank, areOperands: true),
      dReduced: scratch("an adapter's gradient", adapter.rank, isBackward: true))
  }

  /// A [r, inputs] and B [outputs, r] of a layer, where it is adapted.
  mutating func adapterTensors(
    of layer: String, inputs: Int, outputs: Int
  ) -> (a: ParameterID, b: ParameterID)? {
    guard let adapter, adapter.adapts(layer) else { return nil }
    let first = adapterTensors.count
    adapterTensors += [
      TensorSpecification(AdapterConfiguration.tensorA(of: layer), [adapter.rank, inputs]),
      TensorSpecification(AdapterConfiguration.tensorB(of: layer), [outputs, adapter.rank]),
    ]
    return (.adapter(first), .adapter(first + 1))
  }

  /// A norm of rows, or of each of their segments.
  mutating func norm(_ design: NormDesign, segments: Int = 1) -> Norm {
    let weight = tensor(
      design.name + ".weight", [design.columns], .scale(initially: design.kind.initialScale))
    let bias = design.hasBias ? tensor(design.name + ".bias", [design.columns], .bias) : nil
    return Norm(
      weight: weight, bias: bias, kind: design.kind, epsilon: design.epsilon,
      columns: design.columns, segments: segments)
  }

  // MARK: Memory

  /// Begins a layer, whose slots are its own.
  mutating func beginLayer() { (savedColumns, operandSlots) = ([], []) }

  /// A slot that the layer's backward pass reads.
  /// - Parameters:
  ///   - rowsPerToken: How many rows of `columns` numbers a token has.
  ///   - areOperands: Whether only products, attention and gated units read it: they round what they read, so that in
  ///     bf16 and fp16 two bytes hold it.
  mutating func saved(
    _ columns: Int, rowsPerToken: Int = 1, areOperands: Bool = false
  ) -> Slot {
    if areOperands { operandSlots.insert(savedColumns.count) }
    savedColumns.append(columns *| rowsPerToken)
    return Slot(
      lifetime: .saved, index: savedColumns.count - 1, columns: columns, rowsPerToken: rowsPerToken)
  }

  /// A slot that lasts while a part runs; parts that ask for one name share the memory, in turn.
  mutating func scratch(
    _ name: String, _ columns: Int, rowsPerToken: Int = 1, isBackward: Bool = false
  ) -> Slot {
    let index = scratch.firstIndex { $0.name == name } ?? scratch.count
    if index == scratch.count {
      scratch.append(ScratchDeclaration(name: name, columns: 0, isBackward: isBackward))
    }
    scratch[index].columns = max(scratch[index].columns, columns *| rowsPerToken)
    scratch[index].isBackward = scratch[index].isBackward && isBackward
    return Slot(
      lifetime: .scratch, index: index, columns: columns, rowsPerToken: rowsPerToken)
  }

  // MARK: Experts

  /// Where a router's choices stand among those of all layers.
  mutating func router(_ rule: ExpertRouting) -> Int {
    routers.append(rule)
    return routers.dropLast().reduce(0) { $0 + $1.chosenCount }
  }

  // MARK: Positions

  /// The place of a rotation among the model's, which layers that turn alike share.
  mutating func rotation(_ rotation: Rotation) -> Int {
    if let index = rotations.firstIndex(of: rotation) { return index }
    rotations.append(rotation)
    return rotations.count - 1
  }
}
