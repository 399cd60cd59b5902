import Foundation
import Rollouts
import TestSupport
import Testing

/// What is wrong with what a person gave, and what has to be said of it.
struct BadInput: Sendable, CustomTestStringConvertible {
  var testDescription: String
  /// Spoils the model in `model/` or the rows in `rows.jsonl`.
  var spoil: @Sendable (URL) throws -> Void = { _ in }
  /// Options of `grpo train` beside those of a sound run; a later one wins.
  var options: [String: String] = [:]
  /// Parts of the one clear sentence.
  var said: [String]

  init(
    _ description: String, options: [String: String] = [:], said: [String],
    spoil: @escaping @Sendable (URL) throws -> Void = { _ in }
  ) {
    testDescription = description
    self.options = options
    self.said = said
    self.spoil = spoil
  }
}

@Suite("Bad input of grpo train ends with one clear sentence, exit 2, and nothing left behind")
struct BadInputTests {
  static let models: [BadInput] = [
    BadInput(
      "no such folder", options: ["model": "nowhere"], said: ["nowhere: there is no such folder"]),
    BadInput(
      "a hub name", options: ["model": "Qwen/Qwen2.5-0.5B"],
      said: ["hf download Qwen/Qwen2.5-0.5B --local-dir models/Qwen2.5-0.5B"]),
    BadInput("an architecture", said: ["config.json: model_type: 'gpt_neox' is not supported"]) {
      try edit($0["model/config.json"], ["model_type": "gpt_neox"])
    },
    BadInput("a rope type", said: ["rope_scaling.rope_type: 'dynamic' is not supported"]) {
      try edit($0["model/config.json"], ["rope_scaling": ["rope_type": "dynamic", "factor": 4]])
    },
    BadInput(
      "a truncated file", said: ["model.safetensors", "lie outside the file's", "cut short"]
    ) {
      let url = $0["model/model.safetensors"]
      let bytes = try Data(contentsOf: url)
      try bytes.prefix(bytes.count / 2).write(to: url)
    },
    BadInput(
      "a lying header", said: ["model.safetensors", "header would have 1099511627776 bytes"]
    ) {
      let url = $0["model/model.safetensors"]
      var bytes = try Data(contentsOf: url)
      bytes.replaceSubrange(0..<8, with: [0, 0, 0, 0, 0, 1, 0, 0])
      try bytes.write(to: url)
    },
    BadInput("a wrong shape", said: ["q_proj.weight", "has shape [8, 32], expected [16, 16]"]) {
      try editHeader($0) { header in
        header["model.layers.0.self_attn.q_proj.weight"]?["shape"] = [8, 32]
      }
    },
    BadInput(
      "a missing and an unknown tensor",
      said: ["q_proj.weight': is missing", "x_proj.weight': is unknown"]
    ) {
      try editHeader($0) { header in
        header["model.layers.0.self_attn.x_proj.weight"] = header.removeValue(
          forKey: "model.layers.0.self_attn.q_proj.weight")
      }
    },
    BadInput(
      "a kind of tokenizer", said: ["tokenizer.json, model.type", "Unigram", "is not supported"]
    ) {
      try edit($0["model/tokenizer.json"], ["model": ["type": "Unigram", "vocab": []]])
    },
    BadInput(
      "ids beyond the vocabulary", said: ["the tokenizer has ids up to 500", "a vocabulary of 99"]
    ) {
      let url = $0["model/tokenizer.json"]
      var object = try #require(try JSONValue.parse(bytes: Data(contentsOf: url)).object)
      var model = try #require(object["model"]?.object)
      var vocabulary = try #require(model["vocab"]?.object)
      vocabulary["é"] = 500
      model["vocab"] = .object(vocabulary)
      object["model"] = .object(model)
      try Data(JSONValue.object(object).jsonText.utf8).write(to: url)
    },
    BadInput(
      "a reference that isn't there", options: ["beta": "0.1", "reference-model": "nowhere"],
      said: ["nowhere: there is no such folder"]),
  ]

  static let data: [BadInput] = [
    BadInput("a broken line", said: ["rows.jsonl, line 57", "is not JSON"]) {
      var lines = (0..<80).map { #"{"prompt": "\#($0)+1=", "answer": "1"}"# }
      lines[56] = #"{"prompt": "a", "#
      try Data(lines.joined(separator: "\n").utf8).write(to: $0["rows.jsonl"])
    },
    BadInput("no prompt column", said: ["has no column 'prompt'", "--columns prompt=question"]) {
      try Data(#"{"question": "a", "answer": "1"}"#.utf8).write(to: $0["rows.jsonl"])
    },
    BadInput("an empty file", said: ["rows.jsonl: is empty"]) {
      try Data().write(to: $0["rows.jsonl"])
    },
    BadInput("Parquet", options: ["dataset": "rows.parquet"], said: ["is Parquet", "to_json"]) {
      try Data("PAR1".utf8).write(to: $0["rows.parquet"])
    },
    BadInput(
      "a prompt longer than the context",
      said: ["rows.jsonl, row 2", "100 tokens", "context is 64"]
    ) {
      let rows = [3, 100].map {
        #"{"prompt": "\#(String(repeating: "1", count: $0))", "answer": "1"}"#
      }
      try Data(rows.joined(separator: "\n").utf8).write(to: $0["rows.jsonl"])
    },
    BadInput(
      "messages without a template", said: ["row 1", "no chat template", "--chat-template FILE"]
    ) {
      try Data(#"{"prompt": [{"role": "user", "content": "hi"}], "answer": "1"}"#.utf8)
        .write(to: $0["rows.jsonl"])
    },
    BadInput("a reward's column that isn't there", said: ["answer"]) {
      try Data(#"{"prompt": "1+1="}"#.utf8).write(to: $0["rows.jsonl"])
    },
  ]

  static let settings: [BadInput] = [
    BadInput(
      "an unknown setting", options: ["learning-rats": "1"], said: ["did you mean --learning-rate?"]
    ),
    BadInput(
      "values out of range", options: ["learning-rate": "-1", "top-p": "2"],
      said: ["--learning-rate must be", "--top-p must be", "2 faults"]),
    BadInput(
      "contradictory ones", options: ["num-generations": "1"],
      said: ["num_generations is 1 and scale_rewards is group"]),
    BadInput(
      "not enough memory", options: ["memory-limit": "1MB"],
      said: ["the run needs", "memory_limit is 1.0 MiB", "lower"]),
    BadInput(
      "a reward that can't start", options: ["reward": "./nothing.sh"], said: ["nothing.sh"]),
  ]

  @Test("models", arguments: models)
  func model(_ input: BadInput) throws { try expect(input) }

  @Test("rows", arguments: data)
  func rows(_ input: BadInput) throws { try expect(input) }

  @Test("settings", arguments: settings)
  func setting(_ input: BadInput) throws { try expect(input) }

  private func expect(_ input: BadInput) throws {
    let folder = try TemporaryFolder()
    let made = try BuiltCommand.run(
      [
        "init", "model", "--hidden-size", "16", "--intermediate-size", "32", "--context", "64",
      ], in: folder.url)
    try #require(made.code == 0, "\(made.errors)")
    let rows = (0..<8).map { #"{"prompt": "\#($0)+1=", "answer": "\#($0 + 1)"}"# }
    try Data(rows.joined(separator: "\n").utf8).write(to: folder["rows.jsonl"])
    try input.spoil(folder.url)
    let sound = [
      "model": "model", "dataset": "rows.jsonl", "reward": "exact_match", "run": "./out",
      "max-steps": "1", "prompts-per-step": "2", "num-generations": "2",
      "max-completion-length": "8",
    ]
    let options = sound.merging(input.options) { $1 }.flatMap { ["--\($0)", $1] }
    let ended = try BuiltCommand.run(["train"] + options, in: folder.url)
    #expect(ended.code == 2, "\(ended.errors)")
    for part in input.said { #expect(ended.errors.contains(part), "\(ended.errors)") }
    #expect(ended.output.isEmpty)
    #expect(!FileManager.default.fileExists(atPath: folder["out"].path))
  }

  /// Replaces members of a JSON file.
  private static func edit(_ url: URL, _ members: JSONObject) throws {
    var object = try #require(try JSONValue.parse(bytes: Data(contentsOf: url)).object)
    for (name, value) in members { object[name] = value }
    try Data(JSONValue.object(object).jsonText.utf8).write(to: url)
  }

  /// Changes the header of the model's safetensors file, and its length with it.
  private static func editHeader(
    _ folder: URL, _ change: (inout [String: [String: JSONValue]]) -> Void
  ) throws {
    let url = folder["model/model.safetensors"]
    let bytes = try Data(contentsOf: url)
    let length = bytes.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let object = try #require(try JSONValue.parse(bytes: bytes[8..<8 + length]).object)
    var header: [String: [String: JSONValue]] = [:]
    for (name, value) in object {
      header[name] = Dictionary(
        uniqueKeysWithValues: (value.object ?? [:]).map { ($0.key, $0.value) })
    }
    change(&header)
    let json = JSONObject(header.map { ($0.key, .object(JSONObject($0.value.map { ($0, $1) }))) })
    let text = Data(JSONValue.object(json).jsonText.utf8)
    var count = UInt64(text.count).littleEndian
    try (Data(bytes: &count, count: 8) + text + bytes[(8 + length)...]).write(to: url)
  }
}

extension URL {
  fileprivate subscript(name: String) -> URL { appendingPathComponent(name) }
}
