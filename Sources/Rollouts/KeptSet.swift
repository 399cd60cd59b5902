/// What truncation left of the vocabulary before a token was drawn.
///
/// Trainer, reference and replay renormalise over the same set ("keep sampling mask", DeepSeek-V3.2).
public enum KeptSet: Sendable, Hashable {
  /// These tokens, ascending.
  case only([TokenID])
  /// All but these tokens, ascending (end tokens before `min_new_tokens`).
  case except([TokenID])

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
}

extension KeptSet {
  /// Reads a set as lines of rollouts have it: a list of the ids that were left, or `{"except": [ids]}`; nil for null,
  /// the whole vocabulary.
  /// - Throws: `Malformed` where it is anything else, or the ids do not ascend.
  public static func read(_ value: JSONValue) throws(Malformed) -> KeptSet? {
    if value.isNull { return nil }
    let excluded = value.object.flatMap { $0.count == 1 ? $0["except"]?.array : nil }
    guard let elements = excluded ?? value.array, !elements.isEmpty else { throw Malformed() }
    var ids: [TokenID] = []
    ids.reserveCapacity(elements.count)
    for element in elements {
      guard let id = element.integer.flatMap(TokenID.init(exactly:)), id > ids.last ?? -1 else {
        throw Malformed()
      }
      ids.append(id)
    }
    return excluded == nil ? .only(ids) : .except(ids)
  }

  /// A value that is no kept set.
  public struct Malformed: Error {}

  /// The set as lines of rollouts have it.
  public var json: JSONValue {
    switch self {
    case .only(let ids): Self.list(ids)
    case .except(let ids): ["except": Self.list(ids)]
    }
  }

  private static func list(_ ids: [TokenID]) -> JSONValue {
    .array(ids.map { .integer(Int64($0)) })
  }
}
