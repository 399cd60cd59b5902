import Rollouts

/// A kept set as lines of rollouts have it: null for the whole vocabulary, a list of the ids that were
/// left, or `{"except": [ids]}`.
public enum KeptSetJSON {
  /// The form of a set as `CompletionRecord.keptSets` has it.
  public static func json(of set: [TokenID]?) -> JSONValue {
    guard let set else { return .null }
    guard KeptSets.isComplement(set) else { return ids(set) }
    return ["except": ids(set.map { ~$0 })]
  }

  /// The form of all sets of a completion; nil where it has none.
  public static func json(of sets: [[TokenID]?]?) -> JSONValue? {
    sets.map { .array($0.map { json(of: $0) }) }
  }

  /// Reads what `json` gives: the set, which is nil for the whole vocabulary.
  /// - Throws: `Malformed` where it is anything else.
  public static func set(of value: JSONValue) throws(Malformed) -> [TokenID]? {
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
    return excluded == nil ? ids : ids.map { ~$0 }
  }

  /// A value that is no kept set.
  public struct Malformed: Error {}

  private static func ids(_ set: [TokenID]) -> JSONValue {
    .array(set.map { .integer(Int64($0)) })
  }
}
