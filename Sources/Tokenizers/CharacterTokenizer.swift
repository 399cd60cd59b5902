import Foundation
import Rollouts

/// A tokenizer of single characters for randomly initialised policies (`grpo init --tokenizer chars`).
///
/// Byte-pair encoding without merges, in files that transformers' `PreTrainedTokenizerFast` loads. They
/// say `byte_fallback`, though there are no tokens of bytes, and have a sequence of decoders: by these
/// llama.cpp's converter knows a vocabulary that it takes as it is.
/// Ids: 0 is `<pad>`, 1 is `<eos>`, 2 is `<unk>`, then the characters in their order.
public enum CharacterTokenizer {
  /// The special tokens, in the order of their ids.
  public static let specialTokens = ["<pad>", "<eos>", "<unk>"]

  /// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` to a folder.
  /// - Parameters:
  ///   - alphabet: The characters, a Unicode scalar each; repeats count once.
  ///   - folder: The folder, which exists.
  /// - Throws: `TokenizerError` where a character has several scalars or a file can't be written.
  public static func write(
    alphabet: [Character], to folder: URL
  ) throws(TokenizerError) {
    var vocabulary = JSONObject()
    for (id, token) in specialTokens.enumerated() { vocabulary[token] = .integer(Int64(id)) }
    var seen: Set<Unicode.Scalar> = []
    for character in alphabet {
      let scalars = character.unicodeScalars
      guard let scalar = scalars.first, scalars.count == 1 else {
        throw TokenizerError(
          file: folder.path, reason: "\"\(character)\" is several Unicode scalars",
          remedy: "give characters of one scalar each")
      }
      guard seen.insert(scalar).inserted else { continue }
      guard vocabulary[String(character)] == nil else {
        throw TokenizerError(
          file: folder.path, reason: "\"\(character)\" stands twice, in two Unicode spellings",
          remedy: "keep one of them")
      }
      vocabulary[String(character)] = .integer(Int64(vocabulary.count))
    }
    let added = specialTokens.enumerated().map { id, token in
      addedToken(token, id: id)
    }
    let tokenizer: JSONValue = [
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array(added),
      "normalizer": .null, "pre_tokenizer": .null, "post_processor": .null,
      "decoder": ["type": "Sequence", "decoders": [["type": "Fuse"]]],
      "model": [
        "type": "BPE", "dropout": .null, "unk_token": "<unk>", "continuing_subword_prefix": .null,
        "end_of_word_suffix": .null, "fuse_unk": false, "byte_fallback": true,
        "ignore_merges": false, "vocab": .object(vocabulary), "merges": [],
      ],
    ]
    let roles: JSONObject = ["eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"]
    var config: JSONObject = ["tokenizer_class": "PreTrainedTokenizerFast"]
    for (role, token) in roles { config[role] = token }
    config["clean_up_tokenization_spaces"] = false
    config["add_prefix_space"] = false
    config["model_max_length"] = 1_000_000
    try write(tokenizer, "tokenizer.json", to: folder)
    try write(.object(config), "tokenizer_config.json", to: folder)
    try write(.object(roles), "special_tokens_map.json", to: folder)
  }

  private static func addedToken(_ token: String, id: Int) -> JSONValue {
    [
      "id": .integer(Int64(id)), "content": .string(token), "single_word": false, "lstrip": false,
      "rstrip": false, "normalized": false, "special": true,
    ]
  }

  private static func write(
    _ value: JSONValue, _ name: String, to folder: URL
  ) throws(TokenizerError) {
    let file = folder.appendingPathComponent(name)
    do {
      try Data((value.prettyJSONText + "\n").utf8).write(to: file, options: .atomic)
    } catch {
      throw TokenizerError(
        file: file.path, reason: "can't be written (\(error.localizedDescription))")
    }
  }
}
