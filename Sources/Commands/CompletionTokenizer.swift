import Foundation
import RewardKit
import Rollouts
import Tokenizers
import Training

/// Gives completions that are text the token ids that a tokenizer makes of them.
struct CompletionTokenizer {
  private let tokenizer: Tokenizer

  /// The tokenizer that `--tokenizer` or `--model` names; nil where neither is given.
  /// - Throws: `UsageError` where both are.
  init?(_ arguments: ParsedArguments, _ context: CommandContext) throws {
    let given = Self.options.map(\.name).filter(arguments.isGiven)
    guard given.count < 2 else {
      throw UsageError("--tokenizer and --model name the same thing: give one of them")
    }
    guard let option = given.first else { return nil }
    tokenizer = try refusing {
      try Tokenizer(folder: try arguments.modelFolder(context, option: option))
    }
  }

  /// The options that name it.
  static let options = [
    OptionSpecification(
      "tokenizer", .path, valueName: "DIR",
      help: "folder of a tokenizer or a model; completions without completion_ids get its ids"),
    OptionSpecification("model", .path, valueName: "DIR", help: "another name of --tokenizer"),
  ]

  /// The completion with token ids: those it has, or its text's, without an end token.
  func callAsFunction(_ completion: Completion) -> Completion {
    guard completion.tokens.isEmpty else { return completion }
    var completion = completion
    completion.tokens = tokenizer.encode(completion.text, addSpecialTokens: false)
    return completion
  }
}
