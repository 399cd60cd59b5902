import Rollouts
import Tensors

/// A forward pass that keeps nothing: log-probabilities of given completions.
///
/// `grpo score`, the reference model and the self-check use it; its bits are the sampler's and the
/// trainer's.
public final class ScoringPass {
  private let model: LanguageModel
  private let head: VocabularyHead
  private let activations = LayerActivations()
  private let stream = FloatScratch()
  private var blocks: KeyValueBlocks?
  private var blockCapacity = 0

  /// Makes a pass of a model.
  public init(_ model: LanguageModel) {
    self.model = model
    head = VocabularyHead(model)
  }

  /// The statistics of the batch's targets.
  public func score(
    _ batch: PackedBatch, under distribution: Distribution = Distribution()
  ) -> TokenStatistics {
    guard batch.rowCount > 0 else { return TokenStatistics() }
    if blockCapacity < batch.blockCount || blocks == nil {
      blocks = nil
      blockCapacity = batch.blockCount
      blocks = KeyValueBlocks(
        blockCount: blockCapacity, kvHeads: model.configuration.keyValueHeadCount,
        headSize: model.configuration.headSize)
    }
    guard let blocks else { return TokenStatistics() }
    model.runLayers(
      tokens: batch.tokens, positions: batch.positions, plan: batch.plan, blocks: [blocks],
      keeping: [activations], into: stream)
    return head.forward(batch.targets, stream: stream.pointer, under: distribution)
  }

  /// The statistics of each completion of groups, batch after batch of at most `rowLimit` rows
  /// (a longer group stands alone).
  public func score(
    _ groups: [TokenGroup], temperature: Float = 1, rowLimit: Int = 2048
  ) -> [[TokenStatistics]] {
    var results: [[TokenStatistics]] = []
    for range in PackedBatch.ranges(of: groups, rowLimit: rowLimit) {
      let batch = PackedBatch(Array(groups[range]))
      let all = score(batch, under: Distribution(temperature: temperature))
      var next = 0
      for group in groups[range] {
        results.append(
          group.completions.map { _ in
            defer { next += 1 }
            return all[batch.targetRanges[next]]
          })
      }
    }
    return results
  }
}

extension TokenStatistics {
  /// The statistics of a range of targets.
  public subscript(range: Range<Int>) -> TokenStatistics {
    TokenStatistics(
      logProbabilities: Array(logProbabilities[range]), entropies: Array(entropies[range]))
  }
}

extension PackedBatch {
  /// Cuts groups, in order, into runs of at most `rowLimit` rows; a longer group stands alone.
  public static func ranges(of groups: [TokenGroup], rowLimit: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var start = 0
    var rows = 0
    for (index, group) in groups.enumerated() {
      if index > start, rows + group.rowCount > rowLimit {
        ranges.append(start..<index)
        start = index
        rows = 0
      }
      rows += group.rowCount
    }
    if start < groups.count { ranges.append(start..<groups.count) }
    return ranges
  }
}
