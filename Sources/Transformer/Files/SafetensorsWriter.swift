// The layout is that of SafetensorsHeader.swift. The header is padded with spaces to a multiple of 8,
// so that mapped tensors are aligned.

import Foundation
import Rollouts
import Tensors

/// Writes a safetensors file tensor by tensor, holding none of them.
///
/// The file is written aside and appears by `finish()` alone, whole and synced; a writer that is
/// given up, or whose disk is full, leaves nothing. The bytes depend on nothing but the arguments.
public struct SafetensorsWriter: ~Copyable {
  private let tensors: [TensorSpecification]
  private let elementType: ElementType
  private let file: PartialFile
  private var nextTensor = 0
  private var writtenOfTensor = 0

  /// Begins a file by writing its header, and reserves the space of the whole.
  /// - Parameters:
  ///   - url: where the file is to appear; one that is there is replaced.
  ///   - tensors: the names and shapes, in the order in which the values will come.
  ///   - elementType: how the values are stored.
  ///   - metadata: what `__metadata__` says; transformers wants a `format`.
  public init(
    _ url: URL, tensors: [TensorSpecification], elementType: ElementType = .float32,
    metadata: JSONObject = ["format": "pt"]
  ) throws(FileError) {
    self.tensors = tensors
    self.elementType = elementType
    let header = Self.header(tensors, elementType: elementType, metadata: metadata)
    let file = try PartialFile(url)
    try file.reserve(header.count + tensors.reduce(0) { $0 + $1.count * elementType.size })
    let result: Result<Void, FileError> = header.withUnsafeBytes { buffer in
      do throws(FileError) { return .success(try file.write(buffer)) } catch {
        return .failure(error)
      }
    }
    try result.get()
    self.file = file
  }

  /// Writes the next values of the next tensor, all of them or some, rounded to the nearest where they are
  /// stored shorter.
  /// - Precondition: They are not more than what the tensor still lacks.
  mutating func append(_ values: UnsafeBufferPointer<Float>) throws(FileError) {
    precondition(
      nextTensor < tensors.count
        && values.count <= tensors[nextTensor].count - writtenOfTensor,
      "the values are more than the next tensor's")
    writtenOfTensor += values.count
    if writtenOfTensor == tensors[nextTensor].count {
      nextTensor += 1
      writtenOfTensor = 0
    }
    if elementType == .float32 { return try file.write(UnsafeRawBufferPointer(values)) }
    let chunk = min(values.count, 1 << 18)
    let scratch = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: chunk)
    defer { scratch.deallocate() }
    var done = 0
    while done < values.count {
      let count = min(chunk, values.count - done)
      elementType.narrow(
        UnsafeBufferPointer(rebasing: values[done..<done + count]), into: scratch)
      try file.write(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: scratch[..<count])))
      done += count
    }
  }

  /// Writes the next tensor's values from an array.
  public mutating func append(_ values: [Float]) throws(FileError) {
    let result: Result<Void, FileError> = values.withUnsafeBufferPointer { buffer in
      do throws(FileError) { return .success(try append(buffer)) } catch { return .failure(error) }
    }
    try result.get()
  }

  /// Makes the file appear.
  /// - Precondition: Every tensor has been written.
  public consuming func finish() throws(FileError) {
    precondition(nextTensor == tensors.count, "tensors are missing")
    try file.publish()
  }

  private static func header(
    _ tensors: [TensorSpecification], elementType: ElementType, metadata: JSONObject
  ) -> [UInt8] {
    var object = JSONObject()
    if !metadata.isEmpty { object["__metadata__"] = .object(metadata) }
    var offset = 0
    for tensor in tensors {
      let end = offset + tensor.count * elementType.size
      object[tensor.name] = .object([
        "dtype": .string(elementType.rawValue),
        "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
        "data_offsets": .array([.integer(Int64(offset)), .integer(Int64(end))]),
      ])
      offset = end
    }
    var text = Array(JSONValue.object(object).jsonText.utf8)
    text += Array(repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
  }
}
