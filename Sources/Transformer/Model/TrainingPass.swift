import Rollouts
import Tensors

/// A forward pass that remembers, and the backward pass that follows it.
///
/// Gradients add up over passes until they are reset: a micro-batch is one forward and one backward.
/// Memory: what the layers' parts declare to be saved, for every row; or every layer's input and one layer's saved
/// slots, where a layer keeps its input alone and the backward pass runs it again (Chen et al. 2016, arXiv 1604.06174):
/// about a third more arithmetic, the same bits. In bf16 and fp16 a layer that is done keeps its operands in two bytes.
public final class TrainingPass {
  /// The gradients that backward passes add to.
  public let gradients: Gradients
  private let model: LanguageModel
  private let head: VocabularyHead
  let saved: [SlotMemory]
  private let recomputesActivations: Bool
  private let stream = TensorScratch()
  private let dStream = TensorScratch()
  private let blocks = PassingBlocks()
  /// Where the rows of the last forward pass were sent, for a model with experts.
  public private(set) var routes: RouteTable?
  private var current: (batch: PackedBatch, distribution: Distribution)?

  /// Makes a pass of a model, with gradients of its own.
  /// - Parameter recomputesActivations: Whether layers keep their input alone.
  public init(_ model: LanguageModel, recomputesActivations: Bool = false) {
    self.model = model
    self.recomputesActivations = recomputesActivations
    gradients = Gradients(of: model.parameters)
    head = VocabularyHead(model)
    let shared = model.makeSharedActivations()
    let precision = model.compute.precision
    saved = model.blueprint.layers.enumerated().map { index, layer in
      guard recomputesActivations else {
        return precision == .float32
          ? SlotMemory(count: layer.savedColumns.count)
          : SlotMemory(
            count: layer.savedColumns.count, narrowing: layer.operandSlots, of: shared,
            to: precision.element)
      }
      return index == 0 ? shared : SlotMemory(sharing: shared)
    }
  }

  /// The statistics of the batch's targets under the current weights.
  public func forward(
    _ batch: PackedBatch, under distribution: Distribution = Distribution()
  ) -> TokenStatistics {
    routes = model.runLayers(
      batch.rows, caches: blocks.reserve(batch.blockCount, for: model), keeping: saved,
      into: stream)
    current = (batch, distribution)
    return head.forward(batch.targets, stream: stream.tensor, under: distribution)
  }

  /// Adds the gradient of a scalar whose derivatives by the last forward's statistics are given.
  /// - Parameters:
  ///   - dLogProbability: d loss / d log π of each target.
  ///   - dEntropy: d loss / d H of each target; empty for none.
  ///   - finished: Told of each range of the gradients' arena that this pass adds no more to, in ascending order and
  ///     without gaps. Whoever runs the last micro-batch of an update may reduce or use a range from then on.
  public func backward(
    dLogProbability: [Float], dEntropy: [Float] = [],
    finished: ((Range<Int>) -> Void)? = nil
  ) {
    guard let (batch, distribution) = current else {
      preconditionFailure("a backward pass follows a forward pass")
    }
    current = nil
    let announcement = gradients.announcement(finished)
    guard !batch.targets.isEmpty else { return announcement.finishAll() }
    let blueprint = model.blueprint
    let d = dStream.reserve(rows: batch.rowCount, columns: model.configuration.hiddenSize)
    model.compute.fill(d)
    head.backward(
      batch.targets, segments: batch.targetSegments, stream: stream.tensor, under: distribution,
      dLogProbability: dLogProbability, dEntropy: dEntropy, into: d, gradients: gradients)
    announcement.finish(
      blueprint.finalNormTensors + (blueprint.head == blueprint.embedding ? [] : [blueprint.head]))
    let caches = blocks.reserve(batch.blockCount, for: model)
    for (index, layer) in blueprint.layers.enumerated().reversed() {
      let run = LayerRun(
        model: model, tokens: batch.rows, cache: caches[index], saved: saved[index])
      // The last layer's activations still stand.
      if recomputesActivations, index < saved.count - 1 { model.recompute(layer, run) }
      saved[index].widen(model.compute)
      for block in layer.blocks.reversed() {
        block.backward(d, run, gradients)
        announcement.finish(block.tensors)
      }
    }
    backwardEmbedding(d, batch.rows)
    announcement.finishAll()
  }

  /// Adds the gradients of embeddings, given that of x₀, which is spent.
  private func backwardEmbedding(_ d: Tensor, _ rows: TokenRows) {
    let blueprint = model.blueprint
    if let positions = blueprint.positions, let dPositions = gradients.tensor(positions) {
      model.compute.scatterEmbeddingGradient(
        rows.positions, d, layout: model.parameters.matrix(positions).layout, into: dPositions)
    }
    if let dEmbedding = gradients.tensor(blueprint.embedding) {
      if blueprint.design.embeddingScale != 1 {
        model.compute.scale(d, by: blueprint.design.embeddingScale)
      }
      model.compute.scatterEmbeddingGradient(
        rows.tokens, d, layout: model.parameters.matrix(blueprint.embedding).layout,
        into: dEmbedding)
    }
  }
}
