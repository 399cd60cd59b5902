import Foundation
import Rollouts
import Testing
import TrajectoryStore

@testable import Commands

/// A log of 12 problems of four patients, with personal data here and there.
private struct PatientLog {
  let run = try? EverydayRun()
  var folder: String { run?.path("run") ?? "" }
  var log: String { folder + "/trajectories.sqlite" }

  init() throws {
    let run = try #require(run)
    let lines = (0..<12).flatMap { problem in
      (0..<2).map { sample in
        #"{"step": \#(problem / 4 + 1), "group": \#(problem), "prompt": "Question \#(problem) about patient number P-\#(problem % 4)?", "#
          + #""prompt_ids": [\#((0..<9).map { String(100 * problem + $0) }.joined(separator: ","))], "#
          + #""completion": "Answer \#(problem).\#(sample) for mail\#(problem)@example.org", "#
          + #""completion_ids": [\#((0..<8).map { String(1000 * problem + 10 * sample + $0) }.joined(separator: ","))], "#
          + #""reward": \#(sample), "patient": "patient-\#(problem % 4)", "age": \#(30 + problem), "ward": "north wing"}"#
      }
    }
    let dump = try run.file("dump.jsonl", lines.joined(separator: "\n"))
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    #expect(run.grpo("log", "import", dump, log).code == .done)
  }

  func bytes(_ file: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: file)) }
}

@Suite("grpo log forget and redact, grpo audit privacy")
struct LogPrivacyTests {
  @Test("A person's rows leave log, index, free pages, journal and exports; others stay")
  func forget() throws {
    let patients = try PatientLog()
    let run = try #require(patients.run)
    let export = run.path("export.jsonl")
    #expect(run.grpo("log", "export", patients.log, "-o", export).code == .done)
    let inside = patients.folder + "/notes.jsonl"
    try Data(contentsOf: URL(fileURLWithPath: export)).write(to: URL(fileURLWithPath: inside))
    let words = ["log", "forget", patients.folder, "--where", "patient=patient-2"]
    let plan = run.grpo(words + ["--json"])
    #expect(plan.code == .done, "\(plan.errors)")
    #expect(try JSONValue.parse(plan.output)["problems"]?.integer == 3)
    #expect(try patients.bytes(patients.log).range(of: Data("patient-2".utf8)) != nil)
    let done = run.grpo(words + ["--export", export, "--yes", "--json"])
    #expect(done.code == .done, "\(done.errors)\(done.output)")
    let outcome = try JSONValue.parse(done.output)
    #expect(outcome["completions"]?.integer == 6 && outcome["remaining"]?.array == [])
    #expect((outcome["searched"]?.integer ?? 0) > 12)
    #expect(outcome["lines"]?.object?.count == 2)
    #expect(outcome["steps"]?.array == [1, 2, 3])
    for file in [patients.log, patients.log + "-wal", export, inside] {
      guard let bytes = try? patients.bytes(file) else { continue }
      for text in ["patient-2", "P-2?", "mail2@example", "mail6@example", "Answer 10.1"] {
        #expect(bytes.range(of: Data(text.utf8)) == nil, "\(file) \(text)")
      }
      #expect(file.hasSuffix("-wal") || bytes.range(of: Data("patient-3".utf8)) != nil)
    }
    // The index finds what is left, and nothing else; SQLite finds no fault.
    let session = try QuerySession(readOnly: URL(fileURLWithPath: patients.log))
    func count(_ word: String) throws -> Int? {
      try session.rows(
        "SELECT count(*) FROM completion_search(:word)", parameters: ["word": .text("\"\(word)\"")]
      ).rows[0][0].integer
    }
    #expect(try count("mail2") == 0 && count("mail3") == 2)
    #expect(try session.rows("PRAGMA integrity_check").rows[0][0].plainText == "ok")
    // The steps say why they can't be used.
    let reader = try TrajectoryReader(readOnly: URL(fileURLWithPath: patients.log))
    #expect { try reader.step(1) } throws: {
      "\($0)".contains("lost 1 groups to 'grpo log forget'")
    }
    #expect(run.grpo(words + ["--yes"]).code == .usage)
  }

  @Test("A file that still holds the bytes is named, with exit 1")
  func remains() throws {
    let patients = try PatientLog()
    let run = try #require(patients.run)
    try Data("x Question 5 about patient number P-1? y".utf8)
      .write(to: URL(fileURLWithPath: patients.folder + "/notes.txt"))
    let done = run.grpo("log", "forget", patients.folder, "--problem", "5", "--yes")
    #expect(done.code == .failed)
    #expect(done.output.contains("notes.txt") && done.output.contains("by hand"))
  }

  @Test("Words of forget that say nothing, or too much")
  func forgetWords() throws {
    let patients = try PatientLog()
    let run = try #require(patients.run)
    for words in [
      [], ["--problem", "99"], ["--where", "patient"], ["--where", "patient=nobody"],
      ["--problem", "1", "--where", "a=b"], ["--problem", "1", "--export", "missing.jsonl"],
    ] {
      #expect(run.grpo(["log", "forget", patients.folder] + words).code == .usage, "\(words)")
    }
  }

  @Test("Columns dropped, hashed, generalized; texts masked with their tokens; provenance kept")
  func redact() throws {
    let patients = try PatientLog()
    let run = try #require(patients.run)
    let copy = run.path("copy.sqlite")
    let words = [
      "log", "redact", patients.folder, "--drop", "ward", "--hash", "patient", "--salt", "s3cret",
      "--generalize", "age=10", "--mask", "email", "-o", copy,
    ]
    let done = run.grpo(words + ["--json"])
    #expect(done.code == .done, "\(done.errors)")
    #expect(try JSONValue.parse(done.output)["texts"]?.integer == 24)
    let bytes = try patients.bytes(copy)
    for text in ["patient-2", "north wing", "@example.org", "s3cret"] {
      #expect(bytes.range(of: Data(text.utf8)) == nil, "\(text)")
    }
    let session = try QuerySession(readOnly: URL(fileURLWithPath: copy))
    let rows = try session.rows("SELECT columns FROM problems ORDER BY id").rows
      .map { try JSONValue.parse($0[0].plainText) }
    #expect(rows[0]["age"]?.string == "30-40" && rows[11]["age"]?.string == "40-50")
    #expect(rows[0]["patient"] == rows[4]["patient"] && rows[0]["patient"] != rows[1]["patient"])
    let text = try session.rows("SELECT text FROM completions ORDER BY id LIMIT 1").rows[0][0]
    #expect(text.plainText == "Answer 0.0 for [email]")
    let provenance = try session.rows("SELECT provenance FROM runs").rows[0][0].plainText
    #expect(provenance.contains("hashed") && provenance.contains("email"))
    let reader = try TrajectoryReader(readOnly: URL(fileURLWithPath: copy))
    #expect { try reader.step(1) } throws: { "\($0)".contains("was redacted") }
    // The log itself is as it was; only columns changed leave a log that can be trained from.
    #expect(try patients.bytes(patients.log).range(of: Data("patient-2".utf8)) != nil)
    let columns = run.grpo("log", "redact", patients.folder, "--drop", "patient", "--yes")
    #expect(columns.code == .done && columns.output.contains("can still be redone"))
    #expect(
      try TrajectoryReader(readOnly: URL(fileURLWithPath: patients.log)).step(1)?.groups.count == 4)
  }

  @Test("Words of redact that say nothing, or too much")
  func redactWords() throws {
    let patients = try PatientLog()
    let run = try #require(patients.run)
    func refusal(_ words: String...) -> String {
      let outcome = run.grpo(["log", "redact", patients.folder] + words)
      #expect(outcome.code == .usage, "\(words)")
      return outcome.errors
    }
    #expect(refusal("--yes").contains("nothing to redact"))
    #expect(refusal("--drop", "patiemt", "--yes").contains("did you mean 'patient'?"))
    #expect(refusal("--drop", "age", "--generalize", "age=5", "--yes").contains("named twice"))
    #expect(refusal("--generalize", "age=0", "--yes").contains("above 0"))
    #expect(refusal("--mask", "name", "--yes").contains("--names"))
    #expect(refusal("--drop", "age").contains("either -o"))
  }

  @Test("An audit of a log's texts counts and places, and prints nothing whole")
  func scan() throws {
    let patients = try PatientLog()
    let run = try #require(patients.run)
    let audit = run.grpo("audit", "privacy", patients.folder, "--json")
    #expect(audit.code == .failed)
    let parsed = try JSONValue.parse(audit.output)
    #expect(parsed["personal_data"]?["email"]?.integer == 24)
    #expect(!audit.output.contains("@example.org") && audit.output.contains("completion 1"))
    #expect(
      run.grpo("audit", "privacy", patients.folder, "--show").output.contains("mail0@example.org"))
    #expect(run.grpo("audit", "privacy", patients.folder, "--allow", "email").code == .done)
  }

  @Test("Quasi-identifiers and sensitive columns of a file")
  func anonymity() throws {
    let run = try EverydayRun()
    let rows = (0..<40).map { "\($0 / 10 * 10),\($0 % 2),\($0 % 3 == 0 ? "flu" : "cold")" }
    let file = try run.file("p.csv", "age,sex,illness\n" + rows.joined(separator: "\n") + "\n")
    let words = ["audit", "privacy", file, "--quasi", "age,sex", "--sensitive", "illness"]
    let passed = run.grpo(words + ["--json"])
    #expect(passed.code == .done, "\(passed.errors)\(passed.output)")
    #expect(try JSONValue.parse(passed.output)["anonymity"]?["k"]?.integer == 5)
    #expect(run.grpo(words + ["--k", "6"]).code == .failed)
    #expect(run.grpo(words + ["--l", "3"]).code == .failed)
    #expect(run.grpo(words + ["--t", "0.01"]).code == .failed)
    let wrong = run.grpo("audit", "privacy", file, "--quasi", "age,gendre")
    #expect(wrong.code == .usage && wrong.errors.contains("has no column 'gendre'"))
    #expect(run.grpo("audit", "privacy", file, "--sensitive", "illness").code == .usage)
    #expect(run.grpo("audit", "privacy", file, "--names", "nowhere.txt").code == .usage)
  }

  @Test("ε before a run")
  func epsilon() throws {
    let run = try EverydayRun()
    let found = run.grpo(
      "audit", "epsilon", "--noise-multiplier", "1.1", "--sampling-rate", "0.01", "--steps", "1000")
    #expect(found.output.hasPrefix("ε = 1.712 at δ = 1e-05"))
    #expect(run.grpo("audit", "epsilon", "--steps", "10").code == .usage)
    let sought = run.grpo(
      "audit", "epsilon", "--epsilon", "1.72", "--sampling-rate", "0.01", "--steps", "1000",
      "--json")
    #expect(
      abs((try JSONValue.parse(sought.output)["noise_multiplier"]?.double ?? 0) - 1.097) < 0.01)
  }
}
