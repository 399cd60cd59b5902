import Foundation
import Rollouts
import Tokenizers

extension PromptEncoder {
  /// The tokens of an SFT example, whatever its length; nil where nothing of it counts, or its prompt is
  /// overlong and such prompts are skipped.
  ///
  /// A plain completion is encoded together with its prompt where the prompt's tokens begin the whole
  /// (so that no space is invented between them), otherwise by itself. An end token closes it. What a
  /// chat template closes an assistant's turn with is learnt with the turn.
  /// - Parameter resources: What the row gives the chat template besides.
  func example(
    of row: SupervisedDataset.Row, resources: JSONObject = [:], index: Int, dataset: String,
    endToken: TokenID?
  ) throws(PromptError) -> SupervisedExample? {
    let example: SupervisedExample?
    switch row {
    case .completion(let prompt, let completion):
      let problem = Problem(index: index, prompt: prompt, columns: resources)
      guard let tokens = try encode(problem, dataset: dataset) else { return nil }
      example = SupervisedExample(
        prompt: tokens,
        completion: continuation(of: prompt, tokens, by: completion) + (endToken.map { [$0] } ?? [])
      )
    case .answer(let prompt, let completion):
      let problem = Problem(index: index, prompt: .messages(prompt), columns: resources)
      guard let tokens = try encode(problem, dataset: dataset) else { return nil }
      example = try turns(
        of: prompt + completion, from: prompt.count, resources, index: index, dataset: dataset
      ).map { SupervisedExample(prompt: tokens, completion: $0.completion, mask: $0.mask) }
    case .text(let text):
      let tokens = tokenizer.encode(text, addSpecialTokens: true) + (endToken.map { [$0] } ?? [])
      guard tokens.count > 1 else { return nil }
      example = SupervisedExample(prompt: [tokens[0]], completion: Array(tokens[1...]))
    case .conversation(let messages):
      example = try turns(of: messages, from: 0, resources, index: index, dataset: dataset)
    }
    return example.flatMap { $0.countedTokens > 0 ? $0 : nil }
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

  /// A chat whose assistant turns count, from a message on: what the template adds up to the turn's generation
  /// prompt is given, and what it adds after that is learnt.
  private func turns(
    of messages: [ChatMessage], from start: Int, _ columns: JSONObject, index: Int, dataset: String
  ) throws(PromptError) -> SupervisedExample? {
    var tokens: [TokenID] = []
    var mask: [Bool] = []
    var rendered = ""
    for (place, message) in messages.enumerated()
    where place >= start && message.role == "assistant" {
      let before: String
      var after: String
      do {
        let resources = try ChatResources(columns)
        let given = Array(messages[..<place])
        before = try render(
          given, resources: resources, end: start > 0 ? end(of: given) : .generationPrompt)
        after = try render(Array(messages[...place]), resources: resources, end: .closed)
        if start > 0, place == start, !after.hasPrefix(before) {
          after = before + Self.answer(message.content, in: after)
        }
        try tokenizer.checkLength(of: after)
      } catch {
        throw PromptError(row: index, dataset: dataset, reason: "\(error)")
      }
      guard before.hasPrefix(rendered), after.hasPrefix(before), after != before else {
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
    let learnt = Array(mask[first...])
    return SupervisedExample(
      prompt: Array(tokens[..<first]), completion: Array(tokens[first...]),
      mask: learnt.allSatisfy { $0 } ? nil : learnt)
  }

  /// An answer with what closes it, out of a rendering whose turn begins otherwise than the generation prompt
  /// (one that opens the reasoning, as DeepSeek-R1's does); empty where the rendering lacks the answer.
  private static func answer(_ content: String, in rendered: String) -> String {
    let trimmed = content.trimmingCharacters(in: .whitespacesAndNewlines)
    guard !trimmed.isEmpty,
      let place = rendered.range(of: trimmed, options: [.backwards, .literal])
    else { return "" }
    return String(rendered[place.lowerBound...])
  }
}

/// The SFT examples of data sets, none longer than a limit, and what became of rows that gave none or a part.
struct SupervisedExamples {
  /// The examples in order.
  private(set) var examples: [SupervisedExample] = []
  /// Rows that were left out for their length.
  private(set) var skipped = 0
  /// Rows that were cut at their beginning.
  private(set) var truncated = 0
  /// Rows without a token to learn.
  private(set) var empty = 0
  private let limit: Int
  private let bound: String

  /// Reads data sets.
  ///
  /// A row longer than `sft_max_length`, or than the model's context, is refused, left out or cut at its
  /// beginning, as `overlong_prompts` says.
  /// - Throws: `PromptError` naming the row.
  init(
    _ datasets: [SupervisedDataset], _ encoder: PromptEncoder, endToken: TokenID?, maxLength: Int
  ) throws(PromptError) {
    limit = min(maxLength, encoder.contextLength)
    bound =
      limit == maxLength ? "sft_max_length is \(limit)" : "the model's context is \(limit)"
    for dataset in datasets {
      for (index, row) in dataset.rows.enumerated() {
        let example = try encoder.example(
          of: row, resources: dataset.resources[index], index: index, dataset: dataset.name,
          endToken: endToken)
        try append(example, row: index, of: dataset, encoder)
      }
    }
  }

  private mutating func append(
    _ example: SupervisedExample?, row: Int, of dataset: SupervisedDataset, _ encoder: PromptEncoder
  ) throws(PromptError) {
    guard let example else {
      // What the encoder leaves out for its length is left out by overlong_prompts alone.
      if encoder.overlong == .skip, dataset.rows[row].hasPrompt { skipped += 1 } else { empty += 1 }
      return
    }
    let count = example.prompt.count + example.completion.count
    guard count > limit else {
      examples.append(example)
      return
    }
    switch encoder.overlong {
    case .skip: skipped += 1
    case .truncateLeft:
      let kept = example.last(limit)
      guard kept.countedTokens > 0 else {
        empty += 1
        return
      }
      truncated += 1
      examples.append(kept)
    case .error:
      throw PromptError(
        row: row, dataset: dataset.name,
        reason:
          "the row has \(count) tokens, its completion included, and \(bound); raise sft_max_length, "
          + "shorten the row, or set overlong_prompts to skip or truncate_left")
    }
  }

  /// What happened to rows that are not learnt from as they are, a sentence each.
  var notes: [String] {
    func rows(_ count: Int, _ one: String, _ several: String) -> String {
      "\(count) \(count == 1 ? "row" : "rows") of SFT data \(count == 1 ? one : several)"
    }
    let all = examples.count + skipped + empty
    return [
      (skipped, "is", "are", "longer than allowed (\(bound)) and left out (overlong_prompts skip)"),
      (
        truncated, "is", "are",
        "longer than allowed (\(bound)) and cut at the beginning (overlong_prompts truncate_left)"
      ),
      (empty, "has", "have", "no token to learn and is left out"),
    ].compactMap { count, one, several, what in
      count == 0 ? nil : rows(count, one, several) + " \(what); there are \(all)"
    }
  }
}

extension SupervisedDataset.Row {
  /// Whether a part of the row is given and encoded as a prompt.
  fileprivate var hasPrompt: Bool {
    switch self {
    case .completion, .answer: true
    case .conversation, .text: false
    }
  }
}

extension SupervisedExample {
  /// The example's last tokens, at least two; where none of its prompt is among them the first is given.
  func last(_ count: Int) -> SupervisedExample {
    var kept = self
    let dropped = prompt.count + completion.count - max(2, count)
    guard dropped > 0 else { return self }
    if dropped < prompt.count {
      kept.prompt = Array(prompt[dropped...])
      return kept
    }
    let first = dropped - prompt.count
    kept.prompt = [completion[first]]
    kept.completion = Array(completion[(first + 1)...])
    kept.mask = mask.map { Array($0[(first + 1)...]) }
    return kept
  }
}
