import Rollouts

/// How an update is cut so that it fits into memory.
///
/// The rows decide in which order gradients are summed; computing activations again changes no bit.
public struct UpdateCut: Sendable, Equatable {
  /// The most rows that pass through forward and backward at once.
  ///
  /// Beyond 2,048 nothing is gained: products are at their peak, and activations leave the cache.
  public var rows: Int
  /// Whether layers keep their input alone and run again in the backward pass.
  public var recomputesActivations: Bool

  /// Makes a cut.
  public init(rows: Int = 2048, recomputesActivations: Bool = false) {
    self.rows = rows
    self.recomputesActivations = recomputesActivations
  }
}

extension MemoryDemand {
  /// The same demand with the quickest cut that stays within a limit, or the least where none does.
  ///
  /// Fewer rows cost next to nothing down to some 512; then a third more arithmetic is the lesser evil.
  /// - Parameters:
  ///   - rows: The rows that were asked for; nil leaves them to the plan.
  ///   - recomputes: Whether to compute activations again; nil leaves it to the plan.
  func fit(within limit: Int, rows: Int?, recomputes: Bool?) -> MemoryDemand {
    let least = longestPrompt +| completionLength
    var choices = [max(least, 2048)]
    while let last = choices.last, last > least { choices.append(max(least, last / 2)) }
    let cheap = choices.filter { $0 >= 512 }
    func cuts(_ rows: [Int], _ recomputes: Bool) -> [UpdateCut] {
      rows.map { UpdateCut(rows: $0, recomputesActivations: recomputes) }
    }
    let candidates: [UpdateCut]
    switch (rows, recomputes) {
    case (let rows?, let recomputes?): candidates = cuts([rows], recomputes)
    case (let rows?, nil): candidates = cuts([rows], false) + cuts([rows], true)
    case (nil, let recomputes?): candidates = cuts(choices, recomputes)
    case (nil, nil):
      candidates = cuts(cheap.isEmpty ? choices : cheap, false) + cuts(choices, true)
    }
    var demand = self
    for cut in candidates {
      demand.cut = cut
      if MemoryPlan(demand).peak <= limit { break }
    }
    return demand
  }
}
