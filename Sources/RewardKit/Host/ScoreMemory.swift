import Rollouts

/// The scores of one plugin by the contents of the request, the oldest forgotten first.
///
/// The plugin's own contents and settings don't change while it runs, so they need not be part of
/// the key.
struct ScoreMemory {
  /// The most bytes of keys that are kept.
  static let limit = 64 << 20

  private var scores: [[UInt8]: Scoring] = [:]
  private var order: [[UInt8]] = []
  private var oldest = 0
  private var bytes = 0

  subscript(contents: [UInt8]) -> Scoring? { scores[contents] }

  /// Keeps a score; a failure isn't kept.
  mutating func remember(_ scoring: Scoring, for contents: [UInt8]) {
    if case .failed = scoring { return }
    guard contents.count < Self.limit / 16, scores.updateValue(scoring, forKey: contents) == nil
    else { return }
    order.append(contents)
    bytes += contents.count + 256
    while bytes > Self.limit {
      bytes -= order[oldest].count + 256
      scores[order[oldest]] = nil
      order[oldest] = []
      oldest += 1
    }
    if oldest > 4096, oldest * 2 > order.count {
      order.removeFirst(oldest)
      oldest = 0
    }
  }
}
