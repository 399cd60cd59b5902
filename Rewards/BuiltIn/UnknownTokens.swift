import RewardKit

/// A reward counts tokens, and the completion is a text that no tokenizer read.
struct UnknownTokens: Error, CustomStringConvertible {
  var description: String {
    "the reward counts tokens, and the completion is a text without token ids: name a tokenizer "
      + "(grpo reward test … --tokenizer MODEL), or count words or characters with its unit"
  }
}

extension Completion {
  /// The completion's tokens.
  /// - Throws: `UnknownTokens` where there are none though there is a text.
  var knownTokens: [TokenID] {
    get throws {
      guard !tokens.isEmpty || text.isEmpty else { throw UnknownTokens() }
      return tokens
    }
  }
}
