// A safetensors file is: the header's length N in 8 bytes, little-endian; N bytes of JSON, from each
// tensor's name to {"dtype", "shape", "data_offsets": [begin, end]}; the tensors' bytes, to which
// the offsets refer, without gaps. https://github.com/huggingface/safetensors#format

import Rollouts
import Tensors

/// Where each tensor of a safetensors file lies.
///
/// Nothing in a header is believed: what it says must fit the file's size to the byte.
struct SafetensorsHeader: Sendable, Equatable {
  /// One tensor.
  struct Entry: Sendable, Equatable {
    var name: String
    /// The format's name of the type: "F32", "I64".
    var typeName: String
    var shape: [Int]
    /// The tensor's bytes, counted from the file's start.
    var range: Range<Int>
  }

  /// The greatest length that is read, the format's own limit.
  static let lengthLimit = 100_000_000

  /// The tensors in the order of their bytes.
  private(set) var entries: [Entry]
  /// What `__metadata__` says.
  private(set) var metadata: [String: String]

  /// The header's length, which the file's first 8 bytes tell, checked against the file.
  static func length(
    prefix: UInt64, fileSize: Int, path: String
  ) throws(ModelError) -> Int {
    guard prefix <= UInt64(lengthLimit) else {
      throw ModelError(
        .invalid, path: path,
        "is not a safetensors file: its header would have \(prefix) bytes, more than the "
          + "\(lengthLimit) that are allowed")
    }
    guard Int(prefix) <= fileSize - 8 else {
      throw ModelError(
        .invalid, path: path,
        "is cut short or not a safetensors file: its header would have \(prefix) bytes, and the "
          + "file has \(fileSize)", remedy: "download it again")
    }
    return Int(prefix)
  }

  /// Checks a header's JSON against the size of its file.
  /// - Throws: `ModelError` of kind `.invalid` with every faulty tensor.
  init(json bytes: [UInt8], fileSize: Int, path: String) throws(ModelError) {
    let object = try WholeFile.jsonObject(
      bytes: bytes, path: "\(path) (header)", repeats: .refused)
    let dataStart = 8 + bytes.count
    entries = []
    metadata = [:]
    var faults: [ModelError.Fault] = []
    for (name, value) in object {
      do throws(EntryFault) {
        if name == "__metadata__" {
          metadata = try Self.metadata(value)
        } else {
          entries.append(
            try Self.entry(name, value, dataStart: dataStart, dataCount: fileSize - dataStart))
        }
      } catch {
        let subject = name == "__metadata__" ? name : "tensor \(quoted(name))"
        faults.append(ModelError.Fault(subject, error.reason))
      }
    }
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    if faults.isEmpty {
      faults = Self.extentFaults(entries, dataStart: dataStart, fileSize: fileSize)
    }
    if !faults.isEmpty {
      throw ModelError(.invalid, path: path, faults: faults, remedy: "download the file again")
    }
  }

  private struct EntryFault: Error { var reason: String }

  private static func metadata(_ value: JSONValue) throws(EntryFault) -> [String: String] {
    if value.isNull { return [:] }
    guard let object = value.object else { throw EntryFault(reason: "expected an object") }
    var metadata: [String: String] = [:]
    for (key, value) in object {
      guard let text = value.string else {
        throw EntryFault(reason: "expected a text for \(quoted(key))")
      }
      metadata[key] = text
    }
    return metadata
  }

  private static func entry(
    _ name: String, _ value: JSONValue, dataStart: Int, dataCount: Int
  ) throws(EntryFault) -> Entry {
    guard let typeName = value["dtype"]?.string else { throw EntryFault(reason: "has no dtype") }
    guard let bits = ElementType.bitCount(named: typeName) else {
      throw EntryFault(reason: "has the unknown dtype \(quoted(typeName))")
    }
    guard let shape = value["shape"].flatMap(naturals) else {
      throw EntryFault(reason: "has no shape, or one that is not a list of whole numbers")
    }
    guard let offsets = value["data_offsets"].flatMap(naturals), offsets.count == 2 else {
      throw EntryFault(reason: "data_offsets is not a pair of whole numbers")
    }
    guard offsets[0] <= offsets[1], offsets[1] <= dataCount else {
      throw EntryFault(
        reason:
          "its bytes \(offsets[0]) to \(offsets[1]) lie outside the file's \(dataCount) bytes "
          + "of data (is the file cut short?)")
    }
    guard let byteCount = byteCount(shape: shape, bits: bits) else {
      throw EntryFault(reason: "its shape \(shape) is too large")
    }
    guard byteCount == offsets[1] - offsets[0] else {
      throw EntryFault(
        reason: "its shape \(shape) of \(typeName) takes \(byteCount) bytes, and it has "
          + "\(offsets[1] - offsets[0])")
    }
    return Entry(
      name: name, typeName: typeName, shape: shape,
      range: dataStart + offsets[0]..<dataStart + offsets[1])
  }

  private static func naturals(_ value: JSONValue) -> [Int]? {
    guard let elements = value.array else { return nil }
    var numbers: [Int] = []
    for element in elements {
      guard case .integer(let number) = element, number >= 0 else { return nil }
      numbers.append(Int(number))
    }
    return numbers
  }

  private static func byteCount(shape: [Int], bits: Int) -> Int? {
    // A zero anywhere makes the tensor empty, however large the other sizes are.
    if shape.contains(0) { return 0 }
    var count = bits
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      if overflow { return nil }
      count = product
    }
    return count % 8 == 0 ? count / 8 : nil
  }

  /// Bytes that two tensors share, that belong to none, or that follow the last.
  private static func extentFaults(
    _ entries: [Entry], dataStart: Int, fileSize: Int
  ) -> [ModelError.Fault] {
    var faults: [ModelError.Fault] = []
    var end = dataStart
    for entry in entries {
      let start = entry.range.lowerBound
      if start != end {
        let reason =
          start < end
          ? "shares \(end - start) bytes with the tensor before it"
          : "\(start - end) bytes before it belong to no tensor"
        faults.append(ModelError.Fault("tensor \(quoted(entry.name))", reason))
      }
      end = max(end, entry.range.upperBound)
    }
    if end != fileSize {
      faults.append(
        ModelError.Fault(nil, "the last \(fileSize - end) bytes belong to no tensor"))
    }
    return faults
  }
}
