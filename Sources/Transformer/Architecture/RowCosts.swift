import Rollouts
import Tensors

/// What a row takes while it passes through a model, in floats: the sums of what the parts declare.
///
/// The memory plan counts by it; the passes take their memory from the same declarations.
public struct RowCosts: Sendable, Equatable {
  /// What each layer keeps for its backward pass, its input included.
  public let savedOfLayers: [Int]
  /// A layer's input: what it keeps where the backward pass runs it again.
  public let layerInput: Int
  /// What parts need while they run forward, shared by all layers.
  public let forwardScratch: Int
  /// What they need besides while they run backward.
  public let backwardScratch: Int
  /// The keys and values of rows that pass through once, shared by all layers of one shape.
  public let passingKeysAndValues: Int

  /// The most that a layer keeps.
  public var savedOfLargestLayer: Int { savedOfLayers.max() ?? 0 }

  init(_ blueprint: Blueprint) {
    savedOfLayers = blueprint.layers.map { $0.savedColumns.saturatingSum }
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
