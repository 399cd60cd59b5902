import Foundation
import Testing

@testable import Transformer

@Suite("Hostile safetensors files")
struct HostileSafetensorsTests {
  struct Hostile: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var phrase: String

    init(_ name: String, _ header: String, data: Int = 8, length: UInt64? = nil, _ phrase: String) {
      testDescription = name
      bytes = safetensorsBytes(header: header, data: data, length: length)
      self.phrase = phrase
    }
  }

  private static func tensor(
    _ name: String = "a", dtype: String = "F32", shape: String = "[2]", offsets: String = "[0,8]"
  ) -> String {
    #""\#(name)":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  static let files: [Hostile] = [
    Hostile("a header of 4 GB", "{}", length: 4 << 30, "4294967296"),
    Hostile("a header of 2^64 - 1 bytes", "{}", length: .max, "18446744073709551615"),
    Hostile("a header longer than the file", "{}", length: 1000, "cut short"),
    Hostile("a header of no bytes", "", data: 0, "not valid JSON"),
    Hostile("a header that is a list", "[]", data: 0, "expected a JSON object"),
    Hostile("a header that is not UTF-8 JSON", "\u{0}\u{1}", "not valid JSON"),
    Hostile("JSON nested 10,000 deep", String(repeating: "[", count: 10_000), "deep"),
    Hostile(
      "JSON nested 10,000 deep in a shape",
      #"{"a":{"dtype":"F32","shape":"# + String(repeating: "[", count: 10_000), "deep"),
    Hostile(
      "millions of values", "{\"a\":[" + String(repeating: "0,", count: 2 << 20) + "0]}",
      "JSON values"),
    Hostile("a name twice", "{\(tensor()),\(tensor())}", "same key twice"),
    Hostile(
      "a key twice in a tensor",
      #"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "same key twice"),
    Hostile("no dtype", #"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, "no dtype"),
    Hostile("an unknown dtype", "{\(tensor(dtype: "Q4_K"))}", "'Q4_K'"),
    Hostile("a tensor that is a number", #"{"a":3}"#, "no dtype"),
    Hostile("a shape of strings", "{\(tensor(shape: #"["2"]"#))}", "shape"),
    Hostile("a negative size", "{\(tensor(shape: "[-2]"))}", "shape"),
    Hostile("a fractional size", "{\(tensor(shape: "[2.0]"))}", "shape"),
    Hostile(
      "sizes whose product overflows", "{\(tensor(shape: "[4294967296,4294967296]"))}", "too large"),
    Hostile("a size beyond 64 bits", "{\(tensor(shape: "[99999999999999999999]"))}", "shape"),
    Hostile("sizes that don't fit the bytes", "{\(tensor(shape: "[3]"))}", "takes 12 bytes"),
    Hostile("negative offsets", "{\(tensor(offsets: "[-8,0]"))}", "data_offsets"),
    Hostile("offsets the wrong way round", "{\(tensor(offsets: "[8,0]"))}", "outside"),
    Hostile("three offsets", "{\(tensor(offsets: "[0,8,8]"))}", "data_offsets"),
    Hostile("offsets beyond the file", "{\(tensor(offsets: "[8,16]"))}", "cut short"),
    Hostile(
      "offsets near 2^63", "{\(tensor(offsets: "[9223372036854775800,9223372036854775807]"))}",
      "outside"),
    Hostile(
      "tensors that overlap", "{\(tensor()),\(tensor("b", offsets: "[4,12]"))}", data: 12,
      "shares 4 bytes"),
    Hostile(
      "tensors on the same bytes", "{\(tensor()),\(tensor("b"))}", "shares 8 bytes"),
    Hostile(
      "a hole", "{\(tensor()),\(tensor("b", offsets: "[12,20]"))}", data: 20, "belong to no tensor"),
    Hostile("bytes after the last tensor", "{\(tensor())}", data: 16, "last 8 bytes"),
    Hostile("metadata that is a number", "{\"__metadata__\":1,\(tensor())}", "__metadata__"),
    Hostile("metadata of numbers", "{\"__metadata__\":{\"a\":1},\(tensor())}", "expected a text"),
  ]

  @Test("Each is refused with its reason", arguments: files)
  func refused(_ hostile: Hostile) throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("model.safetensors")
    try Data(hostile.bytes).write(to: url)
    let error = try #require(throws: ModelError.self) { try SafetensorsFile(url) }
    #expect(error.description.contains(hostile.phrase), "\(error)")
    #expect(error.description.contains("model.safetensors"))
  }

  @Test("A file cut short at every length of its header is refused", arguments: 0..<100)
  func truncated(_ length: Int) throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("model.safetensors")
    let whole = safetensorsBytes(header: "{\(Self.tensor())}", data: 8)
    guard length < whole.count else { return }
    try Data(whole.prefix(length)).write(to: url)
    #expect(throws: ModelError.self) { try SafetensorsFile(url) }
  }

  @Test("What is no regular file is refused without waiting")
  func notAFile() throws {
    let folder = try TemporaryFolder()
    #expect(throws: ModelError.self) { try SafetensorsFile(folder.url) }
    let pipe = folder.url.appendingPathComponent("pipe")
    #expect(mkfifo(pipe.path, 0o600) == 0)
    let error = try #require(throws: ModelError.self) { try SafetensorsFile(pipe) }
    #expect(error.description.contains("not a regular file"))
    let missing = folder.url.appendingPathComponent("missing")
    #expect(try #require(throws: ModelError.self) { try SafetensorsFile(missing) }.kind == .missing)
  }

  @Test("A file that is cut short after it was opened makes reading throw")
  func truncatedLater() throws {
    let folder = try TemporaryFolder()
    try writeWeights([[TensorSpecification("a", [64, 64])]], to: folder.url)
    let url = folder.url.appendingPathComponent("model.safetensors")
    let file = try SafetensorsFile(url)
    #expect(truncate(url.path, 200) == 0)
    let error = try #require(throws: ModelError.self) { try file.values("a") }
    #expect(error.description.contains("ended while it was read"))
  }

  @Test("Empty tensors, scalars and types that can't be read are sound until they are needed")
  func unusualButSound() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("model.safetensors")
    let header =
      #"{"e":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]},"#
      + #""s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"#
      + #""q":{"dtype":"F4","shape":[2,4],"data_offsets":[4,8]}}  "#
    try Data(safetensorsBytes(header: header, data: 8)).write(to: url)
    let file = try SafetensorsFile(url)
    #expect(try file.values("s") == [0])
    #expect(file.elementType(of: "q") == nil)
    let error = try #require(throws: ModelError.self) { try file.values("q") }
    #expect(error.kind == .unsupported)
    #expect(error.description.contains("'q'") && error.description.contains("F4"))
  }
}
