import Foundation
import Rollouts
import TestSupport
import Testing

/// `chat_template_kwargs` reach the template in every command that renders a conversation, and are kept with the run.
@Suite("chat_template_kwargs from start to replay")
struct TemplateVariablesTests {
  private func run(_ words: [String], in folder: TemporaryFolder) throws -> BuiltCommand.Result {
    let ended = try BuiltCommand.run(words, in: folder.url)
    try #require(ended.code == 0, "\(words.joined(separator: " ")): \(ended.errors)")
    return ended
  }

  private func weights(_ run: URL) throws -> Data {
    try Data(contentsOf: run.appendingPathComponent("final/model.safetensors"))
  }

  /// A model of characters, a template that shows the variable `mode`, and two rows, the second with a mode of its own.
  private func prepare(_ folder: TemporaryFolder) throws {
    _ = try run(
      [
        "init", "model", "--hidden-size", "8", "--intermediate-size", "12", "--layers", "1",
        "--heads", "2", "--kv-heads", "1", "--context", "32", "--alphabet", "0123456789+=",
      ], in: folder)
    let template =
      "{% for m in messages %}{{ m.content }}{% endfor %}{% if mode is defined %}{{ mode }}{% endif %}="
    try Data(template.utf8).write(to: folder["template.jinja"])
    let rows = """
      {"prompt": [{"role": "user", "content": "1+1"}]}
      {"prompt": [{"role": "user", "content": "2+1"}], "chat_template_kwargs": {"mode": "8"}}

      """
    try Data(rows.utf8).write(to: folder["rows.jsonl"])
  }

  private static let train = [
    "train", "--model", "model", "--chat-template", "template.jinja", "--dataset", "rows.jsonl",
    "--reward", #"{use: "length", parameters: {target: 2, tolerance: 2}}"#, "--threads", "1",
    "--prompts-per-step", "2", "--num-generations", "2", "--max-completion-length", "3",
    "--save-steps", "1", "--chat-template-kwargs", #"{mode: "7"}"#,
  ]

  @Test("resume, replay, retraining, dry run and doctor keep them")
  func kept() throws {
    let folder = try TemporaryFolder()
    try prepare(folder)
    _ = try run(Self.train + ["--max-steps", "4", "--run", "./whole"], in: folder)
    let lines = try run(["log", "export", "./whole"], in: folder).output
    let prompts = try lines.split(separator: "\n").map { line in
      try JSONValue.parse(String(line))["prompt_ids"]?.array?.compactMap(\.integer)
    }
    // Characters have the ids from 3 on, in the alphabet's order: "1+17=" with the run's mode, "2+18=" with the row's own.
    #expect(Set(prompts) == [[4, 13, 4, 10, 14], [5, 13, 4, 11, 14]])

    _ = try run(Self.train + ["--max-steps", "2", "--run", "./parts"], in: folder)
    _ = try run(["train", "--resume", "./parts", "--max-steps", "4"], in: folder)
    #expect(try weights(folder["parts"]) == weights(folder["whole"]))
    _ = try run(["replay", "./whole"], in: folder)
    _ = try run(["doctor", "--verify", "./whole/final"], in: folder)
    _ = try run(["train", "--rollouts", "./whole", "--run", "./again"], in: folder)
    #expect(try weights(folder["again"]) == weights(folder["whole"]))
    let planned = try run(["train", "--rollouts", "./whole", "--dry-run"], in: folder)
    #expect(try JSONValue.parse(planned.output)["chat_template_kwargs"] == ["mode": "7"])
  }

  @Test("a resumed run refuses others")
  func changed() throws {
    let folder = try TemporaryFolder()
    try prepare(folder)
    _ = try run(Self.train + ["--max-steps", "1", "--run", "./run"], in: folder)
    let refused = try BuiltCommand.run(
      ["train", "--resume", "./run", "--chat-template-kwargs", #"{mode: "6"}"#], in: folder.url)
    #expect(refused.code == 2)
    #expect(refused.errors.contains("chat_template_kwargs: a resumed run keeps it"))
  }
}
