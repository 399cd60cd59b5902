import Foundation
import Testing

@testable import Transformer

@Suite("Types that weights are stored in")
struct StoredTypesTests {
  @Test("Weights in F64 are read; those in 8 bits are refused by name, not called damaged")
  func storedTypes() throws {
    let folder = try TemporaryFolder()
    func file(_ type: String, _ bytes: [UInt8]) throws -> SafetensorsFile {
      let header =
        #"{"a": {"dtype": "\#(type)", "shape": [2], "data_offsets": [0, \#(bytes.count)]}}"#
      let url = folder.url.appendingPathComponent("\(type).safetensors")
      try Data(safetensorsBytes(header: header, data: 0) + bytes).write(to: url)
      return try SafetensorsFile(url)
    }
    let doubles = withUnsafeBytes(of: (0.1, -2.5)) { Array($0) }
    #expect(try file("F64", doubles).values("a") == [0.1, -2.5])
    for type in ["F8_E4M3", "F8_E5M2", "I8"] {
      let error = #expect(throws: ModelError.self) { try file(type, [1, 2]).values("a") }
      let sentence = try #require(error).description
      #expect(sentence.contains("is stored as \(type), "), "\(sentence)")
      #expect(error?.kind == .unsupported && !sentence.contains("download"))
    }
  }
}
