import Rollouts
import Tensors

/// What a row takes while it passes through a model, in numbers: the sums of what the parts declare.
///
/// The memory plan counts by it; the passes take their memory from the same declarations.
public struct RowCosts: Sendable, Equatable {
  /// What each layer keeps for its backward pass, its input included.
  public let savedOfLayers: [Int]
  /// How much of that are operands, which bf16 and fp16 hold in two bytes once the layer is done.
  public let operandsOfLayers: [Int]
  /// What a layer's slots take where all layers use them in turn: in each the most that any layer keeps in it.
  public let savedInTurn: Int
  /// What the memory takes in which operands are computed, which layers use in turn.
  private let operandsInTurn: Int
  /// A layer's input: what it keeps where the backward pass runs it again.
  public let layerInput: Int
  /// What parts need while they run forward, shared by all layers.
  public let forwardScratch: Int
  /// What they need besides while they run backward.
  public let backwardScratch: Int
  /// The keys and values of rows that pass through once, shared by all layers of one shape, in bytes.
  private let passingKeysAndValues: [ElementType: Int]
  /// The widest rows that a product takes or gives, the head aside.
  public let widestProduct: Int

  /// What the layers keep of a row from the forward pass to the backward pass, in bytes.
  public func savedBytes(_ precision: Precision) -> Int {
    guard precision != .float32 else { return 4 *| savedOfLayers.saturatingSum }
    let narrow = operandsOfLayers.saturatingSum
    return 4 *| (savedOfLayers.saturatingSum - narrow) +| 2 *| narrow
      +| 4 *| operandsInTurn
  }

  /// The keys and values of rows that pass through once, in bytes.
  public func passingBytes(_ element: ElementType) -> Int { passingKeysAndValues[element] ?? 0 }

  init(_ blueprint: Blueprint) {
    savedOfLayers = blueprint.layers.map { $0.savedColumns.saturatingSum }
    let slots = blueprint.layers.map(\.savedColumns.count).max() ?? 0
    savedInTurn =
      (0..<slots).map { slot in
        blueprint.layers.map { slot < $0.savedColumns.count ? $0.savedColumns[slot] : 0 }.max() ?? 0
      }.saturatingSum
    operandsOfLayers = blueprint.layers.map { layer in
      layer.operandSlots.map { layer.savedColumns[$0] }.saturatingSum
    }
    operandsInTurn =
      (0..<slots).map { slot in
        blueprint.layers.map { $0.operandSlots.contains(slot) ? $0.savedColumns[slot] : 0 }.max()
          ?? 0
      }.saturatingSum
    // Rows that are sorted by expert, several for each token, are scratch.
    widestProduct =
      (blueprint.layerTensors.flatMap(\.shape) + blueprint.scratch.map(\.columns)).max() ?? 0
    layerInput = blueprint.design.hiddenSize
    func sum(_ isBackward: Bool) -> Int {
      blueprint.scratch.filter { $0.isBackward == isBackward }.reduce(0) { $0 + $1.columns }
    }
    forwardScratch = sum(false)
    backwardScratch = sum(true)
    var shapes: [KeyValueShape] = []
    for layer in blueprint.layers where !shapes.contains(layer.attention.cache) {
      shapes.append(layer.attention.cache)
    }
    passingKeysAndValues = Dictionary(
      uniqueKeysWithValues: ElementType.writable.map { element in
        (element, shapes.reduce(0) { $0 + $1.blockBytes(element) / KeyValueBlocks.positions })
      })
  }
}

extension ModelConfiguration {
  /// What a row takes while it passes through the model, with adapters on some of its maps.
  public func rowCosts(adapter: AdapterConfiguration? = nil) -> RowCosts {
    RowCosts(blueprint(adapter: adapter))
  }

  /// What a block of positions takes in the caches of all layers, in bytes.
  public func cacheBytesPerBlock(_ element: ElementType = .float32) -> Int {
    blueprint().layers.reduce(0) { $0 + $1.attention.cache.blockBytes(element) }
  }

  /// The weights that products read for a token that meets the vocabulary.
  public var productCount: Int {
    let blueprint = blueprint()
    return (blueprint.layerTensors + [blueprint.headTensor]).map(\.count).saturatingSum
  }

  /// What the operands in two bytes take beside the weights: a copy of each matrix of a product, but of one that is held
  /// as its products read it.
  /// - Parameter element: How the matrix of a name is held.
  public func operandBytes(
    _ precision: Precision, adapter: AdapterConfiguration? = nil,
    element: (_ name: String) -> ElementType = { _ in .float32 }
  ) -> Int {
    guard precision != .float32 else { return 0 }
    let blueprint = blueprint(adapter: adapter)
    let products = blueprint.layerTensors + [blueprint.headTensor]
    let copied = products.filter { element($0.name) != .bfloat16 || precision == .fp16 }
    return (copied + blueprint.adapterTensors).reduce(0) {
      $0 +| 2 *| $1.storedCount
    }
  }
}
