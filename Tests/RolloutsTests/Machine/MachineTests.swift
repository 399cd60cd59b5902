import Foundation
import Testing

@testable import Rollouts

@Suite("Memory and disk of the machine")
struct MachineTests {
  @Test("The process's memory lies within the machine's")
  func orders() throws {
    let total = try #require(MachineMemory.total)
    let peak = try #require(MachineMemory.peakResident)
    let available = try #require(MachineMemory.available)
    #expect(peak > 1 << 20 && peak < total)
    #expect(available > 0 && available <= total)
    #expect(try #require(MachineMemory.resident) > 0)
  }

  @Test("The peak covers memory that was touched and given back")
  func peak() throws {
    let size = 64 << 20
    var during: Int?
    // Every page is written, or it would not be resident; the sum keeps the writes.
    let sum = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      buffer.initialize(repeating: 1)
      during = MachineMemory.resident
      count = size
    }.reduce(0) { $0 &+ Int($1) }
    #expect(sum == size)
    #expect(try #require(during) >= size)
    // The kernel's two counters are kept per processor and may be some pages apart.
    #expect(try #require(MachineMemory.peakResident) + 1 << 20 >= #require(during))
  }

  @Test("Numbers are found by their whole key")
  func keys() {
    let text = "VmHWMx:\t7 kB\nVmHWM:\t  1024 kB\ninactive_file 5\nbad x\n"
    #expect(SystemText.number(after: "VmHWM", in: text) == 1024)
    #expect(SystemText.number(after: "inactive_file", in: text) == 5)
    #expect(SystemText.number(after: "bad", in: text) == nil)
    #expect(SystemText.number(after: "none", in: text) == nil)
  }

  @Test("A control group's limit binds wherever on the way it is set")
  func controlGroups() throws {
    let root = FileManager.default.temporaryDirectory
      .appendingPathComponent("grpo-groups-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    func write(_ text: String, _ path: String) throws {
      let file = root.appendingPathComponent(path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    try write("max\n", "a/b/memory.max")
    try write("1000\n", "a/memory.max")
    try write("700\n", "a/memory.current")
    try write("anon 1\ninactive_file 100\n", "a/memory.stat")
    let second = ControlGroup(membership: "0::/a/b\n", root: root.path)
    #expect(second.tightest?.limit == 1000)
    #expect(second.tightest?.available == 400)

    try write("5000\n", "memory/memory.limit_in_bytes")
    try write("1000\n", "memory/memory.usage_in_bytes")
    let first = ControlGroup(
      membership: "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/y\n", root: root.path)
    #expect(first.tightest?.available == 4000)
    #expect(ControlGroup(membership: "", root: root.path + "/none").tightest == nil)
  }

  @Test("The room for a file that is not there yet is that of its folder")
  func disk() throws {
    let there = try #require(DiskSpace.available(at: FileManager.default.temporaryDirectory.path))
    let notYet = try #require(
      DiskSpace.available(
        at: FileManager.default.temporaryDirectory.path + "/grpo-none/deeper/file"))
    #expect(there > 0 && notYet > 0)
    #expect(DiskSpace.available(at: "no/such/folder") != nil)
    #expect(DiskSpace.available(at: "") != nil)
  }
}
