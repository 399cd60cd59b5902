import Foundation
import TestSupport
import Testing

@testable import Rollouts

/// A folder of files for a test, removed with it.
private final class Files {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("grpo-data-\(UUID().uuidString)")

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func write(_ text: String, _ name: String) throws -> String {
    try write(Data(text.utf8), name)
  }

  func write(_ data: Data, _ name: String) throws -> String {
    let url = folder.appendingPathComponent(name)
    try data.write(to: url)
    return url.path
  }
}

@Suite("Reading data sets")
struct DatasetTests {
  private let files: Files

  init() throws { files = try Files() }

  private func fault(_ text: String, _ name: String, mapping: ColumnMapping = .identity) throws
    -> String
  {
    let path = try files.write(text, name)
    let error = #expect(throws: DatasetError.self) { try Dataset.read(path, mapping: mapping) }
    return error?.description.replacing(files.folder.path + "/", with: "") ?? ""
  }

  @Test("JSON lines: text and message prompts, other columns unchanged and in order")
  func jsonLines() throws {
    let path = try files.write(
      """
      {"z": 1, "prompt": "a", "answer": "b", "n": {"x": [1, 2.5, null]}}\r

      {"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "u", "name": "q"}]}
      """, "a.jsonl")
    let data = try Dataset.read(path)
    #expect(data.problems.count == 2)
    #expect(data.problems[0].prompt == .text("a"))
    #expect(data.problems[0].columns.keys == ["z", "answer", "n"])
    #expect(data.problems[0].columns["n"] == ["x": [1, 2.5, .null]])
    #expect(
      data.problems[1].prompt
        == .messages([
          ChatMessage(role: "system", content: "s"),
          ChatMessage(role: "user", content: "u", extra: ["name": "q"]),
        ]))
    #expect(data.places == [.line(1), .line(3)])
    #expect(data.columns == ["z", "answer", "n"])
    #expect(try data.contentHash == SHA256.digest(ofFile: path).hexadecimal)
  }

  @Test("A content of parts, or none, is read as text and kept for templates that look at it")
  func contentParts() throws {
    let parts: JSONValue = [
      ["type": "text", "text": "a "], ["type": "text", "text": "b"],
    ]
    let message = try ChatMessage(json: ["role": "user", "content": parts])
    #expect(message.content == "a b")
    #expect(message.json["content"] == parts)
    let empty = try ChatMessage(json: ["role": "assistant", "content": .null])
    #expect(empty.content == "" && empty.json["content"] == .null)
    #expect(try ChatMessage(json: message.json) == message)
  }

  @Test("A named pipe is read while somebody writes to it, and refused where nobody does")
  func namedPipes() throws {
    let path = files.folder.appendingPathComponent("pipe.jsonl").path
    #expect(mkfifo(path, 0o600) == 0)
    let error = #expect(throws: FileReadError.self) {
      _ = try FileReader(path, patience: 0.2)
    }
    #expect(error?.reason.contains("nobody writes") == true)
    // A thread of its own: those of tasks may all be busy with other tests.
    Thread.detachNewThread {
      let pipe = FileHandle(forWritingAtPath: path)
      try? pipe?.write(contentsOf: Data("{\"prompt\": \"a\"}\n".utf8))
      try? pipe?.close()
    }
    #expect(try Dataset.read(path).problems.count == 1)
  }

  @Test("JSON lists and CSV give the same problems as JSON lines")
  func forms() throws {
    let lines = try files.write("{\"prompt\":\"a,\\n\\\"q\\\"\",\"n\":\"1\"}\n", "a.jsonl")
    let list = try files.write(
      "\u{FEFF}[\n {\"prompt\":\"a,\\n\\\"q\\\"\",\"n\":\"1\"}\n]", "a.json")
    let csv = try files.write("prompt,n\r\n\"a,\n\"\"q\"\"\",1\r\n", "a.csv")
    let tsv = try files.write("prompt\tn\n\"a,\n\"\"q\"\"\"\t1", "a.tsv")
    let expected = try Dataset.read(lines).problems
    for path in [list, csv, tsv] { #expect(try Dataset.read(path).problems == expected) }
  }

  @Test("Columns are renamed, also from inside objects and lists, and joined")
  func mapping() throws {
    let path = try files.write(
      """
      {"question": "q", "body": "b", "reward_model": {"ground_truth": "g", "style": ["x", "y"]}}
      """, "a.jsonl")
    let mapping = try #require(
      ColumnMapping([
        "prompt=body+question", "answer=reward_model.ground_truth", "style=reward_model.style.1",
      ]))
    let problem = try #require(try Dataset.read(path, mapping: mapping).problems.first)
    #expect(problem.prompt == .text("b q"))
    #expect(problem.columns["answer"] == "g")
    #expect(problem.columns["style"] == "y")
    #expect(problem.columns["reward_model"] != nil)
    let renamed = try Dataset.read(
      path, mapping: try #require(ColumnMapping(["prompt=question", "question=body"])))
    #expect(renamed.problems[0].columns["question"] == "b")
    #expect(ColumnMapping(["prompt"]) == nil)
  }

  @Test("A broken line is named, with its column and what was expected")
  func brokenLine() throws {
    let rows = (1...60).map { $0 == 57 ? "{\"prompt\": \"x\" \"y\"}" : "{\"prompt\": \"p\($0)\"}" }
    #expect(
      try fault(rows.joined(separator: "\n"), "d.jsonl")
        == "d.jsonl, line 57: is not JSON at column 16: expected ',' or '}' after a member")
    #expect(
      try fault("{\"prompt\":\"a\"}\n[1]\n", "e.jsonl")
        == "e.jsonl, line 2: must be an object, {\"prompt\": …}, not [1]")
    #expect(
      try fault("[{\"prompt\":\"a\"},\n 5]", "f.json")
        == "f.json, element 2: must be an object, {\"prompt\": …}, not 5")
  }

  @Test(
    "Faults of rows say what was expected and what to do",
    arguments: [
      (
        "{\"question\": \"a\", \"answer\": \"b\"}",
        "x.jsonl, line 1: has no column 'prompt'; it has 'question', 'answer'; say which is the "
          + "prompt: --columns prompt=question"
      ),
      (
        "{\"prompt\": 5}",
        "x.jsonl, line 1: prompt must be a text or a list of messages, not 5"
      ),
      ("{\"prompt\": []}", "x.jsonl, line 1: prompt is an empty list of messages"),
      (
        "{\"prompt\": [{\"content\": \"x\"}]}", "x.jsonl, line 1: prompt message 1 has no role"
      ),
      ("", "x.jsonl: is empty; a data set has a row per line, {\"prompt\": \"…\"}"),
      ("[]", "x.jsonl: has no rows"),
    ])
  func rowFaults(text: String, message: String) throws {
    #expect(try fault(text, "x.jsonl") == message)
  }

  @Test("Faults of CSV name their line")
  func csvFaults() throws {
    #expect(try fault("prompt,n\na,1\nb\n", "a.csv").hasPrefix("a.csv, line 3: has 1 fields where"))
    #expect(
      try fault("prompt\n\"a\nb", "b.csv") == "b.csv, line 2: has a quote that is never closed")
    #expect(try fault("prompt\n\"a\"b\n", "c.csv").hasPrefix("c.csv, line 2: has text after"))
    #expect(
      try fault("prompt,prompt\n", "d.csv") == "d.csv, line 1: names the column 'prompt' twice")
  }

  @Test("Forms that aren't read end with what to type")
  func foreignForms() throws {
    let broken = try fault("PAR1....", "t.parquet")
    #expect(broken.hasPrefix("t.parquet: is Parquet, and "))
    #expect(
      broken.hasSuffix(
        "; convert it by: python3 -c \"import pandas; pandas.read_parquet('t.parquet')"
          + ".to_json('t.jsonl', orient='records', lines=True)\""))
    let hub = #expect(throws: DatasetError.self) { try Dataset.read("openai/gsm8k-none") }
    #expect(hub?.reason.contains("load_dataset('openai/gsm8k-none', split='train')") == true)
    let missing = #expect(throws: DatasetError.self) { try Dataset.read("./none.jsonl") }
    #expect(missing?.description == "./none.jsonl: there is no such file")
    let text = try fault("once upon a time", "story.txt")
    #expect(text.hasPrefix("story.txt: is neither JSON lines"))
  }

  @Test("A folder stands for its train file, or for the one that is held out")
  func folders() throws {
    _ = try files.write("{\"prompt\": \"t\"}", "train.jsonl")
    _ = try files.write("{\"prompt\": \"v\"}", "valid.jsonl")
    _ = try files.write("{\"prompt\": \"x\"}", "test.jsonl")
    #expect(try Dataset.read(files.folder.path).problems[0].prompt == .text("t"))
    let held = try Dataset.read(files.folder.path, split: .evaluation)
    #expect(held.problems[0].prompt == .text("v"))
    let empty = try Files()
    let error = #expect(throws: DatasetError.self) { try Dataset.read(empty.folder.path) }
    #expect(
      error?.reason
        == "is a folder without train.jsonl or the like in Parquet, and not one that save_to_disk wrote; name the file"
    )
  }

  @Test("Rows for the supervised stage: completion, conversation, text")
  func supervised() throws {
    let path = try files.write(
      """
      {"prompt": "a", "completion": "b"}
      {"prompt": [{"role":"user","content":"u"}], "completion": [{"role":"assistant","content":"c"}]}
      {"messages": [{"role":"user","content":"u"},{"role":"assistant","content":"c"}]}
      {"text": "t"}
      """, "s.jsonl")
    let rows = try SupervisedDataset.read(path).rows
    let user = ChatMessage(role: "user", content: "u")
    #expect(rows[0] == .completion(prompt: .text("a"), completion: "b"))
    #expect(
      rows[1]
        == .answer(
          prompt: [user], completion: [ChatMessage(role: "assistant", content: "c")]))
    #expect(rows[2] == .conversation([user, ChatMessage(role: "assistant", content: "c")]))
    #expect(rows[3] == .text("t"))
    let bad = try files.write("{\"prompt\": \"a\", \"answer\": \"b\"}", "t.jsonl")
    let error = #expect(throws: DatasetError.self) { try SupervisedDataset.read(bad) }
    #expect(error?.reason.contains("--columns prompt=COLUMN,completion=COLUMN") == true)
  }

  @Test("References name a part and a weight")
  func references() {
    #expect(DatasetReference("a.jsonl") == DatasetReference("a.jsonl=1"))
    #expect(DatasetReference("a.jsonl=0.5").weight == 0.5)
    #expect(DatasetReference("a.jsonl[10:20]=2").rows == 10..<20)
    #expect(DatasetReference("a.jsonl[:20]").rows == 0..<20)
    #expect(DatasetReference("a.jsonl[20:10]").path == "a.jsonl[20:10]")
    #expect(DatasetReference("a=b.jsonl").path == "a=b.jsonl")
  }

  @Test("A split depends on content alone and keeps equal prompts together")
  func splitting() throws {
    let problems = (0..<1000).map { Problem(index: $0, prompt: .text("p\($0 % 500)")) }
    let (train, held) = Dataset(name: "d", problems: problems, contentHash: "")
      .split(evaluationFraction: 0.2)
    // 500 different prompts: the share has a standard deviation of 1.8%.
    #expect((120...280).contains(held.problems.count))
    #expect(train.problems.count + held.problems.count == 1000)
    #expect(Set(train.problems.map(\.prompt)).isDisjoint(with: held.problems.map(\.prompt)))
    #expect(train.problems.map(\.index) == Array(train.problems.indices))
    let reversed = Dataset(name: "d", problems: problems.reversed(), contentHash: "")
    #expect(
      Set(reversed.split(evaluationFraction: 0.2).evaluation.problems.map(\.prompt))
        == Set(held.problems.map(\.prompt)))
  }

  @Test("Weights repeat rows: the whole part all of them, the fraction some")
  func mixing() {
    func data(_ letter: String) -> Dataset {
      Dataset(
        name: letter,
        problems: (0..<400).map { Problem(index: $0, prompt: .text("\(letter)\($0)")) },
        contentHash: letter)
    }
    let mixed = Dataset.mixing([(data("a"), 2), (data("b"), 0.25)])
    #expect(mixed.problems.count == 800)
    let seen = Dictionary(grouping: mixed.epoch, by: \.self).mapValues(\.count)
    #expect((0..<400).allSatisfy { seen[$0] == 2 })
    // 400 draws at 0.25: standard deviation 8.7.
    #expect((60...140).contains(mixed.epoch.filter { $0 >= 400 }.count))
    #expect(mixed.problems.map(\.index) == Array(0..<800))
  }

  @Test("A curriculum goes from the least difficult to the most, ties in order")
  func curriculum() throws {
    let problems = [3, 1, 2, 1].enumerated().map { index, difficulty in
      Problem(
        index: index, prompt: .text("\(index)"),
        columns: ["difficulty": .integer(Int64(difficulty))])
    }
    let data = Dataset(name: "d", problems: problems, contentHash: "")
    #expect(try data.ordered(byDifficulty: "difficulty").epoch == [1, 3, 2, 0])
    let error = #expect(throws: DatasetError.self) { try data.ordered(byDifficulty: "level") }
    #expect(
      error?.description.hasPrefix("d, element 1: has no number in the column 'level'") == true)
  }

  @Test("Near duplicates are found, different problems are not")
  func nearDuplicates() {
    func problem(_ text: String) -> Problem { Problem(index: 0, prompt: .text(text)) }
    let first = [
      problem("Natalia sold clips to 48 of her friends in April, and half as many in May."),
      problem("A train leaves the station at noon and travels 60 miles an hour for 3 hours."),
    ]
    let second = [
      problem("Natalia sold clips to 48 of her friends in April and half as many in May!"),
      problem("How many eggs does the farmer's duck lay in a week of seven days?"),
    ]
    let pairs = NearDuplicates.find(first, second)
    #expect(pairs.map(\.first) == [0] && pairs.map(\.second) == [0])
  }

  @Test("Any bytes are read or refused", arguments: ["a.jsonl", "a.json", "a.csv"])
  func mutations(name: String) throws {
    let seeds = [
      "a.jsonl": "{\"prompt\": \"a\\u00e9\", \"n\": [1, {}]}\n{\"prompt\": \"b\"}\n",
      "a.json": "[{\"prompt\": \"a\\\"b\", \"n\": -1.5e3}, {\"prompt\": \"b\"}]",
      "a.csv": "prompt,n\n\"a\nb\",1\nc,\"2\"\n",
    ]
    let seed = Array(try #require(seeds[name]).utf8)
    var random = SeededRandom(seed: 7)
    for _ in 0..<300 {
      var bytes = seed
      for _ in 0...random.integer(in: 0...3) {
        let place = random.integer(in: 0...bytes.count - 1)
        switch random.integer(in: 0...2) {
        case 0: bytes[place] = UInt8(random.integer(in: 0...255))
        case 1 where bytes.count > 1: bytes.remove(at: place)
        default: bytes.insert(bytes[random.integer(in: 0...bytes.count - 1)], at: place)
        }
      }
      let path = try files.write(Data(bytes), name)
      _ = try? Dataset.read(path)
    }
  }

  @Test(
    "GSM8K is read whole", .enabled(if: SharedFiles.has("data/gsm8k/train.jsonl")))
  func gsm8k() throws {
    let path = SharedFiles.url("data/gsm8k/train.jsonl").path
    let data = try Dataset.read(path, mapping: try #require(ColumnMapping(["prompt=question"])))
    #expect(data.problems.count == 7473)
    #expect(data.columns == ["answer"])
  }
}
