/// What truncation left of the vocabulary before a token was drawn.
///
/// Trainer, reference and replay renormalise over the same set ("keep sampling mask", DeepSeek-V3.2).
public enum KeptSet: Sendable, Hashable {
  /// These tokens, ascending.
  case only([Int32])
  /// All but these tokens, ascending (end tokens before `min_new_tokens`).
  case except([Int32])

  /// The set as the log keeps it: kept ids, or the bitwise complement of each excluded id.
  public var encoded: [Int32] {
    switch self {
    case .only(let ids): return ids
    case .except(let ids): return ids.map { ~$0 }
    }
  }

  /// Reads what `encoded` wrote.
  public init(encoded: [Int32]) {
    if let first = encoded.first, first < 0 {
      self = .except(encoded.map { ~$0 })
    } else {
      self = .only(encoded)
    }
  }

  /// Whether a token may have been drawn from the set.
  public func contains(_ token: Int32) -> Bool {
    switch self {
    case .only(let ids): return ids.contains(token)
    case .except(let ids): return !ids.contains(token)
    }
  }

  /// Whether truncation may have left the set of a vocabulary: its ids ascend, and what is kept is in it.
  ///
  /// What is excluded may lie outside: an end token that the model has no logit for.
  public func isPossible(vocabulary: Int) -> Bool {
    let ids: [Int32]
    switch self {
    case .only(let kept):
      guard let last = kept.last, Int(last) < vocabulary else { return false }
      ids = kept
    case .except(let excluded): ids = excluded
    }
    return (ids.first ?? 0) >= 0 && zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 }
  }

  /// The logit of a token outside the set: finite, so that 0 · z stays 0, and so low that its
  /// probability is exactly 0 beside any real logit.
  public static let excludedLogit: Float = -1e30
}

extension Compute {
  /// Puts every logit of a row outside a set to `KeptSet.excludedLogit`, so that the softmax is that of the set.
  ///
  /// Ids beyond the vocabulary are passed over.
  /// Complexity: one pass over the row, or over the excluded ids.
  public func mask(_ logits: Tensor, row: Int, keeping set: KeptSet) {
    let values = logits[row: row]
    let vocabulary = logits.columns
    switch set {
    case .except(let ids):
      for id in ids where Int(id) < vocabulary { values[Int(id)] = KeptSet.excludedLogit }
    case .only(let ids):
      var next = 0
      for id in ids where Int(id) < vocabulary {
        while next < Int(id) {
          values[next] = KeptSet.excludedLogit
          next += 1
        }
        next = Int(id) + 1
      }
      while next < vocabulary {
        values[next] = KeptSet.excludedLogit
        next += 1
      }
    }
  }
}
