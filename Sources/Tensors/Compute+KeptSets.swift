import Rollouts

extension Compute {
  /// The logit of a token outside a kept set: finite, so that 0 · z stays 0, and so low that its
  /// probability is exactly 0 beside any real logit.
  static let excludedLogit: Float = -1e30

  /// Puts every logit of a row outside a set to `excludedLogit`, so that the softmax is that of the set.
  ///
  /// Ids beyond the vocabulary are passed over.
  /// Complexity: one pass over the row, or over the excluded ids.
  public func mask(_ logits: Tensor, row: Int, keeping set: KeptSet) {
    let values = logits[row: row]
    let vocabulary = logits.columns
    switch set {
    case .except(let ids):
      for id in ids where Int(id) < vocabulary { values[Int(id)] = Self.excludedLogit }
    case .only(let ids):
      var next = 0
      for id in ids where Int(id) < vocabulary {
        while next < Int(id) {
          values[next] = Self.excludedLogit
          next += 1
        }
        next = Int(id) + 1
      }
      while next < vocabulary {
        values[next] = Self.excludedLogit
        next += 1
      }
    }
  }
}
