/// What a data set is made of, for `grpo data inspect`.
public struct DatasetReport: Sendable {
  /// How many rows there are.
  public var rowCount: Int
  /// The columns, the prompt first.
  public var columns: [Column]
  /// Groups of rows with equal prompts: the first row of each, and how many there are.
  public var duplicates: [(first: RowPlace, count: Int)]
  /// Lengths of prompts in characters, ascending.
  public var promptLengths: [Int]

  /// One column.
  public struct Column: Sendable {
    /// Its name.
    public var name: String
    /// The kinds of its values: "text", "number".
    public var kinds: [String]
    /// How many rows lack it or have null.
    public var missing: Int
    /// How many different values there are.
    public var distinct: Int
    /// The first row's value, as JSON or plain text.
    public var example: String
  }

  /// Looks at all rows.
  public init(_ dataset: Dataset) {
    rowCount = dataset.problems.count
    columns = [Self.column("prompt", dataset.problems.map(\.prompt.json))]
    for name in dataset.columns {
      columns.append(Self.column(name, dataset.problems.map { $0.columns[name] ?? .null }))
    }
    var rowsOfPrompt: [Prompt: [Int]] = [:]
    for (index, problem) in dataset.problems.enumerated() {
      rowsOfPrompt[problem.prompt, default: []].append(index)
    }
    duplicates = rowsOfPrompt.values.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
      .map { (first: dataset.places[$0[0]], count: $0.count) }
    promptLengths = dataset.problems.map(\.prompt.plainText.count).sorted()
  }

  private static func column(_ name: String, _ values: [JSONValue]) -> Column {
    let present = values.filter { !$0.isNull }
    var kinds: [String] = []
    for kind in present.lazy.map(\.kind) where !kinds.contains(kind) { kinds.append(kind) }
    let example = present.first.map { $0.string ?? $0.jsonText } ?? ""
    return Column(
      name: name, kinds: kinds, missing: values.count - present.count,
      distinct: Set(present).count, example: example)
  }
}

extension Prompt {
  /// The prompt's words, without roles.
  public var plainText: String {
    switch self {
    case .text(let text): text
    case .messages(let messages): messages.map(\.content).joined(separator: "\n")
    }
  }
}

extension JSONValue {
  fileprivate var kind: String {
    switch self {
    case .null: "null"
    case .bool: "boolean"
    case .integer, .largeInteger, .number: "number"
    case .string: "text"
    case .array(let elements):
      elements.allSatisfy { $0["role"] != nil } && !elements.isEmpty ? "messages" : "list"
    case .object: "object"
    }
  }
}
