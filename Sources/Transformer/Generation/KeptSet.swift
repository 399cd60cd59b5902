import Rollouts

/// What truncation left of the vocabulary before a token was drawn.
///
/// Trainer, reference and replay renormalise over the same set ("keep sampling mask", DeepSeek-V3.2).
public enum KeptSet: Sendable, Hashable {
  /// These tokens, ascending.
  case only([TokenID])
  /// All but these tokens, ascending (end tokens before `min_new_tokens`).
  case except([TokenID])

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
  public func contains(_ token: TokenID) -> Bool {
    switch self {
    case .only(let ids): return ids.contains(token)
    case .except(let ids): return !ids.contains(token)
    }
  }

  /// Whether truncation may have left the set of a vocabulary: its ids ascend, and what is kept is in it.
  ///
  /// What is excluded may lie outside: an end token that the model has no logit for.
  public func isPossible(vocabulary: Int) -> Bool {
    let ids: [TokenID]
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
  static let excludedLogit: Float = -1e30

  /// Puts every logit outside the set to `excludedLogit`.
  func mask(_ logits: UnsafeMutablePointer<Float>, vocabulary: Int) {
    switch self {
    case .except(let ids):
      for id in ids where Int(id) < vocabulary { logits[Int(id)] = Self.excludedLogit }
    case .only(let ids):
      var next = 0
      for id in ids where Int(id) < vocabulary {
        while next < Int(id) {
          logits[next] = Self.excludedLogit
          next += 1
        }
        next = Int(id) + 1
      }
      while next < vocabulary {
        logits[next] = Self.excludedLogit
        next += 1
      }
    }
  }
}
