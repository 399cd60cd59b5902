/// Comma-separated values with a header (RFC 4180).
///
/// Quoted fields may hold separators, line breaks and doubled quotes. Every value is text.
enum DelimitedText {
  /// Reads all rows.
  /// - Throws: `DatasetError` naming the line.
  static func rows(of bytes: [UInt8], separator: UInt8, path: String) throws(DatasetError)
    -> [DatasetRow]
  {
    var reader = FieldReader(bytes: bytes, separator: separator, path: path)
    guard let header = try reader.nextRecord() else {
      throw DatasetError(path: path, reason: "is empty; its first line must name the columns")
    }
    if let repeated = Dictionary(grouping: header.fields, by: \.self).first(where: {
      $0.value.count > 1
    }) {
      throw DatasetError(
        path: path, at: .line(header.line), reason: "names the column '\(repeated.key)' twice")
    }
    var rows: [DatasetRow] = []
    while let record = try reader.nextRecord() {
      guard record.fields.count == header.fields.count else {
        throw DatasetError(
          path: path, at: .line(record.line),
          reason: "has \(record.fields.count) fields where the header names "
            + "\(header.fields.count); a text with a separator or a quote stands in quotes")
      }
      let columns = JSONObject(zip(header.fields, record.fields.map(JSONValue.string)))
      rows.append(DatasetRow(place: .line(record.line), columns: columns))
    }
    return rows
  }
}

private struct FieldReader {
  let bytes: [UInt8]
  let separator: UInt8
  let path: String
  private var position = 0
  private var line = 1

  init(bytes: [UInt8], separator: UInt8, path: String) {
    self.bytes = bytes
    self.separator = separator
    self.path = path
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  /// The next line's fields; empty lines are passed over; nil at the end.
  mutating func nextRecord() throws(DatasetError) -> (line: Int, fields: [String])? {
    while takeLineEnd() {}
    guard next != nil else { return nil }
    let start = line
    var fields: [String] = []
    while true {
      fields.append(next == UInt8(ascii: "\"") ? try quotedField() : try plainField())
      if next == separator {
        position += 1
      } else if next == nil || takeLineEnd() {
        return (start, fields)
      } else {
        throw fault("has text after a closing quote; a quote inside a field is doubled")
      }
    }
  }

  private mutating func takeLineEnd() -> Bool {
    if next == 0x0D { position += 1 } else if next != 0x0A { return false }
    if next == 0x0A { position += 1 }
    line += 1
    return true
  }

  private mutating func plainField() throws(DatasetError) -> String {
    let start = position
    while let byte = next, byte != separator, byte != 0x0A, byte != 0x0D { position += 1 }
    return try text(bytes[start..<position])
  }

  private mutating func quotedField() throws(DatasetError) -> String {
    let opening = line
    position += 1
    var field: [UInt8] = []
    while let byte = next {
      position += 1
      if byte == UInt8(ascii: "\"") {
        guard next == UInt8(ascii: "\"") else { return try text(field[...]) }
        position += 1
      }
      if byte == 0x0A { line += 1 }
      field.append(byte)
    }
    line = opening
    throw fault("has a quote that is never closed")
  }

  private func text(_ field: ArraySlice<UInt8>) throws(DatasetError) -> String {
    guard let text = String(validating: field, as: UTF8.self) else {
      throw fault("is not UTF-8 text")
    }
    return text
  }

  private func fault(_ reason: String) -> DatasetError {
    DatasetError(path: path, at: .line(line), reason: reason)
  }
}
