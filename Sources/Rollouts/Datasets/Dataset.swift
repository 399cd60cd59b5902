/// Problems read from a file: what the policy is asked, and columns for the rewards.
public struct Dataset: Sendable {
  /// The file, or how the data was made; what errors and the log call it.
  public var name: String
  /// The problems; a problem's index is its place here.
  public var problems: [Problem]
  /// Where each problem stands in its file.
  public var places: [RowPlace]
  /// The names of all columns besides the prompt, in order of first appearance.
  public var columns: [String]
  /// The SHA-256 of what the data was read from, in hexadecimal.
  public var contentHash: String
  /// The problems of one pass, as indices: all in order, unless files are mixed with weights.
  public var epoch: [Int]

  /// Makes a data set of problems that are at hand; their places are counted.
  public init(name: String, problems: [Problem], contentHash: String) {
    self.name = name
    self.problems = problems
    self.contentHash = contentHash
    places = problems.indices.map { .element($0 + 1) }
    columns = Self.columnNames(problems.lazy.map(\.columns))
    epoch = Array(problems.indices)
  }

  /// Reads a file of rows with a `prompt`: JSON lines, a JSON list, or CSV; or a folder with
  /// `train.jsonl`.
  ///
  /// - Parameters:
  ///   - path: The file; of a folder, the part that `split` names.
  ///   - mapping: Which columns stand for which.
  ///   - split: Which file of a folder is wanted.
  ///   - limit: How many rows are used, from the first.
  /// - Throws: `DatasetError` with file, line and remedy.
  public static func read(
    _ path: String, mapping: ColumnMapping = .identity, split: DatasetSplit = .train,
    limit: Int? = nil
  ) throws(DatasetError) -> Dataset {
    let file = try DatasetFile(try split.files(of: path))
    let rows = file.rows.prefix(limit ?? .max)
    var problems: [Problem] = []
    problems.reserveCapacity(rows.count)
    for (index, row) in rows.enumerated() {
      problems.append(try Problem(row: row, index: index, mapping: mapping, file: file))
    }
    var dataset = Dataset(name: path, problems: problems, contentHash: file.contentHash)
    dataset.places = rows.map(\.place)
    return dataset
  }

  static func columnNames(_ rows: some Sequence<JSONObject>) -> [String] {
    var names: [String] = []
    var seen: Set<String> = []
    for row in rows {
      for key in row.keys where seen.insert(key).inserted { names.append(key) }
    }
    return names
  }
}

extension Problem {
  /// Makes a problem of a row.
  /// - Throws: `DatasetError` where the row has no prompt, or lacks a column that is mapped.
  fileprivate init(row: DatasetRow, index: Int, mapping: ColumnMapping, file: DatasetFile)
    throws(DatasetError)
  {
    func fault(_ reason: String) -> DatasetError {
      DatasetError(path: file.path, at: row.place, reason: reason)
    }
    var (columns, missing) = mapping.apply(to: row.columns)
    if let entry = missing.first {
      throw fault(
        "has no column '\(entry.path)' for '\(entry.name)'; it has \(row.columnList)")
    }
    guard let value = columns["prompt"] else { throw fault(row.missingPromptReason) }
    let prompt: Prompt
    do { prompt = try Prompt(json: value) } catch { throw fault("prompt \(error.reason)") }
    columns["prompt"] = nil
    self.init(index: index, prompt: prompt, columns: columns)
  }
}

extension DatasetRow {
  /// The columns there are, for a sentence.
  var columnList: String {
    columns.isEmpty ? "none" : columns.keys.map { "'\($0)'" }.joined(separator: ", ")
  }

  /// Why there is no prompt, and which column might be meant.
  fileprivate var missingPromptReason: String {
    let usual = ["question", "problem", "messages", "instruction", "input", "query", "text"]
    let likely =
      columns.keys.first { usual.contains($0.lowercased()) }
      ?? Spelling.nearest(to: "prompt", among: columns.keys) ?? "COLUMN"
    return "has no column 'prompt'; it has \(columnList); "
      + "say which is the prompt: --columns prompt=\(likely)"
  }
}
