import Foundation
import Testing

@testable import Transformer

@Suite("Files and folders that appear whole or not at all")
struct AtomicFileTests {
  @Test("A file is replaced, and nothing lies beside it")
  func replaces() throws {
    let folder = try TemporaryFolder()
    let url = try folder.write("old", to: "a.txt")
    try folder.write("left by an interrupted run, longer than what follows", to: "a.txt.partial")
    try AtomicFile.write("new", to: url)
    #expect(try String(contentsOf: url, encoding: .utf8) == "new")
    #expect(try folder.names() == ["a.txt"])
  }

  @Test("A copy has the bytes of what a link leads to")
  func copies() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write(String(repeating: "0123456789", count: 200_000), to: "blob")
    let link = folder.url.appendingPathComponent("link")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: source)
    let target = folder.url.appendingPathComponent("copy")
    try AtomicFile.copy(link, to: target)
    #expect(try Data(contentsOf: target) == Data(contentsOf: source))
    #expect(throws: FileError.self) {
      try AtomicFile.copy(folder.url, to: folder.url.appendingPathComponent("other"))
    }
    #expect(try folder.names() == ["blob", "copy", "link"])
  }

  @Test("A folder that isn't there is named")
  func missingFolder() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("none/a.txt")
    let error = try #require(throws: FileError.self) { try AtomicFile.write("x", to: url) }
    #expect(error.code == ENOENT && error.description.contains("none/a.txt"))
  }

  @Test("A full disk is said to be one, and leaves nothing behind")
  func diskFull() async {
    // In a process of its own: a limit on the size of files stands for the disk's.
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let old = try folder.write("old", to: "model.safetensors")
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
      let small = folder.url.appendingPathComponent("a.txt")
      let writing = try #require(throws: FileError.self) {
        try AtomicFile.write(String(repeating: "x", count: 10_000), to: small)
      }
      #expect(writing.isDiskFull && writing.description.contains("ulimit -f"))
      let reserving = try #require(throws: FileError.self) {
        let writer = try SafetensorsWriter(old, tensors: [TensorSpecification("a", [10_000])])
        try writer.finish()
      }
      #expect(reserving.isDiskFull && reserving.action.hasPrefix("reserve"))
      #expect(throws: FileError.self) {
        try FolderPublisher.publish(to: folder.url.appendingPathComponent("checkpoint")) { aside in
          try AtomicFile.write("fits", to: aside.appendingPathComponent("small"))
          try AtomicFile.write(
            String(repeating: "x", count: 10_000), to: aside.appendingPathComponent("large"))
        }
      }
      #expect(try folder.names() == ["model.safetensors"])
      #expect(try String(contentsOf: old, encoding: .utf8) == "old")
    }
  }

  @Test("A folder appears with everything in it")
  func publishes() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("step-000100")
    try folder.write("left by an interrupted run", to: "step-000100.partial/junk")
    try FolderPublisher.publish(to: url) { aside in
      #expect(!FileManager.default.fileExists(atPath: url.path))
      try AtomicFile.write("1", to: aside.appendingPathComponent("a"))
      let inner = aside.appendingPathComponent("inner")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: false)
      try AtomicFile.write("2", to: inner.appendingPathComponent("b"))
    }
    #expect(try folder.names() == ["step-000100"])
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: url.path).sorted()
        == ["a", "inner", "inner/b"])
  }

  @Test("A folder that is there is exchanged only if asked to")
  func exchanges() throws {
    let folder = try TemporaryFolder()
    try folder.write("old", to: "final/a")
    let url = folder.url.appendingPathComponent("final")
    let error = try #require(throws: FileError.self) {
      try FolderPublisher.publish(to: url) { _ in Issue.record("nothing may be written") }
    }
    #expect(error.code == EEXIST)
    try FolderPublisher.publish(to: url, replacing: true) { aside in
      try AtomicFile.write("new", to: aside.appendingPathComponent("b"))
    }
    #expect(try folder.names() == ["final"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: url.path) == ["b"])
  }

  @Test("A folder whose filling fails leaves the old one and nothing else")
  func fails() throws {
    struct Failure: Error {}
    let folder = try TemporaryFolder()
    try folder.write("old", to: "final/a")
    #expect(throws: Failure.self) {
      try FolderPublisher.publish(
        to: folder.url.appendingPathComponent("final"), replacing: true
      ) { aside in
        try AtomicFile.write("new", to: aside.appendingPathComponent("b"))
        throw Failure()
      }
    }
    #expect(try folder.names() == ["final"])
    #expect(
      try String(contentsOf: folder.url.appendingPathComponent("final/a"), encoding: .utf8)
        == "old")
  }
}
