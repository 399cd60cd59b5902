import Foundation
import Rollouts

/// Reading a small file whole, and JSON from it, in memory that a hostile file can't inflate.
enum WholeFile {
  /// The greatest size of a JSON file beside the weights that is read.
  static let sizeLimit = 64 << 20

  /// Whether something lies at the path; a link to nothing does not count.
  static func exists(_ url: URL) -> Bool { access(url.path, F_OK) == 0 }

  /// The bytes of a regular file of at most `sizeLimit` bytes.
  static func bytes(of url: URL) throws(ModelError) -> [UInt8] {
    let contents: [UInt8]?
    do throws(SystemFailure) { contents = try boundedBytes(of: url) } catch {
      throw ModelError(.missing, path: url.path, error.readingReason)
    }
    guard let contents else {
      throw ModelError(
        .invalid, path: url.path, "is larger than the \(sizeLimit >> 20) MiB that are read")
    }
    return contents
  }

  private static func boundedBytes(of url: URL) throws(SystemFailure) -> [UInt8]? {
    let file = try FileDescriptor.reading(url.path)
    let size = try file.size()
    guard size <= sizeLimit else { return nil }
    var bytes = [UInt8](repeating: 0, count: size)
    try bytes.withUnsafeMutableBufferPointer { buffer throws(SystemFailure) in
      try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
    }
    return bytes
  }

  /// The JSON object that fills a file.
  static func jsonObject(_ url: URL) throws(ModelError) -> JSONObject {
    try jsonObject(bytes: bytes(of: url), path: url.path, repeats: .lastWins)
  }

  /// What to do with an object that has a key twice.
  enum Repeats {
    /// The last value counts, as in Python.
    case lastWins
    /// The text is refused.
    case refused
  }

  /// The JSON object that fills a text.
  static func jsonObject(
    bytes: [UInt8], path: String, repeats: Repeats
  ) throws(ModelError) -> JSONObject {
    let census = JSONCensus(bytes)
    guard census.valueBound <= JSONCensus.valueLimit else {
      throw ModelError(
        .invalid, path: path,
        "holds more than the \(JSONCensus.valueLimit) JSON values that are read")
    }
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue.parse(bytes: bytes) } catch {
      throw ModelError(.invalid, path: path, "is not valid JSON: \(error)")
    }
    guard let object = value.object else {
      throw ModelError(.invalid, path: path, "expected a JSON object")
    }
    if repeats == .refused, JSONCensus.memberCount(of: value) != census.memberCount {
      throw ModelError(.invalid, path: path, "a JSON object has the same key twice")
    }
    return object
  }
}

/// What a JSON text would become, counted without building it.
///
/// The parser makes a value of 24 bytes or more of two bytes of text, and a dictionary of seven
/// (`{"":0}`): a text is counted before it is parsed.
struct JSONCensus {
  /// How many values are read at most; the largest published models have a tenth of it a file.
  static let valueLimit = 1 << 20

  /// An upper bound of the number of values.
  private(set) var valueBound = 1
  /// The number of members of all objects, in valid JSON; repeated keys count each time.
  private(set) var memberCount = 0

  init(_ bytes: [UInt8]) {
    var isInString = false
    var isEscaped = false
    for byte in bytes {
      if isInString {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isInString = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: ":"): memberCount += 1
      case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"): valueBound += 1
      default: break
      }
    }
  }

  /// The number of members of all objects in a value.
  static func memberCount(of value: JSONValue) -> Int {
    switch value {
    case .object(let members):
      members.keys.reduce(members.count) { $0 + memberCount(of: members[$1] ?? .null) }
    case .array(let elements): elements.reduce(0) { $0 + memberCount(of: $1) }
    default: 0
    }
  }
}
