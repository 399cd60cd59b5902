import Foundation
import Rollouts
import Testing

@testable import Tokenizers

/// Compares with cases made by the reference libraries on this machine (docs/tokenizers.md).
///
/// `GRPO_CASES=FOLDER swift test -c release --filter ReferenceCasesTests`: every `encode-*.jsonl`
/// opens with `{"folder": …}`; every `template-*.jsonl` row holds its template.
@Suite(
  "Cases made by the reference libraries",
  .enabled(if: ProcessInfo.processInfo.environment["GRPO_CASES"] != nil))
struct ReferenceCasesTests {
  static func files(_ prefix: String) -> [URL] {
    let folder = URL(
      fileURLWithPath: ProcessInfo.processInfo.environment["GRPO_CASES"] ?? "/nonexistent")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasPrefix(prefix) }.sorted().map(folder.appendingPathComponent)
  }

  @Test("encodings and decodings", arguments: files("encode-"))
  func encodings(file: URL) throws {
    var rows = try rows(file)
    let folder = try #require(rows.removeFirst()["folder"]?.string)
    let tokenizer = try Tokenizer(folder: URL(fileURLWithPath: folder))
    var failures = 0
    for row in rows {
      var problem: String?
      if let text = row["text"]?.string {
        let ids = tokenizer.encode(text, addSpecialTokens: false)
        let special = tokenizer.encode(text, addSpecialTokens: true)
        if ids != row["ids"]?.tokenIDs {
          problem = "\(text.debugDescription) is \(ids), not \(row["ids"]?.tokenIDs ?? [])"
        } else if special != row["with_special"]?.tokenIDs {
          problem = "\(text.debugDescription) with special tokens is \(special)"
        }
        if !isSame(tokenizer.decode(ids, skipSpecialTokens: false), row["decoded"]?.string ?? "") {
          problem = (problem ?? "") + " \(ids) decodes otherwise"
        }
      } else if let ids = row["decode_ids"]?.tokenIDs {
        for (skips, key) in [(false, "decoded"), (true, "skipped")] {
          let text = tokenizer.decode(ids, skipSpecialTokens: skips)
          if !isSame(text, row[key]?.string ?? "") {
            problem =
              "\(ids) is \(text.debugDescription), not \(row[key]?.string.debugDescription ?? "")"
          }
        }
      }
      if let problem {
        failures += 1
        if failures < 8 { print("\(file.lastPathComponent): \(problem)") }
      }
    }
    #expect(failures == 0, "\(failures) of \(rows.count) rows of \(file.lastPathComponent)")
  }

  @Test("templates", arguments: files("template-"))
  func templates(file: URL) throws {
    let rows = try rows(file)
    var failures = 0
    for row in rows {
      let wanted = row["text"]?.string ?? "(an error)"
      let (text, error) = Self.render(row)
      // What the reference refuses may mean something here (a generator as JSON): shown in brief.
      if isSame(text, wanted) { continue }
      if row["text"]?.string == nil {
        if row["label"] == nil { print("lenient.jsonl: \(row["template"]?.string ?? "")") }
        continue
      }
      failures += 1
      if failures < 40 {
        let source = row["label"]?.string ?? row["template"]?.string ?? ""
        print("\(file.lastPathComponent): \(source.prefix(300).debugDescription)")
        print("  gives \(text.debugDescription) \(error)")
        print("  not   \(wanted.debugDescription)")
      }
    }
    #expect(failures == 0, "\(failures) of \(rows.count) rows of \(file.lastPathComponent)")
  }

  private static func end(_ name: String?) -> ConversationEnd {
    switch name {
    case "generation_prompt": .generationPrompt
    case "continue": .insideFinalMessage
    default: .closed
    }
  }

  private static func render(_ row: JSONValue) -> (text: String, error: String) {
    do throws(TemplateError) {
      let template = try ChatTemplate(
        source: row["template"]?.string ?? "", specialTokens: row["special"]?.object ?? [:])
      let text = try template.render(
        messages: row["messages"]?.array ?? [], tools: row["tools"],
        end: Self.end(row["end"]?.string),
        variables: row["variables"]?.object ?? [:],
        now: Date(timeIntervalSince1970: row["now"]?.double ?? 0))
      return (text, "")
    } catch {
      return ("(an error)", error.description)
    }
  }
}

/// Compares every Unicode scalar with what the reference makes of it (`classes.json`).
@Suite(
  "Character classes of the reference library",
  .enabled(if: !ReferenceCasesTests.files("classes.json").isEmpty))
struct ReferenceClassesTests {
  static let classes: JSONObject = {
    guard let file = ReferenceCasesTests.files("classes.json").first,
      let bytes = try? Data(contentsOf: file)
    else { return [:] }
    return (try? JSONValue.parse(bytes: Array(bytes)))?.object ?? [:]
  }()

  static var scalars: some Sequence<Unicode.Scalar> {
    (UInt32(0)...0x10FFFF).lazy.compactMap { Unicode.Scalar($0) }
  }

  private func members(_ key: String) -> Set<UInt32> {
    var members: Set<UInt32> = []
    for range in Self.classes[key]?.array ?? [] {
      let bounds = range.tokenIDs
      for value in UInt32(bounds[0])...UInt32(bounds[1]) { members.insert(value) }
    }
    return members
  }

  private func report(_ key: String, _ ours: Set<UInt32>, _ theirs: Set<UInt32>) {
    func list(_ values: Set<UInt32>) -> String {
      values.sorted().prefix(30).map { value in
        let age = Unicode.Scalar(value)?.properties.age
        return String(value, radix: 16) + "(\(age.map { "\($0.major)" } ?? "-"))"
      }.joined(separator: " ")
    }
    let more = ours.subtracting(theirs)
    let fewer = theirs.subtracting(ours)
    if !more.isEmpty || !fewer.isEmpty {
      print("classes.jsonl: \(key): \(more.count) more: \(list(more))")
      print("classes.jsonl: \(key): \(fewer.count) fewer: \(list(fewer))")
      // Parts of the reference know Unicode 17, the others 16, 9 or 8.
      #expect(ours.symmetricDifference(theirs).count <= 13, "\(key)")
    }
  }

  @Test("patterns") func patterns() throws {
    for key in Self.classes.keys
    where key.contains("\\") || key.contains("[") || key == "." || key.hasPrefix("(?") {
      let program: RegexProgram
      do throws(RegexError) { program = try RegexProgram(key) } catch {
        print("classes.jsonl: \(key): \(error.reason)")
        continue
      }
      var ours: Set<UInt32> = []
      for scalar in Self.scalars {
        let bytes = Array(String(scalar).utf8)
        let matches = bytes.withUnsafeBufferPointer { bytes in
          var search = RegexSearch(program, in: bytes)
          return search.next() != nil
        }
        if matches { ours.insert(scalar.value) }
      }
      report(key, ours, members(key))
    }
  }

  @Test("pre-tokenizers") func preTokenizers() throws {
    for name in ["Punctuation", "Digits", "WhitespaceSplit", "Whitespace"] {
      var steps: [PreTokenizer] = []
      try PreTokenizer.read(
        ComponentReader(file: "", place: "", value: ["type": .string(name)]), into: &steps)
      var ours: Set<UInt32> = []
      for scalar in Self.scalars {
        var count = 0
        Array("漢\(scalar)漢".utf8).withUnsafeBufferPointer { bytes in
          var end = 0
          PreTokenizer.cut(bytes, isFirst: true, by: steps[...]) { piece in
            count += 1
            end += piece.count
          }
        }
        if count != 1 { ours.insert(scalar.value) }
      }
      report("pre:\(name)", ours, members("pre:\(name)"))
    }
  }

  @Test("normalizers") func normalizers() throws {
    for (key, step) in [
      ("lower", Normalizer.lowercase), ("NFC", .form(.nfc)), ("NFD", .form(.nfd)),
      ("NFKC", .form(.nfkc)), ("NFKD", .form(.nfkd)),
    ] {
      func ours(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBufferPointer { step.normalized($0) } ?? bytes
        return String(decoding: result, as: UTF8.self)
      }
      var wanted: [UInt32: String] = [:]
      for pair in Self.classes[key]?.array ?? [] {
        wanted[UInt32(pair.array?[0].integer ?? 0)] = pair.array?[1].string
      }
      var wrong: Set<UInt32> = []
      for scalar in Self.scalars
      where !isSame(ours(String(scalar)), wanted[scalar.value] ?? String(scalar)) {
        wrong.insert(scalar.value)
      }
      report(key, wrong, [])
      for (suffix, prefix) in [(":order", "a\u{301}"), (":order2", "a\u{316}")] where key != "lower"
      {
        var moved: Set<UInt32> = []
        for scalar in Self.scalars
        where !isSame(ours(prefix + String(scalar)), ours(prefix) + ours(String(scalar))) {
          moved.insert(scalar.value)
        }
        report(key + suffix, moved, members(key + suffix))
      }
    }
    for (key, step, prefix, suffix) in [
      ("accents", Normalizer.stripAccents, "x", ""),
      ("strip", .strip(left: true, right: true), "", "x"),
    ] {
      var ours: Set<UInt32> = []
      for scalar in Self.scalars {
        let bytes = Array("\(prefix)\(scalar)\(suffix)".utf8)
        let result = bytes.withUnsafeBufferPointer { step.normalized($0) } ?? bytes
        if result == Array("x".utf8) { ours.insert(scalar.value) }
      }
      report(key, ours, members(key))
    }
  }
}
