import Foundation

/// A file of rows, read whatever its form; the bytes are hashed on the way.
public struct DatasetFile: Sendable {
  /// The path as it was given.
  public var path: String
  /// The rows in order.
  public var rows: [DatasetRow]
  /// The SHA-256 of the file's bytes, in hexadecimal.
  public var contentHash: String

  /// How a file holds rows.
  public enum Form: Sendable, Hashable {
    /// A JSON object per line.
    case jsonLines
    /// A JSON list of objects.
    case jsonArray
    /// Fields between separators, the first line naming the columns.
    case delimited(separator: UInt8)
  }

  /// A line longer than this is refused: memory stays bounded whatever the file.
  static let lineLimit = 64 << 20
  /// A list in one piece may be this long; longer data belongs in lines.
  static let wholeLimit = 256 << 20

  /// Reads all rows of a file.
  ///
  /// Time and memory are linear in the file's length.
  /// - Throws: `DatasetError` naming the line.
  public init(reading path: String) throws(DatasetError) {
    try self.init(DatasetFiles(name: path, paths: [path]))
  }

  /// Reads all rows of a part of a data set; what is in a foreign form is converted first.
  init(_ files: DatasetFiles) throws(DatasetError) {
    var source = try LineSource(files.paths[0], name: files.name)
    let beginning = try source.peek()
    guard let form = ForeignDataset.Form(of: files.paths[0], beginning: beginning) else {
      let form = try Self.form(of: files.paths[0], beginning: beginning, name: files.name)
      try self.init(source, path: files.name, form: form)
      return
    }
    let copy = try ForeignDataset(
      name: files.name, files: files.paths, form: form,
      environment: ProcessInfo.processInfo.environment
    ).converted()
    source = try LineSource(copy, name: files.name)
    let copied = try Self.form(of: copy, beginning: source.peek(), name: files.name)
    try self.init(source, path: files.name, form: copied)
  }

  private init(
    _ source: consuming LineSource, path: String, form: Form
  ) throws(DatasetError) {
    var source = source
    self.path = path
    switch form {
    case .jsonLines: rows = try Self.jsonLines(&source)
    case .jsonArray: rows = try Self.jsonArray(try source.rest(limit: Self.wholeLimit), path)
    case .delimited(let separator):
      rows = try DelimitedText.rows(
        of: try source.rest(limit: Self.wholeLimit), separator: separator, path: path)
    }
    contentHash = source.finishHash()
    if rows.isEmpty {
      throw DatasetError(path: path, reason: "has no rows")
    }
  }

  private static func jsonLines(_ source: inout LineSource) throws(DatasetError) -> [DatasetRow] {
    var rows: [DatasetRow] = []
    while let line = try source.nextLine() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      let value: JSONValue
      do { value = try JSONValue.parse(bytes: line) } catch {
        throw DatasetError(
          path: source.path, at: .line(source.lineNumber),
          reason: "is not JSON at column \(error.column): \(error.reason)")
      }
      guard case .object(let columns) = value else {
        throw DatasetError(
          path: source.path, at: .line(source.lineNumber),
          reason: "must be an object, {\"prompt\": …}, not \(shortText(value))")
      }
      rows.append(DatasetRow(place: .line(source.lineNumber), columns: columns))
    }
    return rows
  }

  private static func jsonArray(_ bytes: [UInt8], _ path: String) throws(DatasetError)
    -> [DatasetRow]
  {
    let value: JSONValue
    do { value = try JSONValue.parse(bytes: bytes) } catch {
      throw DatasetError(
        path: path, at: .line(error.line),
        reason: "is not JSON at column \(error.column): \(error.reason)")
    }
    guard case .array(let elements) = value else {
      throw DatasetError(
        path: path,
        reason: "is one JSON value; rows are a list of objects, or an object per line")
    }
    var rows: [DatasetRow] = []
    rows.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      guard case .object(let columns) = element else {
        throw DatasetError(
          path: path, at: .element(index + 1),
          reason: "must be an object, {\"prompt\": …}, not "
            + shortText(element))
      }
      rows.append(DatasetRow(place: .element(index + 1), columns: columns))
    }
    return rows
  }

  private static func shortText(_ value: JSONValue) -> String {
    let text = value.jsonText
    return text.count <= 40 ? text : text.prefix(39) + "…"
  }
}

extension DatasetFile {
  /// The form of a file by its first bytes and its name.
  private static func form(
    of path: String, beginning: [UInt8], name shown: String
  ) throws(DatasetError) -> Form {
    func refuse(_ reason: String) -> DatasetError { DatasetError(path: shown, reason: reason) }
    let name = path.lowercased()
    if beginning.starts(with: Array("PK\u{3}\u{4}".utf8)) {
      throw refuse("is a zip archive; type: unzip '\(path)'")
    }
    if name.hasSuffix(".csv") { return .delimited(separator: UInt8(ascii: ",")) }
    if name.hasSuffix(".tsv") { return .delimited(separator: UInt8(ascii: "\t")) }
    let hasMark = beginning.starts(with: [0xEF, 0xBB, 0xBF])
    let text = beginning.dropFirst(hasMark ? 3 : 0)
    switch text.first(where: { ![0x20, 0x0A, 0x0D, 0x09].contains($0) }) {
    case nil: throw refuse("is empty; a data set has a row per line, {\"prompt\": \"…\"}")
    case UInt8(ascii: "["): return .jsonArray
    case UInt8(ascii: "{"): return isOneObject(text, name) ? .jsonArray : .jsonLines
    default:
      if name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") { return .jsonLines }
      throw refuse(
        "is neither JSON lines, {\"prompt\": \"…\"} a line, nor a JSON list, nor named .csv")
    }
  }

  /// Whether a .json file is one object over several lines: read whole, to say so.
  private static func isOneObject(_ text: ArraySlice<UInt8>, _ name: String) -> Bool {
    guard name.hasSuffix(".json") else { return false }
    let line = text.prefix { $0 != 0x0A }
    return line.count < text.count && (try? JSONValue.parse(bytes: Array(line))) == nil
  }
}
