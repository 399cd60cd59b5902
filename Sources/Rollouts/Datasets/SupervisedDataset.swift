/// SFT examples, for the supervised stage.
public struct SupervisedDataset: Sendable {
  /// One example.
  public enum Row: Sendable, Hashable {
    /// The completion is learnt, the prompt is given.
    case completion(prompt: Prompt, completion: String)
    /// The same as a conversation: the assistant's turns of the completion are learnt.
    case answer(prompt: [ChatMessage], completion: [ChatMessage])
    /// The assistant's turns are learnt.
    case conversation([ChatMessage])
    /// The whole text is learnt.
    case text(String)
  }

  /// The file, or how the data was made.
  public var name: String
  /// The rows in order.
  public var rows: [Row]
  /// Where each row stands in its file.
  public var places: [RowPlace]
  /// What each row gives a chat template besides the conversation: its `templateColumns`.
  public var resources: [JSONObject]
  /// The SHA-256 of what the data was read from, in hexadecimal.
  public var contentHash: String

  /// The columns that are given to chat templates; the last is verl's name for the one before it.
  public static let templateColumns = [
    "tools", "documents", "chat_template_kwargs", "apply_chat_template_kwargs",
  ]

  /// Makes a data set of rows that are at hand; their places are counted.
  public init(name: String, rows: [Row], contentHash: String) {
    self.name = name
    self.rows = rows
    self.contentHash = contentHash
    places = rows.indices.map { .element($0 + 1) }
    resources = rows.map { _ in [:] }
  }

  /// Reads a file whose rows have `prompt` and `completion`, or `messages`, or `text`.
  /// - Throws: `DatasetError` with file, line and remedy.
  public static func read(
    _ path: String, mapping: ColumnMapping = .identity, split: DatasetSplit = .train,
    limit: Int? = nil
  ) throws(DatasetError) -> SupervisedDataset {
    let file = try DatasetFile(try split.files(of: path))
    let kept = file.rows.prefix(limit ?? .max)
    var rows: [Row] = []
    var resources: [JSONObject] = []
    rows.reserveCapacity(kept.count)
    for row in kept {
      rows.append(try Self.row(row, mapping, path: file.path))
      let columns = mapping.apply(to: row.columns).columns
      resources.append(
        JSONObject(templateColumns.compactMap { name in columns[name].map { (name, $0) } }))
    }
    var dataset = SupervisedDataset(name: path, rows: rows, contentHash: file.contentHash)
    dataset.places = kept.map(\.place)
    dataset.resources = resources
    return dataset
  }

  /// Reads the data set that a user names, `PATH[0:100]=weight`; a weight repeats rows.
  /// - Throws: `DatasetError` with file, line and remedy.
  public static func read(reference text: String, mapping: ColumnMapping = .identity)
    throws(DatasetError) -> SupervisedDataset
  {
    let reference = DatasetReference(text)
    let whole = try read(reference.path, mapping: mapping)
    let kept = reference.rows.map { $0.clamped(to: whole.rows.indices) } ?? whole.rows.indices
    if kept.isEmpty {
      throw DatasetError(
        path: reference.path, reason: "has no such rows; it has \(whole.rows.count)")
    }
    try reference.checkWeight(rows: kept.count)
    // The whole part of the weight repeats every row, its fraction the first rows once more.
    var chosen: [Int] = []
    for _ in 0..<Int(clamping: reference.weight) { chosen += kept }
    let fraction = reference.weight - reference.weight.rounded(.down)
    chosen += kept.prefix(Int(clamping: (fraction * Double(kept.count)).rounded()))
    var dataset = SupervisedDataset(
      name: text, rows: chosen.map { whole.rows[$0] }, contentHash: whole.contentHash)
    dataset.places = chosen.map { whole.places[$0] }
    dataset.resources = chosen.map { whole.resources[$0] }
    return dataset
  }

  private static func row(_ row: DatasetRow, _ mapping: ColumnMapping, path: String)
    throws(DatasetError) -> Row
  {
    func fault(_ reason: String) -> DatasetError {
      DatasetError(path: path, at: row.place, reason: reason)
    }
    let (columns, missing) = mapping.apply(to: row.columns)
    if let entry = missing.first {
      throw fault("has no column '\(entry.path)' for '\(entry.name)'; it has \(row.columnList)")
    }
    do throws(PromptFormError) {
      if let prompt = columns["prompt"], let completion = columns["completion"] {
        return try pair(prompt: try Prompt(json: prompt), completion)
      }
      if let messages = columns["messages"] {
        guard case .messages(let turns) = try Prompt(json: messages) else {
          throw PromptFormError("must be a list, in the column 'messages'")
        }
        guard turns.contains(where: { $0.role == "assistant" }) else {
          throw PromptFormError("has no turn of the assistant to learn, in the column 'messages'")
        }
        return .conversation(turns)
      }
      if let text = columns["text"]?.string { return .text(text) }
    } catch {
      throw fault("prompt \(error.reason)")
    }
    throw fault(
      "has neither 'prompt' and 'completion', nor 'messages', nor 'text'; it has "
        + "\(row.columnList); name them: --columns prompt=COLUMN,completion=COLUMN")
  }

  /// A prompt with its completion; TRL's conversational form has lists of messages in both.
  private static func pair(prompt: Prompt, _ json: JSONValue) throws(PromptFormError) -> Row {
    switch (prompt, json) {
    case (.text, .string(let text)): return .completion(prompt: prompt, completion: text)
    case (.messages(let messages), .string(let text)):
      return .answer(
        prompt: messages, completion: [ChatMessage(role: "assistant", content: text)])
    default: break
    }
    guard case .array(let elements) = json, !elements.isEmpty else {
      throw PromptFormError("has a completion that is neither a text nor a list of messages")
    }
    var turns: [ChatMessage] = []
    for element in elements { turns.append(try ChatMessage(json: element)) }
    guard turns[0].role == "assistant" else {
      throw PromptFormError("has a completion whose first message is not the assistant's")
    }
    switch prompt {
    case .messages(let messages): return .answer(prompt: messages, completion: turns)
    case .text:
      guard turns.count == 1 else {
        throw PromptFormError(
          "is a text and its completion has \(turns.count) messages; give the prompt as messages too"
        )
      }
      return .completion(prompt: prompt, completion: turns[0].content)
    }
  }
}
