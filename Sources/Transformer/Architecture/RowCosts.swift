import Rollouts
import Tensors

/// What a row takes while it passes through a model, in floats: the sums of what the parts declare.
///
/// The memory plan counts by it; the passes take their memory from the same declarations.
public struct RowCosts: Sendable, Equatable {
  /// What each layer keeps for its backward pass, its input included.
  public let savedOfLayers: [Int]
  /// What a layer's slots take where all layers use them in turn: in each the most that any layer keeps in it.
  public let savedInTurn: Int
  /// A layer's input: what it keeps where the backward pass runs it again.
  public let layerInput: Int
  /// What parts need while they run forward, shared by all layers.
  public let forwardScratch: Int
  /// What they need besides while they run backward.
  public let backwardScratch: Int
  /// The keys and values of rows that pass through once, shared by all layers of one shape.
  public let passingKeysAndValues: Int

  init(_ blueprint: Blueprint) {
    savedOfLayers = blueprint.layers.map { $0.savedColumns.saturatingSum }
    let slots = blueprint.layers.map(\.savedColumns.count).max() ?? 0
    savedInTurn =
      (0..<slots).map { slot in
        blueprint.layers.map { slot < $0.savedColumns.count ? $0.savedColumns[slot] : 0 }.max() ?? 0
      }.saturatingSum
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
    passingKeysAndValues = shapes.reduce(0) {
      $0 + $1.blockBytes / (4 *| KeyValueBlocks.positions)
    }
  }
}

extension ModelConfiguration {
  /// What a row takes while it passes through the model, with adapters on some of its maps.
  public func rowCosts(adapter: AdapterConfiguration? = nil) -> RowCosts {
    RowCosts(blueprint(adapter: adapter))
  }

  /// What a block of positions takes in the caches of all layers, in bytes.
  public var cacheBytesPerBlock: Int {
    blueprint().layers.reduce(0) { $0 + $1.attention.cache.blockBytes }
  }
}
