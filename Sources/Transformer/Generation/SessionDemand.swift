import Rollouts
import Tensors

/// What one call of the generation engine holds, told from lengths alone.
///
/// The session takes its cache by it, and the memory plan counts it.
public struct SessionDemand: Sendable, Equatable {
  /// Completions decoded together.
  public let completions: Int
  /// Rows of the largest prefill or decoding step.
  public let rows: Int
  /// Blocks of each layer's cache that are in use if every completion has its full length: groups then end one after
  /// the other.
  public let blocks: Int
  /// Blocks that suffice whatever ends when; memory is touched only as they are used.
  public let blockLimit: Int

  /// The demand of groups in their order, each a prompt's length and a number of completions.
  public init(
    groups: [(prompt: Int, samples: Int)], completionLength: Int, concurrency: Int
  ) {
    let samples = groups.map(\.samples)
    completions = min(concurrency, samples.saturatingSum)
    let own = KeyValueBlocks.blocks(forPositions: completionLength) +| 1
    let longest = groups.map(\.prompt).sorted(by: >)
    func promptBlocks(_ count: Int) -> Int {
      longest.prefix(count).reduce(0) { $0 +| KeyValueBlocks.blocks(forPositions: $1) }
    }
    // Groups are admitted in order, so that only the last may be there in part.
    let fewest = max(1, samples.min() ?? 1)
    let alive = min(groups.count, (completions +| fewest - 1) / fewest +| 1)
    rows = max(
      completions, longest.first ?? 0,
      min(GenerationEngine.prefillRows, longest.prefix(alive).saturatingSum))
    blocks = completions *| own +| promptBlocks(alive)
    // Each completion under way may be the last of its group; one group more may wait for its turn.
    blockLimit = completions *| (own +| 1) +| promptBlocks(completions +| 1)
  }
}
