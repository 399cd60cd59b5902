import Foundation
import Rollouts
import Tokenizers

extension PromptEncoder {
  /// The tokens of a row to imitate, cut to `maxLength`; nil where nothing of it would count.
  ///
  /// A plain completion is encoded together with its prompt where the prompt's tokens begin the whole
  /// (so that no space is invented between them), otherwise by itself. An end token closes it.
  /// - Parameter resources: What the row gives the chat template besides.
  func example(
    of row: SupervisedDataset.Row, resources: JSONObject = [:], index: Int, dataset: String,
    endToken: TokenID?, maxLength: Int
  ) throws(PromptError) -> SupervisedExample? {
    var example: SupervisedExample?
    switch row {
    case .completion(let prompt, let completion):
      let problem = Problem(index: index, prompt: prompt, columns: resources)
      guard let tokens = try encode(problem, dataset: dataset) else { return nil }
      example = SupervisedExample(
        prompt: tokens,
        completion: continuation(of: prompt, tokens, by: completion) + (endToken.map { [$0] } ?? [])
      )
    case .text(let text):
      let tokens = tokenizer.encode(text, addSpecialTokens: true) + (endToken.map { [$0] } ?? [])
      guard tokens.count > 1 else { return nil }
      example = SupervisedExample(prompt: [tokens[0]], completion: Array(tokens[1...]))
    case .conversation(let messages):
      example = try conversation(messages, resources, index: index, dataset: dataset)
    }
    guard var example, example.prompt.count < maxLength else { return nil }
    let room = maxLength - example.prompt.count
    example.completion = Array(example.completion.prefix(room))
    example.mask = example.mask.map { Array($0.prefix(room)) }
    return example.countedTokens > 0 ? example : nil
  }

  func continuation(
    of prompt: Prompt, _ tokens: [TokenID], by completion: String
  ) -> [TokenID] {
    if case .text(let text) = prompt {
      let whole = tokenizer.encode((system ?? "") + text + completion, addSpecialTokens: true)
      if whole.starts(with: tokens) { return Array(whole[tokens.count...]) }
    }
    return tokenizer.encode(completion, addSpecialTokens: false)
  }

  /// A chat whose assistant turns count: what the template adds up to the turn's generation prompt is
  /// given, and what it adds after that is imitated.
  private func conversation(
    _ messages: [ChatMessage], _ columns: JSONObject, index: Int, dataset: String
  ) throws(PromptError) -> SupervisedExample? {
    var tokens: [TokenID] = []
    var mask: [Bool] = []
    var rendered = ""
    for (place, message) in messages.enumerated() where message.role == "assistant" {
      let before: String
      let after: String
      do {
        let resources = try ChatResources(columns)
        before = try render(
          Array(messages[..<place]), resources: resources, addGenerationPrompt: true)
        after = try render(
          Array(messages[...place]), resources: resources, addGenerationPrompt: false)
        try tokenizer.checkLength(of: after)
      } catch {
        throw PromptError(row: index, dataset: dataset, reason: "\(error)")
      }
      guard before.hasPrefix(rendered), after.hasPrefix(before) else {
        throw PromptError(
          row: index, dataset: dataset,
          reason:
            "the chat template rewrites earlier turns, so that a conversation can't be learnt "
            + "turn by turn; give the rows as prompt and completion")
      }
      let given = tokenizer.encode(
        String(before.dropFirst(rendered.count)), addSpecialTokens: false)
      let learnt = tokenizer.encode(String(after.dropFirst(before.count)), addSpecialTokens: false)
      tokens += given + learnt
      mask += given.map { _ in false } + learnt.map { _ in true }
      rendered = after
    }
    guard let first = mask.firstIndex(of: true), first > 0 else { return nil }
    return SupervisedExample(
      prompt: Array(tokens[..<first]), completion: Array(tokens[first...]),
      mask: Array(mask[first...]))
  }
}
