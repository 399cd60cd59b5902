/// A data set that can't be used: where, why, and what to do.
public struct DatasetError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file as it was given.
  public var path: String
  /// Where the fault is; nil where it is no single row.
  public var place: RowPlace?
  /// What is wrong and what to do, as a clause.
  public var reason: String

  /// Makes an error.
  public init(path: String, at place: RowPlace? = nil, reason: String) {
    self.path = path
    self.place = place
    self.reason = reason
  }

  /// The error as in "train.jsonl, line 57: has no column 'prompt'".
  public var description: String {
    path + (place.map { ", \($0)" } ?? "") + ": " + reason
  }
}

/// Where a row stands in its file, for people.
public enum RowPlace: Sendable, Hashable, CustomStringConvertible {
  /// The line on which it begins, from 1.
  case line(Int)
  /// Its number in a list, from 1.
  case element(Int)

  /// The place as in "line 57" or "element 3".
  public var description: String {
    switch self {
    case .line(let number): "line \(number)"
    case .element(let number): "element \(number)"
    }
  }
}

/// A row as its file has it: named values, and its place.
public struct DatasetRow: Sendable, Hashable {
  /// Where the row stands.
  public var place: RowPlace
  /// The columns in the file's order.
  public var columns: JSONObject
}
