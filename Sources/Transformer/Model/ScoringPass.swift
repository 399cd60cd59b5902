import Rollouts
import Tensors

/// A forward pass that keeps nothing: log-probabilities of given completions.
///
/// `grpo score`, the reference model and the self-check use it; its bits are the sampler's and the
/// trainer's.
public final class ScoringPass {
  private let model: LanguageModel
  private let head: VocabularyHead
  private let activations: SlotMemory
  private let stream = TensorScratch()
  private let blocks = PassingBlocks()

  /// Makes a pass of a model.
  public init(_ model: LanguageModel) {
    self.model = model
    head = VocabularyHead(model)
    activations = model.makeSharedActivations()
  }

  /// The statistics of the batch's targets.
  public func score(
    _ batch: PackedBatch, under distribution: Distribution = Distribution()
  ) -> TokenStatistics {
    guard batch.rowCount > 0 else { return TokenStatistics() }
    model.runLayers(
      batch.rows, caches: blocks.reserve(batch.blockCount, for: model),
      keeping: [activations], into: stream)
    return head.forward(batch.targets, stream: stream.tensor, under: distribution)
  }

  /// The statistics of each completion of groups, batch after batch of at most `rowLimit` rows.
  public func score(
    _ groups: [TokenGroup], temperature: Float = 1, rowLimit: Int = 2048
  ) -> [[TokenStatistics]] {
    var results = groups.map { _ in [TokenStatistics]() }
    for microBatch in MicroBatch.cut(groups.map(\.lengths), rowLimit: rowLimit) {
      let batch = PackedBatch(microBatch, of: groups)
      let all = score(batch, under: Distribution(temperature: temperature))
      var next = 0
      for slice in microBatch.slices {
        for _ in slice.completions {
          results[slice.group].append(all[batch.targetRanges[next]])
          next += 1
        }
      }
    }
    return results
  }
}

/// Keys and values of rows that pass through the layers once: a layer's stand until the next one of its shape.
final class PassingBlocks {
  private var blocks: [KeyValueBlocks] = []

  /// Room for `count` blocks, a layer's each; layers whose shapes are alike share theirs.
  func reserve(_ count: Int, for model: LanguageModel) -> [KeyValueBlocks] {
    if let first = blocks.first, first.blockCount < count { blocks = [] }
    return model.blueprint.layers.map { layer in
      let shape = layer.attention.cache
      if let found = blocks.first(where: { $0.shape == shape }) { return found }
      let fresh = KeyValueBlocks(blockCount: count, shape: shape, for: model.compute)
      blocks.append(fresh)
      return fresh
    }
  }
}

extension TokenStatistics {
  /// The statistics of a range of targets.
  public subscript(range: Range<Int>) -> TokenStatistics {
    TokenStatistics(
      logProbabilities: Array(logProbabilities[range]), entropies: Array(entropies[range]))
  }
}
