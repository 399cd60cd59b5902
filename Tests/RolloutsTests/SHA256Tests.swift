import Foundation
import Testing

@testable import Rollouts

@Suite("SHA-256")
struct SHA256Tests {
  @Test(
    "The standard's examples (FIPS 180-4, NIST's CAVP)",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        String(repeating: "a", count: 1_000_000),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
      ),
    ])
  func examples(text: String, hexadecimal: String) {
    #expect(SHA256.digest(of: text).hexadecimal == hexadecimal)
  }

  @Test("Pieces of any length give the digest of the whole", arguments: 0..<200)
  func pieces(length: Int) {
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    let whole = SHA256.digest(of: bytes)
    var hash = SHA256()
    var rest = bytes[...]
    var size = 1
    while !rest.isEmpty {
      hash.update(rest.prefix(size))
      rest = rest.dropFirst(size)
      size = size * 3 % 71 + 1
    }
    #expect(hash.finalize() == whole)
  }

  @Test("A file's digest is that of its bytes; what isn't one is refused")
  func files() throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("grpo-sha-\(UUID().uuidString)")
    let bytes = [UInt8](repeating: 0xA5, count: FileReader.pieceLength + 77)
    try Data(bytes).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    #expect(try SHA256.digest(ofFile: url.path) == SHA256.digest(of: bytes))
    let missing = #expect(throws: FileReadError.self) { try SHA256.digest(ofFile: "/nowhere") }
    #expect(missing?.description == "/nowhere: there is no such file")
    let folder = #expect(throws: FileReadError.self) { try SHA256.digest(ofFile: "/") }
    #expect(folder?.description == "/: is a folder, where a file was expected")
  }
}
