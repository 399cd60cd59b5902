import Foundation
import Rollouts
import Tensors

/// A safetensors file, opened, checked and mapped into memory.
///
/// `read` copies through the file descriptor: a file that is cut short later makes it throw. What
/// `bytes(of:)` gives is the page cache itself, at no memory of ours; should another program cut
/// the file short meanwhile, touching them ends the process (SIGBUS), as for every mapped file. A
/// file that is replaced by renaming, as all writers here do, stays whole for its readers.
public final class SafetensorsFile: Sendable {
  /// Where the file lies.
  public let url: URL
  /// What its `__metadata__` says.
  public let metadata: [String: String]
  /// The tensors' names in the order of their bytes.
  public let names: [String]

  private let entries: [String: SafetensorsHeader.Entry]
  private let file: FileDescriptor
  private let size: Int
  // The pages are never written, and unmapped only when the last reference goes: safe to share.
  private nonisolated(unsafe) let mapping: UnsafeRawPointer

  /// Opens and checks a file, without touching the tensors' bytes.
  /// - Throws: `ModelError` with every fault of the header.
  public init(_ url: URL) throws(ModelError) {
    let path = url.path
    let file = try Self.translatingFailure(path) { () throws(SystemFailure) in
      try FileDescriptor.reading(path)
    }
    let size = try Self.translatingFailure(path) { () throws(SystemFailure) in try file.size() }
    let header = try Self.header(of: file, size: size, path: path)
    posix_fadvise(file.number, 0, 0, POSIX_FADV_SEQUENTIAL)
    let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, file.number, 0)
    guard let address, address != MAP_FAILED else {
      throw ModelError(.missing, path: path, "can't be mapped: \(systemMessage(errno))")
    }
    mapping = UnsafeRawPointer(address)
    metadata = header.metadata
    names = header.entries.map(\.name)
    entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.name, $0) })
    self.url = url
    self.size = size
    self.file = file
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: mapping), size) }

  /// The shape of a tensor, nil where there is none of the name.
  public func specification(of name: String) -> TensorSpecification? {
    entries[name].map { TensorSpecification(name, $0.shape) }
  }

  /// How a tensor is stored; nil where there is none of the name or its type can't be read.
  public func elementType(of name: String) -> ElementType? {
    entries[name].flatMap { ElementType(rawValue: $0.typeName) }
  }

  /// The file's name of a tensor's type ("F32", "I64"), nil where there is none of the name.
  public func typeName(of name: String) -> String? { entries[name]?.typeName }

  /// A tensor's bytes as they are stored, little-endian, not necessarily aligned.
  ///
  /// They are the mapped file's and must not be used after the last reference to this object.
  public func bytes(of name: String) -> UnsafeRawBufferPointer? {
    entries[name].map { entry in
      UnsafeRawBufferPointer(
        start: mapping + entry.range.lowerBound, count: entry.range.count)
    }
  }

  /// A tensor's values as float32.
  /// - Parameters:
  ///   - name: the tensor.
  ///   - range: the elements, in row-major order; nil for all of them.
  /// - Throws: `ModelError` where there is no such tensor, its type is not one of `ElementType`,
  ///   it is shorter, or the file can't be read.
  public func values(
    _ name: String, _ range: Range<Int>? = nil
  ) throws(ModelError) -> [Float] {
    let range = range ?? 0..<(entries[name]?.shape.saturatingProduct ?? 0)
    var values = [Float](repeating: 0, count: range.count)
    let result: Result<Void, ModelError> = values.withUnsafeMutableBufferPointer { buffer in
      do throws(ModelError) {
        return .success(try read(name, from: range.lowerBound, into: buffer))
      } catch {
        return .failure(error)
      }
    }
    try result.get()
    return values
  }

  /// Copies a tensor's values as float32.
  /// - Parameters:
  ///   - name: the tensor.
  ///   - first: the first element to copy, in row-major order.
  ///   - target: room for the elements to copy; `first + target.count` is within the tensor.
  /// - Throws: `ModelError` where there is no such tensor, its type is not one of `ElementType`,
  ///   it is shorter, or the file can't be read.
  func read(
    _ name: String, from first: Int = 0, into target: UnsafeMutableBufferPointer<Float>
  ) throws(ModelError) {
    let path = url.path
    guard let entry = entries[name] else {
      throw ModelError(.invalid, path: path, subject: "tensor \(quoted(name))", "is missing")
    }
    guard let type = ElementType(rawValue: entry.typeName) else {
      throw ModelError(
        .unsupported, path: path, subject: "tensor \(quoted(name))",
        ElementType.unreadableReason(entry.typeName))
    }
    guard first >= 0, first + target.count <= entry.range.count / type.size else {
      throw ModelError(
        .invalid, path: path, subject: "tensor \(quoted(name))",
        "expected \(first + target.count) values, found \(entry.range.count / type.size)")
    }
    let start = entry.range.lowerBound + first * type.size
    try Self.translatingFailure(path) { () throws(SystemFailure) in
      try copy(type, at: start, into: target)
    }
  }

  private func copy(
    _ type: ElementType, at start: Int, into target: UnsafeMutableBufferPointer<Float>
  ) throws(SystemFailure) {
    if type == .float32 {
      return try file.read(into: UnsafeMutableRawBufferPointer(target), at: start)
    }
    // Half of the level-2 cache of common processors: widening finds its source there.
    let chunk = min(target.count, 1 << 18)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: chunk * type.size, alignment: 64)
    defer { scratch.deallocate() }
    var done = 0
    while done < target.count {
      let count = min(chunk, target.count - done)
      let stored = UnsafeMutableRawBufferPointer(rebasing: scratch[..<(count * type.size)])
      try file.read(into: stored, at: start + done * type.size)
      type.widen(
        UnsafeRawBufferPointer(stored),
        into: UnsafeMutableBufferPointer(rebasing: target[done..<done + count]))
      done += count
    }
  }

  private static func header(
    of file: borrowing FileDescriptor, size: Int, path: String
  ) throws(ModelError) -> SafetensorsHeader {
    guard size >= 8 else {
      throw ModelError(
        .invalid, path: path, "is cut short or not a safetensors file: it has \(size) bytes",
        remedy: "download it again")
    }
    let prefix = try bytes(of: file, at: 0, count: 8, path: path)
      .reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let length = try SafetensorsHeader.length(prefix: prefix, fileSize: size, path: path)
    return try SafetensorsHeader(
      json: bytes(of: file, at: 8, count: length, path: path), fileSize: size, path: path)
  }

  private static func bytes(
    of file: borrowing FileDescriptor, at offset: Int, count: Int, path: String
  ) throws(ModelError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    do throws(SystemFailure) {
      try bytes.withUnsafeMutableBufferPointer { buffer throws(SystemFailure) in
        try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
      }
    } catch {
      throw ModelError(.missing, path: path, error.readingReason)
    }
    return bytes
  }

  private static func translatingFailure<Result: ~Copyable>(
    _ path: String, _ body: () throws(SystemFailure) -> Result
  ) throws(ModelError) -> Result {
    do throws(SystemFailure) { return try body() } catch {
      throw ModelError(.missing, path: path, error.readingReason)
    }
  }
}

extension ElementType {
  /// The types that can be read, for messages.
  static var readable: String { allCases.map(\.rawValue).joined(separator: ", ") }

  /// Why a tensor of another type can't be read, as a clause.
  static func unreadableReason(_ typeName: String) -> String {
    let what =
      switch typeName {
      case "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ":
        ", 8-bit floats whose scales are tensors of their own"
      case "F4", "F6_E2M3", "F6_E3M2": ", packed floats of a quantised model"
      case "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64":
        ", integers such as quantised models have"
      default: ""
      }
    return "is stored as \(typeName)\(what); \(readable) are read"
  }

  /// What to do about such tensors.
  static let unreadableRemedy =
    "convert the model to bfloat16 with the Python that made it, such as "
    + "AutoModelForCausalLM.from_pretrained(DIR, dtype=\"bfloat16\").save_pretrained(NEW), or take the "
    + "repository that has it so"
}
