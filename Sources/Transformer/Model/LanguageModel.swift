import Rollouts
import Tensors

/// A decoder-only transformer: embedding, layers of attention and feed-forward, final norm, head.
///
///     x₀ = E[token]
///     x  = x + Attention(norm(x)),  x = x + FeedForward(norm(x))     for each layer, or as its family has it
///     logits = norm(x_L) W_headᵀ
///
/// One forward serves sampling, scoring and training: the same kernels, so the same bits for the same
/// tokens, whatever rows stand beside them.
public final class LanguageModel {
  /// The shape of the model.
  public let configuration: ModelConfiguration
  /// The weights.
  public let parameters: Parameters
  /// Where the arithmetic is done.
  public let compute: Compute
  /// Whether adapters take part; without them the model is its frozen base.
  public let appliesAdapter: Bool

  let blueprint: Blueprint
  /// Scratch that all layers use in turn, whoever runs them.
  let scratch: SlotMemory
  /// The factors of a norm that are computed from its tensor.
  let normFactors = TensorScratch()
  /// Cosines and sines of each rotation.
  let rotaryTables: [RotaryTable]

  /// Makes a model of parameters, with their adapters on or off.
  public init(_ parameters: Parameters, compute: Compute, appliesAdapter: Bool = true) {
    self.parameters = parameters
    self.appliesAdapter = appliesAdapter
    self.compute = compute
    configuration = parameters.configuration
    blueprint = parameters.blueprint
    scratch = SlotMemory(count: blueprint.scratch.count)
    rotaryTables = blueprint.rotations.map { $0.makeTable() }
  }

  /// Memory for the saved slots of one layer after the other, where nothing is kept.
  func makeSharedActivations() -> SlotMemory {
    SlotMemory(count: blueprint.layers.lazy.map(\.savedColumns.count).max() ?? 0)
  }

  /// Runs rows of tokens through all layers.
  /// - Parameters:
  ///   - caches: The keys and values of each layer.
  ///   - kept: The activations of each layer; one entry where nothing is kept.
  ///   - stream: The residual stream after the last layer, [R, C].
  /// - Returns: Where the rows were sent, for a model with experts.
  @discardableResult
  func runLayers(
    _ tokens: TokenRows, caches: [KeyValueBlocks], keeping kept: [SlotMemory],
    into stream: TensorScratch
  ) -> RouteTable? {
    let width = blueprint.routeWidth
    let routes = width > 0 ? RouteRecord(rows: tokens.count, width: width) : nil
    let highest = Int(tokens.positions.max() ?? 0)
    for table in rotaryTables { table.reserve(positions: highest + 1) }
    let layers = blueprint.layers
    func run(_ index: Int) -> LayerRun {
      LayerRun(
        model: self, tokens: tokens, cache: caches[index],
        saved: kept[kept.count == 1 ? 0 : index], routes: routes)
    }
    func input(of index: Int) -> Tensor {
      index == layers.count
        ? stream.reserve(rows: tokens.count, columns: configuration.hiddenSize)
        : run(index).reserve(layers[index].blocks[0].input)
    }
    embed(tokens, into: input(of: 0))
    for (index, layer) in layers.enumerated() {
      forward(layer, run(index), into: input(of: index + 1))
      run(index).saved.narrow(compute)
    }
    return routes?.table
  }

  /// x₀ = s · E[token] + P[position], [R, C].
  private func embed(_ rows: TokenRows, into x: Tensor) {
    compute.gatherEmbedding(
      rows.tokens, from: parameters.matrix(blueprint.embedding), into: x)
    let scale = blueprint.design.embeddingScale
    if scale != 1 { compute.scale(x, by: scale) }
    if let positions = blueprint.positions {
      compute.addEmbedding(rows.positions, from: parameters.matrix(positions), to: x)
    }
  }

  private func forward(_ layer: Blueprint.Layer, _ run: LayerRun, into result: Tensor) {
    for (place, block) in layer.blocks.enumerated() {
      let isLast = place == layer.blocks.count - 1
      block.forward(into: isLast ? result : run.reserve(layer.blocks[place + 1].input), run)
    }
  }

  /// Computes again what a layer keeps, from the input that it kept: the same operations on the same
  /// numbers as in `runLayers`, so the same bits.
  ///
  /// What only the next layer needs is left out.
  func recompute(_ layer: Blueprint.Layer, _ run: LayerRun) {
    for (place, block) in layer.blocks.enumerated() {
      if place == layer.blocks.count - 1 {
        block.recompute(run)
      } else {
        block.forward(into: run.reserve(layer.blocks[place + 1].input), run)
      }
    }
  }
}
