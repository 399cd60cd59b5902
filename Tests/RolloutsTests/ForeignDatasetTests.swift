import Foundation
import TestSupport
import Testing

@testable import Rollouts

@Suite("Data in forms that Python reads for us")
struct ForeignDatasetTests {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("foreign-\(UInt64.random(in: 0 ... .max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  /// A Python that has pyarrow, for tests of Parquet and Arrow: the first of the path, or the one that is named.
  private static let pythonWithArrow: String? = {
    let named = ProcessInfo.processInfo.environment["GRPO_TEST_PYTHON"]
    guard let python = named ?? PythonInterpreter.find() else { return nil }
    return run(python, ["-c", "import pyarrow.parquet"]) == 0 ? python : nil
  }()

  private static let hasPython = PythonInterpreter.find() != nil

  @discardableResult
  private static func run(_ program: String, _ arguments: [String]) -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    do { try process.run() } catch { return 127 }
    process.waitUntilExit()
    return process.terminationStatus
  }

  private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  private func write(_ text: String, to name: String) throws {
    let file = folder.appendingPathComponent(name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }

  /// Variables with a cache of the test's own and, first in the path, a program called python3.
  private func environment(python: String?) throws -> [String: String] {
    var result = ["HOME": path("home"), "PATH": path("bin")]
    try FileManager.default.createDirectory(
      atPath: path("bin"), withIntermediateDirectories: true)
    if let python, !FileManager.default.fileExists(atPath: path("bin/python3")) {
      // A virtual environment is told by where its interpreter lies.
      try write("#!/bin/sh\nexec \(python) \"$@\"\n", to: "bin/python3")
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o755], ofItemAtPath: path("bin/python3"))
    }
    result["PATH"] = path("bin") + ":/usr/bin:/bin"
    if python == nil { result["PATH"] = path("bin") }
    return result
  }

  private func converted(
    _ names: [String], _ form: ForeignDataset.Form, python: String?
  ) throws -> String {
    try ForeignDataset(
      name: names[0], files: names.map(path), form: form, environment: environment(python: python)
    ).converted()
  }

  private func texts(of path: String) throws -> [String] {
    try Dataset.read(path).problems.map {
      guard case .text(let text) = $0.prompt else { return "" }
      return text
    }
  }

  @Test("what gzip compressed is read, and converted once", .enabled(if: hasPython))
  func gzip() throws {
    try write("{\"prompt\": \"a\"}\n{\"prompt\": \"é\"}\n", to: "rows.jsonl")
    let python = try #require(PythonInterpreter.find())
    Self.run(
      python,
      [
        "-c", "import gzip,sys; gzip.open(sys.argv[2],'wb').write(open(sys.argv[1],'rb').read())",
        path("rows.jsonl"), path("rows.jsonl.gz"),
      ])
    let copy = try converted(["rows.jsonl.gz"], .gzip, python: python)
    #expect(try texts(of: copy) == ["a", "é"])
    // The cache answers without Python; another content is another copy.
    #expect(try converted(["rows.jsonl.gz"], .gzip, python: nil) == copy)
    #expect(copy.hasPrefix(path("home/.cache/grpo/datasets/")))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path("home/.cache/grpo/datasets"))
        .count == 1)
  }

  @Test(
    "a compressed file that is damaged is refused with Python's own words", .enabled(if: hasPython))
  func damagedGzip() throws {
    try Data([0x1F, 0x8B, 8, 0, 1]).write(to: folder.appendingPathComponent("a.jsonl.gz"))
    let error = #expect(throws: DatasetError.self) {
      try converted(["a.jsonl.gz"], .gzip, python: PythonInterpreter.find())
    }
    let sentence = try #require(error).description
    #expect(sentence.contains("could not convert it"))
    #expect(sentence.hasSuffix("convert it by: gunzip --keep '\(path("a.jsonl.gz"))'"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path("home/.cache/grpo/datasets"))
        .isEmpty)
  }

  @Test("without Python the line that converts is given")
  func noPython() throws {
    try write("PAR1", to: "a.parquet")
    let error = #expect(throws: DatasetError.self) {
      try converted(["a.parquet"], .parquet, python: nil)
    }
    let sentence = try #require(error).description
    #expect(sentence.contains("there is no python3 in the PATH"))
    #expect(sentence.contains("pandas.read_parquet('\(path("a.parquet"))')"))
  }

  private static let makeTables = """
    import sys, datetime, decimal, pyarrow as pa, pyarrow.parquet as pq
    table = pa.table({
        "prompt": pa.array([[{"role": "user", "content": "é"}], [{"role": "user", "content": "b"}]]),
        "reward_model": pa.array([{"ground_truth": "1", "style": None}, {"ground_truth": "2", "style": "x"}]),
        "n": pa.array([1, None], pa.int64()), "x": pa.array([0.1, float("nan")]),
        "big": pa.array([2**53 + 1, -(2**63)], pa.int64()), "b": pa.array([b"\\xff", b"ok"]),
        "day": pa.array([datetime.date(2026, 1, 2), None])})
    pq.write_table(table, sys.argv[1] + "/t.parquet")
    with pa.OSFile(sys.argv[1] + "/t.arrow", "wb") as sink:
        with pa.ipc.new_stream(sink, table.schema) as writer: writer.write_table(table)
    with pa.OSFile(sys.argv[1] + "/f.arrow", "wb") as sink:
        with pa.ipc.new_file(sink, table.schema) as writer: writer.write_table(table)
    """

  @Test(
    "Parquet and Arrow keep nested values, whole numbers and nulls",
    .enabled(if: pythonWithArrow != nil, "needs a Python with pyarrow (GRPO_TEST_PYTHON)"))
  func tables() throws {
    let python = try #require(Self.pythonWithArrow)
    try #require(Self.run(python, ["-c", Self.makeTables, folder.path]) == 0)
    for (name, form) in [
      ("t.parquet", ForeignDataset.Form.parquet), ("t.arrow", .arrow), ("f.arrow", .arrow),
    ] {
      let rows = try Dataset.read(converted([name], form, python: python)).problems
      #expect(rows.count == 2)
      #expect(rows[0].prompt == .messages([ChatMessage(role: "user", content: "é")]))
      let first = rows[0].columns
      #expect(first["reward_model"]?["ground_truth"] == "1")
      #expect(first["reward_model"]?["style"] == .null)
      #expect(first["n"] == .integer(1) && rows[1].columns["n"] == .null)
      #expect(first["x"] == .number(0.1) && rows[1].columns["x"] == .null)
      #expect(first["big"] == .integer(9_007_199_254_740_993))
      #expect(rows[1].columns["big"] == .integer(.min))
      #expect(first["b"] == "/w==" && rows[1].columns["b"] == "ok")
      #expect(first["day"] == "2026-01-02")
    }
    // Shards follow one another.
    let both = try Dataset.read(converted(["t.parquet", "t.parquet"], .parquet, python: python))
    #expect(both.problems.count == 4)
  }

  // MARK: Folders and hub names

  private func files(_ path: String, split: DatasetSplit = .train) throws -> [String] {
    try split.files(of: path, environment: ["HF_HOME": self.path("hf")]).paths.map {
      String($0.dropFirst(folder.path.count + 1))
    }
  }

  @Test("a folder's part may be shards of Parquet, compressed, or what save_to_disk wrote")
  func folders() throws {
    try write("", to: "shards/train-00001-of-00002.parquet")
    try write("", to: "shards/train-00000-of-00002.parquet")
    try write("", to: "shards/training.parquet")
    try write("", to: "shards/test.parquet")
    #expect(
      try files(path("shards")) == [
        "shards/train-00000-of-00002.parquet", "shards/train-00001-of-00002.parquet",
      ])
    #expect(try files(path("shards"), split: .evaluation) == ["shards/test.parquet"])
    try write("", to: "packed/train.jsonl.gz")
    #expect(try files(path("packed")) == ["packed/train.jsonl.gz"])
    let state = #"{"_data_files": [{"filename": "data-0.arrow"}, {"filename": "data-1.arrow"}]}"#
    try write(state, to: "saved/state.json")
    #expect(try files(path("saved")) == ["saved/data-0.arrow", "saved/data-1.arrow"])
    try write(#"{"splits": ["train", "test"]}"#, to: "dict/dataset_dict.json")
    try write(state, to: "dict/test/state.json")
    #expect(
      try files(path("dict"), split: .evaluation)
        == ["dict/test/data-0.arrow", "dict/test/data-1.arrow"])
    try write(#"{"splits": ["all"]}"#, to: "other/dataset_dict.json")
    let error = #expect(throws: DatasetError.self) { try files(path("other")) }
    #expect(error?.reason.contains("has the parts all") == true)
    try write(#"{"_data_files": [{"filename": "../x.arrow"}]}"#, to: "evil/state.json")
    #expect(throws: DatasetError.self) { try files(path("evil")) }
  }

  @Test("a hub name is read from the cache; main is taken, others are named")
  func hubNames() throws {
    let hub = "hf/hub/datasets--openai--gsm8k"
    try write("0123abcd", to: "\(hub)/refs/main")
    for name in ["main", "socratic"] {
      try write("", to: "\(hub)/snapshots/0123abcd/\(name)/train-00000-of-00001.parquet")
    }
    let snapshot = "\(hub)/snapshots/0123abcd"
    #expect(
      try files("openai/gsm8k") == ["\(snapshot)/main/train-00000-of-00001.parquet"])
    #expect(
      try files("openai/gsm8k:socratic") == ["\(snapshot)/socratic/train-00000-of-00001.parquet"])
    let missing = #expect(throws: DatasetError.self) { try files("openai/gsm8k:none") }
    #expect(missing?.reason == "has no configuration 'none'; it has main, socratic")
    let absent = #expect(throws: DatasetError.self) { try files("openai/other") }
    #expect(absent?.reason.contains("hf download --repo-type dataset openai/other") == true)

    let two = "hf/hub/datasets--a--b"
    try write("01", to: "\(two)/refs/main")
    for name in ["x", "y"] { try write("", to: "\(two)/snapshots/01/\(name)/train.parquet") }
    let choice = #expect(throws: DatasetError.self) { try files("a/b") }
    #expect(choice?.reason == "has the configurations x, y; name one: a/b:x")

    let data = "hf/hub/datasets--a--c"
    try write("01", to: "\(data)/refs/main")
    try write("", to: "\(data)/snapshots/01/data/train-0.parquet")
    try write("", to: "\(data)/snapshots/01/README.md")
    #expect(try files("a/c") == ["\(data)/snapshots/01/data/train-0.parquet"])
    let flat = "hf/hub/datasets--a--d"
    try write("01", to: "\(flat)/refs/main")
    try write("", to: "\(flat)/snapshots/01/train.jsonl")
    #expect(try files("a/d") == ["\(flat)/snapshots/01/train.jsonl"])
  }
}
