/// Which columns of a file stand for which of ours: `prompt=question,answer=reward_model.ground_truth`.
public struct ColumnMapping: Sendable, Hashable {
  /// New name and old path, in order.
  public var entries: [Entry]

  /// One renaming.
  public struct Entry: Sendable, Hashable {
    /// The name that the column gets.
    public var name: String
    /// The column's name, its path into objects and lists, `extra_info.items.0`, or several joined
    /// by a space: `Body+Question`.
    public var path: String
  }

  /// Every column keeps its name.
  public static let identity = ColumnMapping(entries: [])

  /// Makes a mapping.
  public init(entries: [Entry]) { self.entries = entries }

  /// Reads entries `NEW=OLD`; nil where one isn't of that form.
  public init?(_ words: [String]) {
    entries = []
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
      entries.append(Entry(name: String(parts[0]), path: String(parts[1])))
    }
  }

  /// A row's columns under their new names.
  ///
  /// A column that is renamed loses its old name; one that is reached through a path stays as well.
  /// - Returns: The columns, and the entries whose path the row doesn't have.
  func apply(to columns: JSONObject) -> (columns: JSONObject, missing: [Entry]) {
    guard !entries.isEmpty else { return (columns, []) }
    var renamed = columns
    var missing: [Entry] = []
    let names = Set(entries.map(\.name))
    for entry in entries where columns[entry.path] != nil && !names.contains(entry.path) {
      renamed[entry.path] = nil
    }
    for entry in entries {
      if let value = Self.value(at: entry.path, in: columns) {
        renamed[entry.name] = value
      } else {
        missing.append(entry)
      }
    }
    return (renamed, missing)
  }

  /// The value at a path; a column whose name has dots or `+` in it is found first.
  static func value(at path: String, in columns: JSONObject) -> JSONValue? {
    if let value = columns[path] { return value }
    let pieces = path.split(separator: "+").map(String.init)
    guard pieces.count > 1 else { return single(at: path, in: columns) }
    let texts = pieces.compactMap { single(at: $0, in: columns)?.string }
    return texts.count == pieces.count ? .string(texts.joined(separator: " ")) : nil
  }

  private static func single(at path: String, in columns: JSONObject) -> JSONValue? {
    if let value = columns[path] { return value }
    let parts = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count > 1, var value = columns[parts[0]] else { return nil }
    for part in parts.dropFirst() {
      switch value {
      case .object(let members):
        guard let member = members[part] else { return nil }
        value = member
      case .array(let elements):
        guard let index = Int(part), elements.indices.contains(index) else { return nil }
        value = elements[index]
      default: return nil
      }
    }
    return value
  }
}
