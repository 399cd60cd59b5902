import Foundation
import Rollouts
import Testing

@testable import TrajectoryStore

/// A log of a sample run whose steps' times and names differ from any other's.
func writeLog(
  _ folder: TemporaryFolder, name: String, steps: Int = 3,
  change: (inout StepRecord) -> Void = { _ in }
) throws {
  let log = try TrajectoryLog(creating: folder.log)
  try log.begin(run: Sample.run(name: name))
  for index in 0..<steps {
    var step = Sample.step(index)
    step.metrics["time/step"] = Double.random(in: 0...1)
    for group in step.groups.indices {
      for completion in step.groups[group].completions.indices {
        for score in step.groups[group].completions[completion].scores.indices {
          step.groups[group].completions[completion].scores[score].seconds = .random(in: 0...1)
        }
      }
    }
    change(&step)
    try log.append(step: step)
    try log.append(update: Sample.update(0, of: step))
  }
  try log.append(event: EventRecord(kind: "start", message: name))
  try log.append(evaluation: EvaluationRecord(step: 1, dataset: "e", metrics: ["a": 1]))
}

private func canonical(_ folder: TemporaryFolder) throws -> [String] {
  var lines: [String] = []
  try CanonicalExport(readOnly: folder.log).write {
    lines.append($0)
    return true
  }
  return lines
}

@Suite("Two logs are the same but for what is nondeterministic")
struct CanonicalTests {
  @Test func nondeterministicColumnsAreLeftOut() throws {
    let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
    try writeLog(a, name: "one")
    try writeLog(b, name: "two")
    let lines = try canonical(a)
    #expect(lines == (try canonical(b)))
    #expect(lines.count > 100)
    #expect(!lines.contains { $0.contains("committed_at") || $0.contains("time/step") })
    #expect(!lines.contains { $0.contains("\"table\":\"events\"") })
    #expect(lines.contains { $0.contains("sampler_logprobs") })
    #expect(try LogDifference.first(between: a.log, and: b.log) == nil)
  }

  @Test func repeatedUpdatesLeaveNoTrace() throws {
    let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
    try writeLog(a, name: "one")
    try writeLog(b, name: "two")
    let log = try TrajectoryLog(opening: b.log)
    for index in [1, 0, 2] { try log.append(update: Sample.update(0, of: Sample.step(index))) }
    try log.append(evaluation: EvaluationRecord(step: 1, dataset: "e", metrics: ["a": 1]))
    #expect(try LogDifference.first(between: a.log, and: b.log) == nil)
  }

  @Test func aRemovedAndRewrittenTailLeavesNoTrace() throws {
    let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
    try writeLog(a, name: "one")
    try writeLog(b, name: "two")
    let log = try TrajectoryLog(opening: b.log)
    try log.removeSteps(after: 0)
    for index in 1..<3 {
      try log.append(step: Sample.step(index))
      try log.append(update: Sample.update(0, of: Sample.step(index)))
    }
    try log.append(evaluation: EvaluationRecord(step: 1, dataset: "e", metrics: ["a": 1]))
    #expect(try LogDifference.first(between: a.log, and: b.log) == nil)
  }

  @Test func theFirstDifferenceIsNamed() throws {
    let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
    try writeLog(a, name: "one")
    try writeLog(b, name: "two") { step in
      guard step.step == 2 else { return }
      step.groups[1].completions[3].samplerLogProbabilities?[1] = -4
    }
    let difference = try #require(try LogDifference.first(between: a.log, and: b.log))
    // The completion's summary comes before the array in the order of the tables.
    #expect(difference.table == "completions")
    #expect(difference.column == "logprob_mean")
    #expect(difference.place?.hasPrefix("step 2, draw 1, sample 3") == true)
    let (c, d) = (try TemporaryFolder(), try TemporaryFolder())
    try writeLog(c, name: "one")
    try writeLog(d, name: "two") { step in
      guard step.step == 2 else { return }
      step.groups[1].completions[3].keptSets?[1] = .only([7])
    }
    let kept = try #require(try LogDifference.first(between: c.log, and: d.log))
    #expect(kept.table == "completion_tokens")
    #expect(kept.column == "kept_sets")
    #expect(kept.place?.hasPrefix("step 2, draw 1, sample 3") == true)
  }

  @Test func theSettingThatDiffersIsNamedAndALongTextIsCut() throws {
    let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
    for folder in [a, b] { try writeLog(folder, name: "one") }
    let connection = try Connection(path: b.log.path, mode: .readWrite)
    try connection.execute("UPDATE runs SET config = json_set(config, '$.learning_rate', 0.5)")
    let setting = try #require(try LogDifference.first(between: a.log, and: b.log))
    #expect(setting.description.hasPrefix("runs.config.learning_rate (id 1): "))
    #expect(setting.second == "0.5")
    let (c, d) = (try TemporaryFolder(), try TemporaryFolder())
    for folder in [c, d] { try writeLog(folder, name: "one") }
    try Connection(path: d.log.path, mode: .readWrite).execute(
      "UPDATE completions SET text = hex(zeroblob(500)) || 'x' WHERE id = 3")
    let text = try #require(try LogDifference.first(between: c.log, and: d.log))
    #expect(text.column == "text" && text.row == "id 3")
    #expect(text.second?.hasSuffix("…") == true && (text.second ?? "").count < 120)
  }

  @Test func marksAreReadFromTheSchema() {
    let marks = NondeterministicColumns(
      of: """
        CREATE TABLE t (
          -- [nondeterministic where name GLOB 'time/*']
          id INTEGER, -- plain
          seconds REAL, -- how long [nondeterministic]
          note TEXT -- as logs of format 1 say [circumstance]
        ) STRICT
        """)
    #expect(marks.names == ["seconds", "note"])
    #expect(marks.rows == "name GLOB 'time/*'")
    #expect(!marks.isWholeTable)
    #expect(
      NondeterministicColumns(of: "CREATE TABLE t (\n -- [nondeterministic]\n id INTEGER\n)")
        .isWholeTable)
  }

  @Test func everyTimeInTheSchemaIsNondeterministic() throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "one")
    let connection = try Connection(path: folder.log.path, mode: .readOnly)
    for table in try CanonicalTable.all(in: connection) {
      for column in table.columns {
        #expect(!column.hasSuffix("_at") && column != "seconds" && column != "stderr")
      }
      #expect(!table.key.isEmpty)
    }
  }
}

@Suite("Logs as files: export, import, merge, prune")
struct LogFileTests {
  @Test func whatIsExportedIsImportedAgain() throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "one")
    var text = ""
    try RolloutFileWriter(readOnly: folder.log).write {
      text += $0 + "\n"
      return true
    }
    let file = folder.url.appendingPathComponent("rollouts.jsonl")
    try Data(text.utf8).write(to: file)
    let imported = folder.url.appendingPathComponent("imported/log.sqlite")
    try FileManager.default.createDirectory(
      at: imported.deletingLastPathComponent(), withIntermediateDirectories: true)
    let count = try RolloutImport.run(file, into: imported, weights: ["style": 0.5])
    #expect(count == 3 * 2 * 4)
    let (first, second) = (
      try TrajectoryReader(readOnly: folder.log), try TrajectoryReader(readOnly: imported)
    )
    #expect(try second.steps() == [0, 1, 2])
    for step in 0..<3 {
      let kept = try #require(try first.step(step)).groups.filter { !$0.isDropped }
      let groups = try #require(try second.step(step)).groups
      #expect(groups.count == kept.count)
      for (a, b) in zip(kept, groups) {
        #expect(a.promptTokens == b.promptTokens)
        #expect(a.problem.prompt == b.problem.prompt)
        #expect(a.problem.columns == b.problem.columns)
        #expect(a.completions.map(\.completion) == b.completions.map(\.completion))
        #expect(
          a.completions.map { $0.samplerLogProbabilities?.filter { !$0.isNaN } }
            == b.completions.map { $0.samplerLogProbabilities?.filter { !$0.isNaN } })
      }
    }
  }

  @Test(arguments: [
    (#"{"prompt": "a", "completion": "b", "reward": 1}"# + "\n{oops}\n", "line 2"),
    (#"{"completion": "b"}"# + "\n", "neither 'prompt_ids' nor 'prompt'"),
    (#"{"prompt": "a"}"# + "\n", "neither 'completion_ids' nor 'completion'"),
    (
      #"{"prompt": "a", "completion": "b", "step": 3}"# + "\n"
        + #"{"prompt": "a", "completion": "b", "step": 1}"#, "after step 3"
    ),
  ])
  func brokenLinesAreNamed(_ text: String, _ expected: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("x.jsonl")
    try Data(text.utf8).write(to: file)
    let error = #expect(throws: StoreError.self) {
      _ = try RolloutImport.run(file, into: folder.log)
    }
    #expect(error?.description.contains(expected) == true)
  }

  @Test func otherTrainersDumpsAreImported() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("dump.jsonl")
    // No line break at the end, as some dumps have it.
    let text = """
      {"input": "1+1=", "output": "2", "score": 1.0, "step": 4}

      {"input": "1+1=", "output": "3", "score": null, "step": 4}
      """
    try Data(text.utf8).write(to: file)
    #expect(try RolloutImport.run(file, into: folder.log) == 2)
    let step = try #require(try TrajectoryReader(readOnly: folder.log).step(4))
    #expect(step.groups.count == 1)
    #expect(step.groups[0].completions.map(\.reward) == [1, nil])
  }

  @Test func severalRunsFitInOneLog() throws {
    let (a, b, merged) = (try TemporaryFolder(), try TemporaryFolder(), try TemporaryFolder())
    try writeLog(a, name: "one", steps: 2)
    try writeLog(b, name: "two", steps: 3)
    try LogMerge.merge([a.log, b.log], into: merged.log)
    let reader = try TrajectoryReader(readOnly: merged.log)
    #expect(try reader.runs().map(\.record.name) == ["one", "two"])
    #expect(try reader.steps(run: 1) == [0, 1])
    #expect(try reader.steps(run: 2) == [0, 1, 2])
    let original = try TrajectoryReader(readOnly: b.log)
    for step in 0..<3 {
      let copy = try #require(try reader.step(step, run: 2))
      let kept = try #require(try original.step(step))
      #expect(copy.groups.map(\.problem) == kept.groups.map(\.problem))
      #expect(
        copy.groups.flatMap(\.completions).map(\.scores)
          == kept.groups.flatMap(\.completions).map(\.scores))
      #expect(
        try reader.updates(ofStep: step, run: 2).map(\.metrics)
          == original.updates(ofStep: step).map(\.metrics))
    }
    #expect(try reader.connection.integer("SELECT count(*) FROM pragma_foreign_key_check") == 0)
    #expect(
      try reader.connection.integer("SELECT count(*) FROM completion_search('answer')") == 60)
    let twice = try TemporaryFolder()
    #expect(throws: StoreError.self) { try LogMerge.merge([a.log, a.log], into: twice.log) }
    #expect(!FileManager.default.fileExists(atPath: twice.log.path))
    #expect((try FileManager.default.contentsOfDirectory(atPath: twice.url.path)).isEmpty)
  }

  @Test func pruningDropsOnlyArraysOfOldSteps() throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "one", steps: 5)
    let rule = LogPrune(before: 4, keepingEvery: 2)
    let extent = try rule.extent(of: folder.log)
    #expect(extent.steps == 2)
    #expect(extent.bytes > 0)
    #expect(try rule.apply(to: folder.log) == extent)
    let reader = try TrajectoryReader(readOnly: folder.log)
    for step in 0..<5 {
      let completions = try #require(try reader.step(step)).groups.flatMap(\.completions)
      let isPruned = step == 1 || step == 3
      #expect(completions.allSatisfy { ($0.samplerLogProbabilities == nil) == isPruned })
      #expect(completions.allSatisfy { !$0.completion.tokens.isEmpty })
    }
    #expect(try reader.events().last?.kind == "prune")
    #expect(try rule.extent(of: folder.log).completions == 0)
  }
}

@Suite("TensorBoard's files")
struct TensorBoardTests {
  @Test func checksumsAreCastagnolis() {
    // RFC 3720, B.4: 32 bytes of zeros, of ones, and ascending.
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
  }

  @Test func recordsHoldWhatWasWritten() throws {
    let folder = try TemporaryFolder()
    let file = try TensorBoardFile(folder: folder.url, purgingFrom: 5, time: 1000)
    try file.append(step: 7, scalars: ["reward": 0.5, "kl": .nan, "loss": -1], time: 1001)
    let bytes = Array(try Data(contentsOf: file.url))
    var position = 0
    var events: [[UInt8]] = []
    while position < bytes.count {
      let length = bytes[position..<position + 8].enumerated().reduce(0) {
        $0 | Int($1.element) << (8 * $1.offset)
      }
      let data = Array(bytes[position + 12..<position + 12 + length])
      #expect(
        Array(bytes[position..<position + 16 + length]) == TensorBoardFile.record(of: data))
      events.append(data)
      position += 16 + length
    }
    #expect(events.count == 3)
    #expect(String(decoding: events[0], as: UTF8.self).contains("brain.Event:2"))
    // wall_time 1001 as field 1, step 7 as field 2, then the summary: loss −1, reward 0.5.
    var expected: [UInt8] = [0x09] + ProtocolBuffer.littleEndian(1001.0.bitPattern) + [0x10, 7]
    let loss: [UInt8] = [0x0A, 4] + Array("loss".utf8) + [0x15, 0, 0, 0x80, 0xBF]
    let reward: [UInt8] = [0x0A, 6] + Array("reward".utf8) + [0x15, 0, 0, 0, 0x3F]
    let summary = [0x0A, UInt8(loss.count)] + loss + [0x0A, UInt8(reward.count)] + reward
    expected += [0x2A, UInt8(summary.count)] + summary
    #expect(events[2] == expected)
  }
}
