import CSQLite
import Foundation
import Rollouts
import TestSupport
import Testing

@testable import TrajectoryStore

@Suite("Faults are told in a sentence, and what was committed stays")
struct FaultTests {
  /// A log of one run and two steps, and its writer.
  private func open() throws -> (folder: TemporaryFolder, log: TrajectoryLog) {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
    for index in 0..<2 { try log.append(step: Sample.step(index)) }
    return (folder, log)
  }

  private func fault(_ body: () throws -> Void) -> StoreError? {
    do { try body() } catch let error as StoreError { return error } catch {}
    return nil
  }

  @Test func aSecondWriterIsRefusedUntilTheFirstEnds() throws {
    let folder = try TemporaryFolder()
    do {
      let log = try TrajectoryLog(creating: folder.log)
      try log.begin(run: Sample.run())
      let error = fault { _ = try TrajectoryLog(opening: folder.log) }
      #expect(error?.kind == .busy)
      #expect(error?.description.contains("Another process") == true)
    }
    _ = try TrajectoryLog(opening: folder.log)
  }

  @Test func readersAreWelcomeWhileALogIsWritten() throws {
    let (folder, log) = try open()
    let reader = try TrajectoryReader(readOnly: folder.log)
    #expect(try reader.lastCommittedStep() == 1)
    try log.append(step: Sample.step(2))
    #expect(try reader.lastCommittedStep() == 2)
  }

  @Test func aLogIsNeverOverwritten() throws {
    let folder = try TemporaryFolder()
    do { _ = try TrajectoryLog(creating: folder.log) }
    #expect(fault { _ = try TrajectoryLog(creating: folder.log) }?.kind == .refused)
  }

  @Test func aFileThatNeverGotItsTablesIsTakenOver() throws {
    let folder = try TemporaryFolder()
    try Data().write(to: folder.log)
    #expect(fault { _ = try TrajectoryReader(readOnly: folder.log) }?.kind == .notALog)
    let log = try TrajectoryLog(creating: folder.log)
    try log.begin(run: Sample.run())
  }

  @Test func otherFilesAreNoLogs() throws {
    let folder = try TemporaryFolder()
    #expect(fault { _ = try TrajectoryReader(readOnly: folder.log) }?.kind == .unreachable)
    try Data("not a database, but long enough to look at".utf8).write(to: folder.log)
    #expect(fault { _ = try TrajectoryReader(readOnly: folder.log) }?.kind == .notALog)
    try FileManager.default.removeItem(at: folder.log)
    let other = try Connection(path: folder.log.path, mode: .create)
    try other.execute("CREATE TABLE x (y)")
    #expect(fault { _ = try TrajectoryReader(readOnly: folder.log) }?.kind == .notALog)
    #expect(fault { _ = try TrajectoryLog(opening: folder.log) }?.kind == .notALog)
  }

  @Test func aNewerLogIsLeftAlone() throws {
    let folder = try TemporaryFolder()
    do { _ = try TrajectoryLog(creating: folder.log) }
    do {
      let connection = try Connection(path: folder.log.path, mode: .readWrite)
      try connection.execute("PRAGMA user_version = 99")
    }
    for error in [
      fault { _ = try TrajectoryReader(readOnly: folder.log) },
      fault { _ = try TrajectoryLog(opening: folder.log) },
    ] {
      #expect(error?.kind == .newerLog)
      #expect(error?.description.contains("99") == true)
    }
  }

  @Test func aFullDiskLosesNothingThatWasCommitted() throws {
    let folder = try TemporaryFolder()
    var writer = try LogWriter(path: folder.log.path, creating: true)
    _ = try writer.begin(Sample.run())
    try writer.append(Sample.step(0))
    let pages = try writer.connection.integer("PRAGMA page_count") ?? 0
    try writer.connection.execute("PRAGMA max_page_count = \(pages + 1)")
    let error = fault { try writer.append(Sample.step(1, groups: 40)) }
    #expect(error?.kind == .diskFull)
    #expect(try TrajectoryReader(readOnly: folder.log).steps() == [0])
    try writer.connection.execute("PRAGMA max_page_count = 1000000")
    try writer.append(Sample.step(1))
    #expect(try TrajectoryReader(readOnly: folder.log).steps() == [0, 1])
  }

  @Test func aLockedLogIsSaidToBeLocked() throws {
    let folder = try TemporaryFolder()
    var writer = try LogWriter(path: folder.log.path, creating: true)
    _ = try writer.begin(Sample.run())
    let other = try Connection(path: folder.log.path, mode: .readWrite)
    try other.execute("BEGIN IMMEDIATE")
    sqlite3_busy_timeout(writer.connection.handle, 10)
    #expect(fault { try writer.append(Sample.step(0)) }?.kind == .busy)
    try other.execute("ROLLBACK")
    try writer.append(Sample.step(0))
  }

  @Test func aDeletedLogIsNoticed() throws {
    let (folder, log) = try open()
    let reader = try TrajectoryReader(readOnly: folder.log)
    #expect(try reader.progress() == (1, false))
    try FileManager.default.removeItem(at: folder.log)
    let error = fault { try log.append(step: Sample.step(2)) }
    #expect(error?.kind == .damaged)
    #expect(error?.description.contains("deleted") == true)
    #expect(fault { _ = try reader.progress() } == error)
  }

  @Test func whoFollowsALogSeesItsRunBeginAndEnd() throws {
    let folder = try TemporaryFolder()
    let log = try TrajectoryLog(creating: folder.log)
    let reader = try TrajectoryReader(readOnly: folder.log)
    #expect(try reader.progress() == (nil, false))
    try log.begin(run: Sample.run())
    try log.append(step: Sample.step(4))
    #expect(try reader.progress() == (4, false))
    try log.finish(outcome: "done")
    #expect(try reader.progress() == (4, true))
  }

  @Test func aCorruptPageIsReportedAndOthersStayReadable() throws {
    let folder = try TemporaryFolder()
    do {
      let log = try TrajectoryLog(creating: folder.log)
      try log.begin(run: Sample.run())
      for index in 0..<30 { try log.append(step: Sample.step(index)) }
    }
    let root = try Connection(path: folder.log.path, mode: .readOnly)
      .integer("SELECT rootpage FROM sqlite_schema WHERE name = 'completion_tokens'")
    let page = try #require(root) - 1
    var bytes = try Data(contentsOf: folder.log)
    let start = page * LogWriter.pageSize
    bytes.replaceSubrange(start..<start + 64, with: [UInt8](repeating: 0xFF, count: 64))
    try bytes.write(to: folder.log)
    let reader = try TrajectoryReader(readOnly: folder.log)
    #expect(fault { _ = try reader.step(3) }?.kind == .damaged)
    #expect(try reader.steps().count == 30)
    #expect(try reader.runs().count == 1)
  }

  @Test func recordsThatContradictThemselvesAreRefusedWhole() throws {
    let (folder, log) = try open()
    #expect(fault { try log.append(step: Sample.step(1)) }?.kind == .refused)
    var short = Sample.step(5)
    short.groups[0].completions[0].entropies?.removeLast()
    let error = fault { try log.append(step: short) }
    #expect(error?.kind == .refused)
    #expect(error?.description.contains("entropies") == true)
    var unknown = Sample.step(6)
    unknown.groups[0].completions[0].scores[0].reward = "other"
    #expect(fault { try log.append(step: unknown) }?.kind == .refused)
    var update = Sample.update(0, of: Sample.step(0))
    update.step = 99
    #expect(fault { try log.append(update: update) }?.kind == .refused)
    #expect(try TrajectoryReader(readOnly: folder.log).steps() == [0, 1])
  }

  @Test func aLogInAFolderThatCantBeWrittenIsReadable() throws {
    // Root may write anywhere; an immutable opening is what a read-only folder leads to.
    let (folder, _) = try open()
    let connection = try Connection(path: folder.log.path, mode: .immutable)
    #expect(try connection.integer("SELECT count(*) FROM runs") == 1)
  }
}
