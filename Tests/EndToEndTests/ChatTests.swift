import Foundation
import Rollouts
import TestSupport
import Testing

/// Conversations with the real tokenizers and templates, and small models of the real architectures.
@Suite("Conversations from start to final/")
struct ChatTests {
  /// A family: where its shape, its words and its template come from.
  struct Family: Sendable, CustomTestStringConvertible {
    var name: String
    /// The shape: a file of the shared inputs, or the text of a config.json.
    var config: String
    var tokenizer: String
    /// The text of a `tokenizer_config.json`, where the tokenizer's folder has none.
    var tokenizerConfig: String?
    /// A template in a file of its own, where the tokenizer's folder has none.
    var template: String?
    /// Whether the template has a place for a system message.
    var takesSystem = true

    var testDescription: String { name }
    var isThere: Bool {
      [config.hasPrefix("{") ? nil : config, tokenizer, template].compactMap { $0 }
        .allSatisfy(SharedFiles.has)
    }
  }

  static let families = [
    Family(
      name: "Qwen2.5", config: "models/configs/Qwen2.5-0.5B/config.json",
      tokenizer: "tokenizers/qwen2.5"),
    Family(
      name: "Qwen3", config: "models/configs/Qwen3-0.6B/config.json",
      tokenizer: "tokenizers/qwen3"),
    Family(
      name: "Llama 3.2", config: "models/configs/Llama-3.2-1B/config.json",
      tokenizer: "tokenizers/llama3",
      template: "tokenizers/chat_templates/meta-llama-Llama-3.2-3B-Instruct.jinja"),
    Family(
      name: "SmolLM2", config: "models/configs/SmolLM2-135M/config.json",
      tokenizer: "tokenizers/smollm2",
      // As SmolLM2-135M-Instruct publishes it.
      tokenizerConfig: #"""
        {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>",
         "unk_token": "<|endoftext|>", "tokenizer_class": "GPT2Tokenizer", "chat_template":
         "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"}
        """#),
    Family(
      name: "Mistral",
      config: #"""
        {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_act": "silu",
         "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
         "num_hidden_layers": 32, "num_key_value_heads": 8, "max_position_embeddings": 32768,
         "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096,
         "tie_word_embeddings": false, "vocab_size": 32000, "bos_token_id": 1, "eos_token_id": 2,
         "torch_dtype": "bfloat16"}
        """#,
      tokenizer: "tokenizers/mistral-v1",
      // As Mistral-7B-Instruct-v0.1 publishes it; the begin token is the template's business alone.
      tokenizerConfig: #"""
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
         "tokenizer_class": "LlamaTokenizerFast", "chat_template":
         "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"}
        """#,
      takesSystem: false),
  ].filter(\.isThere)

  /// Conversations: one turn, one with a system message where the template has a place for it, three turns.
  private static func rows(_ family: Family) -> String {
    let system = family.takesSystem ? #"{"role": "system", "content": "Be brief."}, "# : ""
    return """
      {"prompt": [{"role": "user", "content": "What is 2+2?"}], "answer": "4"}
      {"prompt": [\(system){"role": "user", "content": "Grüße! 🙂"}], "answer": "x"}
      {"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, \
      {"role": "user", "content": "c"}], "answer": "d"}

      """
  }

  private static let turns =
    #"{"messages": [{"role": "user", "content": "What is 2+2?"}, {"role": "assistant", "content": "4"}]}"#
    + "\n"

  private func run(_ words: [String], in folder: TemporaryFolder) throws -> BuiltCommand.Result {
    let ended = try BuiltCommand.run(words, in: folder.url)
    try #require(ended.code == 0, "\(words.joined(separator: " ")): \(ended.errors)")
    return ended
  }

  /// Makes a model of the family's architecture, whose vocabulary is whole and all else small.
  private func makeModel(_ family: Family, in folder: TemporaryFolder) throws {
    var config = SharedFiles.url(family.config)
    if family.config.hasPrefix("{") {
      config = folder["config.json"]
      try Data(family.config.utf8).write(to: config)
    }
    var tokenizer = SharedFiles.url(family.tokenizer)
    if let text = family.tokenizerConfig {
      let copy = folder["tokenizer"]
      try FileManager.default.createDirectory(at: copy, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        at: tokenizer.appendingPathComponent("tokenizer.json"),
        to: copy.appendingPathComponent("tokenizer.json"))
      try Data(text.utf8).write(to: copy.appendingPathComponent("tokenizer_config.json"))
      tokenizer = copy
    }
    _ = try run(
      [
        "init", "./base", "--like", config.path, "--tokenizer", tokenizer.path, "--layers", "2",
        "--hidden-size", "16", "--intermediate-size", "40", "--heads", "2", "--kv-heads", "1",
        "--head-size", "8", "--context", "512",
      ], in: folder)
    try Data(Self.rows(family).utf8).write(to: folder["chat.jsonl"])
    try Data(Self.turns.utf8).write(to: folder["turns.jsonl"])
  }

  private static let reward =
    #"{"use": "length", "parameters": {"target": 8, "tolerance": 8}}"#

  private func template(_ family: Family) -> [String] {
    family.template.map { ["--chat-template", SharedFiles.url($0).path] } ?? []
  }

  private func train(_ family: Family, _ more: [String], in folder: TemporaryFolder) throws {
    let words = [
      "train", "--run", "./run", "--dataset", "chat.jsonl", "--reward",
      Self.reward, "--threads", "2",
      "--max-steps", "2", "--prompts-per-step", "3", "--num-generations", "4",
      "--max-completion-length", "6", "--learning-rate", "1e-3",
    ]
    _ = try run(words + template(family) + more, in: folder)
  }

  /// The rows of a run's log as rollouts.
  private func rollouts(_ name: String, in folder: TemporaryFolder) throws -> [JSONObject] {
    let exported = try run(["log", "export", "./\(name)"], in: folder)
    return try exported.output.split(separator: "\n").map {
      try #require(try JSONValue.parse(String($0)).object)
    }
  }

  @Test("train, with a system message", .enabled(if: !families.isEmpty), arguments: families)
  func trains(family: Family) throws {
    let folder = try TemporaryFolder()
    try makeModel(family, in: folder)
    let system = family.takesSystem ? "Answer in one word." : ""
    try train(
      family, ["--model", "./base"] + (system.isEmpty ? [] : ["--system", system]), in: folder)
    let metrics = try RunResult.metrics(folder["run"])
    #expect(metrics.filter { $0["reward"] != nil }.count >= 2)
    let rows = try rollouts("run", in: folder)
    #expect(rows.count == 24)
    #expect(FileManager.default.fileExists(atPath: folder["run/final/tokenizer.json"].path))
    // What was learnt in one template is asked in the same, without being told.
    let again = try run(
      [
        "train", "--run", "./again", "--model", "./run/final", "--dataset", "chat.jsonl",
        "--reward", Self.reward, "--max-steps", "1", "--prompts-per-step", "3",
        "--num-generations", "2", "--max-completion-length", "2",
      ] + (system.isEmpty ? [] : ["--system", system]), in: folder)
    #expect(again.code == 0)
    let prompts = { (rows: [JSONObject]) in
      Dictionary(
        rows.map { ($0["prompt"]?.jsonText ?? "", $0["prompt_ids"]?.jsonText ?? "") },
        uniquingKeysWith: { $1 })
    }
    for (prompt, ids) in prompts(try rollouts("again", in: folder)) {
      #expect(prompts(rows)[prompt] == ids)
    }

    guard let python = Self.python else { return }
    try rows.map { JSONValue.object($0).jsonText + "\n" }.joined()
      .write(to: folder["rollouts.jsonl"], atomically: true, encoding: .utf8)
    let scored = try run(
      ["score", "--model", "./run/final", "--input", "rollouts.jsonl"], in: folder)
    try scored.output.write(to: folder["scored.jsonl"], atomically: true, encoding: .utf8)
    let said = try Self.check(
      python, final: folder["run/final"], folder: folder, system: system)
    #expect(said == "ok\n", "\(family.name): \(said)")
  }

  @Test(
    "a turn that was learnt ends at the template's own token",
    .enabled(if: !families.isEmpty), arguments: families)
  func endOfTurn(family: Family) throws {
    let folder = try TemporaryFolder()
    try makeModel(family, in: folder)
    _ = try run(
      [
        "sft", "--model", "./base", "--sft-dataset", "turns.jsonl", "--run", "./taught",
        "--sft-steps", "150", "--sft-batch-size", "1", "--sft-learning-rate", "3e-2", "--threads",
        "2",
      ] + template(family), in: folder)
    try train(family, ["--model", "./taught/final", "--temperature", "0.2"], in: folder)
    let answers = try rollouts("run", in: folder).filter { row in
      row["prompt"]?.jsonText.contains("2+2") == true
    }
    #expect(answers.count == 8)
    #expect(answers.allSatisfy { $0["finish"]?.string == "stop" })
    // Qwen3's template puts an empty thought before the answer, and so does what was learnt.
    #expect(answers.allSatisfy { $0["completion"]?.string?.hasSuffix("4") == true })
  }

  // MARK: transformers

  private static let python = ProcessInfo.processInfo.environment["GRPO_PYTHON"]

  /// transformers renders the conversations, cuts them into the same tokens, and gives the same
  /// log-probabilities on final/ (1e-5: float32 on both sides, summed in another order).
  private static func check(
    _ python: String, final: URL, folder: TemporaryFolder, system: String
  ) throws -> String {
    let script = """
      import json, sys, torch
      from transformers import AutoModelForCausalLM, AutoTokenizer
      final, rows, scored, system = sys.argv[1:5]
      model = AutoModelForCausalLM.from_pretrained(final, dtype=torch.float32)
      tokenizer = AutoTokenizer.from_pretrained(final)
      worst = 0
      for row, score in zip(map(json.loads, open(rows)), map(json.loads, open(scored))):
          prompt, completion = row["prompt_ids"], row["completion_ids"]
          messages = row["prompt"]
          if system and messages[0]["role"] != "system":
              messages = [{"role": "system", "content": system}] + messages
          text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
          assert tokenizer(text, add_special_tokens=False).input_ids == prompt, text
          with torch.no_grad():
              logits = model(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1:-1].double()
          theirs = torch.log_softmax(logits, -1)[range(len(completion)), completion].tolist()
          assert len(theirs) == len(score["logprobs"])
          worst = max([worst] + [abs(a - b) for a, b in zip(theirs, score["logprobs"])])
      print("ok" if worst <= 1e-5 else f"log-probabilities differ by {worst}")
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = [
      "-c", script, final.path, folder["rollouts.jsonl"].path, folder["scored.jsonl"].path,
      system,
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let said = String(decoding: data, as: UTF8.self)
    return process.terminationStatus == 0 && said.hasSuffix("ok\n") ? "ok\n" : said
  }
}
