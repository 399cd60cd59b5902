import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Tokenizers

/// The rows of a JSON-lines file.
func rows(_ url: URL) throws -> [JSONValue] {
  try Array(Data(contentsOf: url)).split(separator: 0x0A).map { try JSONValue.parse(bytes: $0) }
}

extension JSONValue {
  var tokenIDs: [TokenID] { array?.compactMap(\.integer).map { TokenID($0) } ?? [] }
}

/// Texts compared scalar by scalar: Swift's `==` would take two spellings of "é" for one.
func isSame(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

@Suite("Tokenizers give the ids and texts of the reference library")
struct GoldenTests {
  static let names = [
    "gpt2", "qwen2.5", "qwen3", "llama3", "smollm2", "smollm2-360m-finetune", "mistral-v1",
  ]

  @Test(
    "encodings", .enabled(if: SharedFiles.has("golden/text/encodings")), arguments: names)
  func encodings(name: String) throws {
    let tokenizer = try Tokenizer(folder: SharedFiles.url("tokenizers/\(name)"))
    let rows = try rows(SharedFiles.url("golden/text/encodings/\(name).jsonl"))
    #expect(!rows.isEmpty)
    for row in rows {
      let text = try #require(row["text"]?.string)
      let ids = try #require(row["ids"]).tokenIDs
      #expect(tokenizer.encode(text, addSpecialTokens: false) == ids, "\(text.debugDescription)")
      for (skips, key) in [(false, "decoded"), (true, "decoded_skip_special")] {
        let wanted = try #require(row[key]?.string)
        let decoded = tokenizer.decode(ids, skipSpecialTokens: skips)
        #expect(isSame(decoded, wanted), "\(decoded.debugDescription), \(wanted.debugDescription)")
        var decoder = tokenizer.makeIncrementalDecoder(skipSpecialTokens: skips)
        var pieces = ""
        for id in ids { pieces += decoder.append(id) }
        #expect(isSame(pieces + decoder.finish(), wanted))
      }
    }
  }

  /// llama.cpp's vocabularies and the folders that hold the same ones.
  static let vocabularies = [
    ("gpt-2", "gpt2"), ("qwen2", "qwen2.5"), ("deepseek-r1-qwen", "qwen2.5"), ("qwen2", "qwen3"),
    ("llama-bpe", "llama3"),
  ]

  @Test(
    "llama.cpp's vocabulary tests", .enabled(if: SharedFiles.has("tokenizers/llama.cpp")),
    arguments: vocabularies)
  func vocabularyTests(vocabulary: String, folder: String) throws {
    let tokenizer = try Tokenizer(folder: SharedFiles.url("tokenizers/\(folder)"))
    let base = "tokenizers/llama.cpp/ggml-vocab-\(vocabulary).gguf"
    let texts = String(
      decoding: try Data(contentsOf: SharedFiles.url(base + ".inp")), as: UTF8.self
    ).components(separatedBy: "\n__ggml_vocab_test__\n")
    let answers = String(
      decoding: try Data(contentsOf: SharedFiles.url(base + ".out")), as: UTF8.self
    ).components(separatedBy: "\n")
    var count = 0
    for (text, answer) in zip(texts, answers) {
      let ids = answer.split(separator: " ").compactMap { TokenID($0) }
      #expect(tokenizer.encode(text, addSpecialTokens: false) == ids, "\(text.debugDescription)")
      count += 1
    }
    #expect(count >= 40)
  }

  @Test(
    "vocab.json with merges.txt gives what tokenizer.json gives",
    .enabled(if: SharedFiles.has("tokenizers/qwen2.5/vocab.json")), arguments: ["gpt2", "qwen2.5"])
  func olderFiles(name: String) throws {
    let folder = try TemporaryFolder()
    for file in TokenizerFolder.names where file != "tokenizer.json" {
      let source = SharedFiles.url("tokenizers/\(name)/\(file)")
      guard FileManager.default.fileExists(atPath: source.path) else { continue }
      try FileManager.default.createSymbolicLink(
        at: folder.url.appendingPathComponent(file), withDestinationURL: source)
    }
    let tokenizer = try Tokenizer(folder: folder.url)
    for row in try rows(SharedFiles.url("golden/text/encodings/\(name).jsonl")) {
      let text = try #require(row["text"]?.string)
      // GPT-2's end token is in no file beside tokenizer.json but its vocabulary.
      if name == "gpt2", text.contains("<|") { continue }
      #expect(tokenizer.encode(text, addSpecialTokens: false) == row["ids"]?.tokenIDs)
    }
  }

  @Test(
    "stories260K: prompts with <s>, and text that comes back",
    .enabled(if: SharedFiles.has("models/stories260K/reference.json")))
  func stories() throws {
    let tokenizer = try Tokenizer(folder: SharedFiles.url("models/stories260K"))
    let reference = try JSONValue.parse(
      bytes: Array(Data(contentsOf: SharedFiles.url("models/stories260K/reference.json"))))
    let cases = try #require(reference["cases"]?.array)
    #expect(!cases.isEmpty)
    for item in cases {
      let prompt = try #require(item["prompt"]?.string)
      #expect(tokenizer.encode(prompt, addSpecialTokens: true) == item["prompt_ids"]?.tokenIDs)
      let greedy = try #require(item["greedy_ids"]).tokenIDs
      #expect(tokenizer.decode(greedy, skipSpecialTokens: true) == item["greedy_text"]?.string)
    }
    #expect(tokenizer.beginTokenID == 1)
    #expect(tokenizer.endTokenID == 1)
    #expect(tokenizer.padTokenID == 2)
    #expect(tokenizer.unknownTokenID == 0)
    #expect(tokenizer.vocabularySize == 512)
    #expect(tokenizer.isSpecial(1) && !tokenizer.isSpecial(403))
  }

  /// A moment on the day that the golden files print.
  static let day = Date(timeIntervalSince1970: 1_795_348_800)

  @Test(
    "chat templates of tokenizer_config.json", .enabled(if: SharedFiles.has("golden/text/chat")),
    arguments: ["qwen2.5", "qwen3"])
  func chat(name: String) throws {
    let tokenizer = try Tokenizer(folder: SharedFiles.url("tokenizers/\(name)"))
    let template = try #require(tokenizer.chatTemplate)
    try check(template, against: "golden/text/chat/\(name).jsonl")
    let end = try #require(tokenizer.endOfTurnTokenID)
    #expect(tokenizer.token(of: end) == "<|im_end|>")
  }

  static let templates = [
    "Qwen-Qwen2.5-7B-Instruct", "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "llama-cpp-deepseek-r1",
    "meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct",
  ]

  @Test(
    "chat templates of files", .enabled(if: SharedFiles.has("golden/text/jinja")),
    arguments: templates)
  func jinja(name: String) throws {
    let file = SharedFiles.url("tokenizers/chat_templates/\(name).jinja")
    let template = try ChatTemplate(
      source: String(decoding: Data(contentsOf: file), as: UTF8.self), name: file.path,
      specialTokens: ["bos_token": "<s>", "eos_token": "</s>"])
    try check(template, against: "golden/text/jinja/\(name).jsonl")
  }

  private func check(_ template: ChatTemplate, against path: String) throws {
    let rows = try rows(SharedFiles.url(path))
    #expect(!rows.isEmpty)
    for row in rows {
      let text = try template.render(
        messages: row["messages"]?.array ?? [],
        end: row["add_generation_prompt"]?.bool == true ? .generationPrompt : .closed, now: Self.day
      )
      #expect(isSame(text, row["text"]?.string ?? ""), "\(text)")
    }
  }

  @Test(
    "GSM8K comes back from its tokens", .enabled(if: SharedFiles.has("data/gsm8k")),
    arguments: ["gpt2", "qwen2.5", "llama3", "smollm2", "mistral-v1"])
  func roundTrip(name: String) throws {
    let tokenizer = try Tokenizer(folder: SharedFiles.url("tokenizers/\(name)"))
    let folder = SharedFiles.url("data/gsm8k")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { ["train.jsonl", "test.jsonl"].contains($0) }
    #expect(!files.isEmpty)
    for file in files {
      for row in try rows(folder.appendingPathComponent(file)) {
        for text in [row["question"]?.string, row["answer"]?.string].compactMap({ $0 }) {
          let ids = tokenizer.encode(text, addSpecialTokens: false)
          // Qwen's text is what NFC makes of it.
          let wanted = name == "qwen2.5" ? text.precomposedStringWithCanonicalMapping : text
          #expect(isSame(tokenizer.decode(ids, skipSpecialTokens: false), wanted))
        }
      }
    }
  }
}
