import Foundation
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// A Python that has the original safetensors library: `GRPO_PYTHON`, or `python3`.
private enum PythonLibrary {
  static let program = ProcessInfo.processInfo.environment["GRPO_PYTHON"] ?? "python3"
  static let isThere = (try? run("import safetensors, numpy", isQuiet: true)) == 0

  /// Runs a script and returns its exit status; its complaints go to stderr unless it is quiet.
  static func run(
    _ script: String, _ arguments: String..., isQuiet: Bool = false
  ) throws -> Int32 {
    let ended = try ChildProcess.run([program, "-c", script] + arguments)
    if !isQuiet { FileHandle.standardError.write(Data((ended.output + ended.errors).utf8)) }
    return ended.code
  }
}

@Suite(
  "Exchange with the safetensors library",
  .enabled("needs a Python with safetensors and numpy") { PythonLibrary.isThere })
struct SafetensorsLibraryTests {
  @Test("The library reads what is written here")
  func theirReader() throws {
    let folder = try TemporaryFolder()
    let tensor = TensorSpecification("a.weight", [5, 7])
    for type in ElementType.writable {
      let url = folder.url.appendingPathComponent("\(type.rawValue).safetensors")
      var writer = try SafetensorsWriter(url, tensors: [tensor], elementType: type)
      try writer.append((0..<35).map { Float($0) / 8 - 2 })
      try writer.finish()
    }
    // numpy has no brain float: the library gives its bytes, whose values widen by a shift.
    let script = """
      import sys, numpy as np
      from safetensors import safe_open, deserialize
      want = (np.arange(35, dtype=np.float32) / 8 - 2).reshape(5, 7)
      for kind in ("F32", "F16"):
          with safe_open(f"{sys.argv[1]}/{kind}.safetensors", "np") as f:
              assert f.metadata() == {"format": "pt"} and list(f.keys()) == ["a.weight"]
              assert (f.get_tensor("a.weight").astype(np.float32) == want).all()
      [(name, t)] = deserialize(open(f"{sys.argv[1]}/BF16.safetensors", "rb").read())
      assert (name, t["dtype"], t["shape"]) == ("a.weight", "BF16", [5, 7])
      bits = np.frombuffer(bytes(t["data"]), np.uint16).astype(np.uint32) << 16
      assert (bits.view(np.float32).reshape(5, 7) == want).all()
      """
    #expect(try PythonLibrary.run(script, folder.url.path) == 0)
  }

  @Test("What the library writes is read here")
  func theirWriter() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("theirs.safetensors")
    let script = """
      import sys, numpy as np
      from safetensors.numpy import save_file
      x = (np.arange(35, dtype=np.float32) / 8 - 2).reshape(5, 7)
      save_file({"b": x, "a": x.astype(np.float16), "n": np.arange(3)}, sys.argv[1], {"k": "v"})
      """
    #expect(try PythonLibrary.run(script, url.path) == 0)
    let file = try SafetensorsFile(url)
    let expected = (0..<35).map { Float($0) / 8 - 2 }
    #expect(file.metadata == ["k": "v"])
    #expect(file.names.sorted() == ["a", "b", "n"])
    #expect(try file.values("a") == expected)
    #expect(try file.values("b") == expected)
    #expect(file.typeName(of: "n") == "I64")
  }
}
