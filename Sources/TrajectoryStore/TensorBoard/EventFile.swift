import Foundation
import Rollouts

/// Scalars in the file format that TensorBoard reads.
///
/// A file is a sequence of records; each is
///
///     length: uint64   masked CRC-32C of the length: uint32   data   masked CRC-32C of data: uint32
///
/// little-endian, and the data is a protocol buffer `Event` (tensorflow/core/util/event.proto), of
/// which the fields written here are
///
///     Event   { double wall_time = 1; int64 step = 2; string file_version = 3;
///               Summary summary = 5; SessionLog session_log = 7 }
///     Summary { repeated Value value = 1 }   Value { string tag = 1; float simple_value = 2 }
///     SessionLog { enum status = 1 }         START = 1: forget what came at this step or later
public final class TensorBoardFile {
  private let handle: FileHandle

  /// The file.
  public let url: URL

  /// Starts a file in a folder, made where it is missing.
  ///
  /// - Parameters:
  ///   - folder: The folder that TensorBoard is pointed at, or one below it.
  ///   - purgingFrom: Where a run resumes: TensorBoard forgets what earlier files say of this step
  ///     and later ones.
  ///   - time: Now, in seconds since 1970.
  public init(
    folder: URL, purgingFrom step: Int? = nil, time: Double = Date().timeIntervalSince1970
  ) throws(StoreError) {
    let name = ProcessInfo.processInfo.hostName
    var file = folder.appendingPathComponent("events.out.tfevents.\(Int(clamping: time)).\(name)")
    var count = 1
    while FileManager.default.fileExists(atPath: file.path) {
      file = folder.appendingPathComponent(
        "events.out.tfevents.\(Int(clamping: time)).\(name).\(count)")
      count += 1
    }
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data().write(to: file)
      handle = try FileHandle(forWritingTo: file)
    } catch {
      throw StoreError(
        .unreachable, "The TensorBoard file \(file.path) can't be made.",
        remedy: "Check the folder's permissions and the disk's space.")
    }
    url = file
    var version = Event(time: time)
    version.fileVersion = "brain.Event:2"
    try write(version)
    if let step {
      var start = Event(time: time)
      start.step = step
      start.isSessionStart = true
      try write(start)
    }
  }

  deinit { try? handle.close() }

  /// Appends the scalars of a step; values that are not finite are left out.
  public func append(
    step: Int, scalars: [String: Double], time: Double = Date().timeIntervalSince1970
  ) throws(StoreError) {
    var event = Event(time: time)
    event.step = step
    event.scalars = scalars.filter(\.value.isFinite).sorted { $0.key < $1.key }
      .map { ($0.key, Float($0.value)) }
    try write(event)
  }

  private func write(_ event: Event) throws(StoreError) {
    do { try handle.write(contentsOf: Data(Self.record(of: event.encoded))) } catch {
      throw StoreError(
        .diskFull, "The TensorBoard file \(url.path) can't be written (\(error)).",
        remedy: "Check the disk's space.")
    }
  }

  /// A record of the file: length and data, each with its checksum.
  static func record(of data: [UInt8]) -> [UInt8] {
    var record: [UInt8] = []
    let length = ProtocolBuffer.littleEndian(UInt64(data.count))
    record += length
    record += ProtocolBuffer.littleEndian(CRC32C.masked(length))
    record += data
    record += ProtocolBuffer.littleEndian(CRC32C.masked(data))
    return record
  }

  /// The fields of an event that this file writes.
  struct Event {
    var time: Double
    var step = 0
    var fileVersion: String?
    var scalars: [(String, Float)] = []
    var isSessionStart = false

    init(time: Double) { self.time = time }

    var encoded: [UInt8] {
      var event = ProtocolBuffer()
      event.append(field: 1, double: time)
      if step != 0 { event.append(field: 2, integer: UInt64(bitPattern: Int64(step))) }
      if let fileVersion { event.append(field: 3, bytes: Array(fileVersion.utf8)) }
      if !scalars.isEmpty {
        var summary = ProtocolBuffer()
        for (tag, value) in scalars {
          var entry = ProtocolBuffer()
          entry.append(field: 1, bytes: Array(tag.utf8))
          entry.append(field: 2, float: value)
          summary.append(field: 1, bytes: entry.bytes)
        }
        event.append(field: 5, bytes: summary.bytes)
      }
      if isSessionStart {
        var session = ProtocolBuffer()
        session.append(field: 1, integer: 1)
        event.append(field: 7, bytes: session.bytes)
      }
      return event.bytes
    }
  }
}

/// A protocol buffer being written, field by field.
struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  mutating func append(field: UInt64, integer: UInt64) {
    appendVariable(field << 3 | 0)
    appendVariable(integer)
  }

  mutating func append(field: UInt64, double: Double) {
    appendVariable(field << 3 | 1)
    bytes += Self.littleEndian(double.bitPattern)
  }

  mutating func append(field: UInt64, bytes content: [UInt8]) {
    appendVariable(field << 3 | 2)
    appendVariable(UInt64(content.count))
    bytes += content
  }

  mutating func append(field: UInt64, float: Float) {
    appendVariable(field << 3 | 5)
    bytes += Self.littleEndian(float.bitPattern)
  }

  private mutating func appendVariable(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

/// The cyclic redundancy check of Castagnoli, reflected polynomial 0x82F63B78 (RFC 3720).
enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in
      crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1
    }
  }

  static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(~UInt32(0)) { crc, byte in
      table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8)
    }
  }

  /// The checksum as TensorBoard's files hold it: rotated, so that a checksum of data that holds
  /// checksums is none of them.
  static func masked(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let crc = checksum(bytes)
    return ((crc >> 15) | (crc << 17)) &+ 0xA282_EAD8
  }
}
