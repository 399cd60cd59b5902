/// A data set as a user names it: `PATH`, `PATH[100:200]`, each with `=weight`.
public struct DatasetReference: Sendable, Hashable {
  /// The file or folder.
  public var path: String
  /// The rows that are used, from 0; nil for all.
  public var rows: Range<Int>?
  /// How often a pass sees each row.
  public var weight: Double

  /// Reads a reference; a weight is what follows the last `=` where that is a number above 0.
  public init(_ text: String) {
    var rest = text[...]
    weight = 1
    if let equals = rest.lastIndex(of: "="),
      let number = Double(rest[rest.index(after: equals)...]),
      number > 0, number.isFinite
    {
      weight = number
      rest = rest[..<equals]
    }
    rows = nil
    if rest.last == "]", let bracket = rest.lastIndex(of: "[") {
      let bounds = rest[rest.index(after: bracket)...].dropLast()
        .split(separator: ":", omittingEmptySubsequences: false)
      let low = bounds.first.flatMap { $0.isEmpty ? 0 : Int($0) }
      let high = bounds.last.flatMap { $0.isEmpty ? Int.max : Int($0) }
      if bounds.count == 2, let low, let high, low >= 0, low < high {
        rows = low..<high
        rest = rest[..<bracket]
      }
    }
    path = String(rest)
  }

  /// The most rows that a weight may make a pass of.
  private static let passLimit = 20_000_000.0

  /// Refuses a weight that makes a pass of more rows than anybody means.
  /// - Throws: `DatasetError` naming the weight.
  func checkWeight(rows: Int) throws(DatasetError) {
    guard weight <= 1 || weight * Double(rows) <= Self.passLimit else {
      throw DatasetError(
        path: path,
        reason: "has \(rows) rows and the weight \(weight), which is a pass of more than "
          + "\(Int(clamping: Self.passLimit)) rows; lower the weight")
    }
  }
}

extension Dataset {
  /// Reads and mixes the data sets that a user names.
  /// - Throws: `DatasetError` of the first that can't be read.
  public static func read(
    _ references: [String], mapping: ColumnMapping = .identity, split: DatasetSplit = .train,
    limit: Int? = nil
  ) throws(DatasetError) -> Dataset {
    var parts: [(dataset: Dataset, weight: Double)] = []
    for reference in references.map(DatasetReference.init) {
      var dataset = try read(reference.path, mapping: mapping, split: split)
      if let rows = reference.rows {
        dataset = dataset.filtered { rows.contains($0.index) }
        if dataset.problems.isEmpty {
          throw DatasetError(
            path: reference.path,
            reason: "has no rows from \(rows.lowerBound) on; rows are counted from 0")
        }
      }
      try reference.checkWeight(rows: dataset.problems.count)
      parts.append((dataset, reference.weight))
    }
    let mixed = mixing(parts)
    guard let limit else { return mixed }
    return mixed.filtered { $0.index < limit }
  }
}
