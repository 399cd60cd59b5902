import Foundation
import Rollouts

@testable import Tokenizers

/// A tokenizer small enough to read: the letters a–e, a space, and four merges.
enum SmallTokenizer {
  static let model = #"""
    {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
     "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": false, "ignore_merges": false,
     "vocab": {"<unk>": 0, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "ab": 6, "abc": 7, "de": 8,
               "▁": 9, "▁a": 10},
     "merges": [["a", "b"], ["ab", "c"], ["d", "e"], ["▁", "a"]]}
    """#

  static func text(
    normalizer: String = "null", preTokenizer: String = "null", postProcessor: String = "null",
    decoder: String = "null", added: String = "[]", model: String = Self.model
  ) -> String {
    """
    {"version": "1.0", "truncation": null, "padding": null, "added_tokens": \(added),
     "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer),
     "post_processor": \(postProcessor), "decoder": \(decoder), "model": \(model)}
    """
  }

  /// Loads a file's text through a folder, as users do.
  static func load(_ text: String, config: String? = nil) throws -> Tokenizer {
    let folder = try TemporaryFolder()
    try folder.write(text, "tokenizer.json")
    if let config { try folder.write(config, "tokenizer_config.json") }
    return try Tokenizer(folder: folder.url)
  }

  static func ids(_ tokenizer: Tokenizer, _ text: String) -> [TokenID] {
    tokenizer.encode(text, addSpecialTokens: false)
  }
}
