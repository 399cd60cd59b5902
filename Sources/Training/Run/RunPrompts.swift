import Foundation
import Rollouts
import Tensors
import Tokenizers
import Transformer

extension RunPreparation {
  /// The problems of a dataset as tokens, without those that are skipped.
  func encode(_ dataset: Dataset, _ encoder: PromptEncoder) throws -> [EncodedProblem] {
    try dataset.problems.compactMap { problem in
      guard let tokens = try encoder.encode(problem, dataset: dataset.name),
        tokens.count >= settings.minPromptLength
      else { return nil }
      return EncodedProblem(problem: problem, dataset: dataset.name, tokens: tokens)
    }
  }

  /// What is not learnt from as its row has it, a sentence each: rows left out, and turns that are continued.
  func notes(
    on problems: [EncodedProblem], of dataset: Dataset, _ encoder: PromptEncoder
  ) -> [String] {
    var notes: [String] = []
    let leftOut = dataset.problems.count - problems.count
    if leftOut > 0 {
      notes.append(
        "\(leftOut) of \(dataset.problems.count) rows are left out for their prompt's length "
          + "(overlong_prompts skip, min_prompt_length)")
    }
    let continued = problems.count { problem in
      guard case .messages(let messages) = problem.problem.prompt else { return false }
      return encoder.end(of: messages) == .insideFinalMessage
    }
    if continued > 0 {
      notes.append(
        "\(continued) of \(problems.count) prompts end with an assistant's message, which the policy "
          + "continues; continue_final_message false closes it and opens a new turn")
    }
    return notes
  }

  /// The training problems of one pass, as indices into those that were encoded.
  func epoch(of problems: [EncodedProblem]) -> [Int] {
    let places = Dictionary(
      uniqueKeysWithValues: problems.enumerated().map { ($1.problem.index, $0) })
    return train.epoch.compactMap { places[$0] }
  }

  /// In which order the problems of a pass are drawn.
  func order(of epoch: [Int]) -> ProblemOrder {
    ProblemOrder(
      of: epoch, seed: UInt64(settings.seed), shuffles: settings.shuffleDataset,
      keepsFirstEpoch: settings.curriculum != nil)
  }
}

/// What is known of the prompts' lengths, in tokens, before a run.
struct PromptLengths {
  /// Of each step; one step of the longest prompts where it is not known which are drawn.
  var steps: [[Int]]
  /// Of the problems that are evaluated together.
  var evaluated: [Int] = []

  /// Steps beyond are taken to be like those before.
  private static let stepLimit = 20_000
  private static let promptLimit = 2_000_000

  /// A step of prompts of one length.
  init(longest: Int, promptsPerStep: Int) {
    steps = [Array(repeating: longest, count: promptsPerStep)]
  }

  /// The steps of a run over problems of known lengths.
  /// - Parameter epoch: The problems of one pass, as indices into `lengths`.
  init(_ lengths: [Int], epoch: [Int], of preparation: RunPreparation) {
    let settings = preparation.settings
    self.init(longest: lengths.max() ?? 1, promptsPerStep: settings.promptsPerStep)
    let isKnown = !settings.dynamicSampling && settings.promptPriority == .none
    guard !epoch.isEmpty, isKnown else { return }
    var order = preparation.order(of: epoch)
    let count = min(
      settings.stepCount(problems: epoch.count), Self.stepLimit,
      max(1, Self.promptLimit / settings.promptsPerStep))
    guard count > 0 else { return }
    steps = (0..<count).map { step in
      (0..<settings.promptsPerStep).map { place in
        lengths[order.problem(at: step * settings.promptsPerStep + place)]
      }
    }
  }

  /// The longest prompt of any step.
  var longest: Int { steps.lazy.flatMap { $0 }.max() ?? 1 }
}

extension RunPreparation {
  /// What the run will take, from shapes and from the prompts as they will be drawn.
  /// - Throws: `ModelError`, `TokenizerError`, `PromptError` or `PlanError`.
  public func plan() throws -> RunPlan {
    let model = try source?.configuration ?? EmbeddedJob.model()
    return try RunPlan(
      self, model: model, prompts: promptLengths(model),
      completionLength: settings.maxCompletionLength)
  }

  private func promptLengths(_ model: ModelConfiguration) throws -> PromptLengths {
    guard recorded == nil else {
      return PromptLengths(
        longest: min(settings.maxPromptLength ?? 256, model.maximumPositions - 1),
        promptsPerStep: settings.promptsPerStep)
    }
    let length = try lengths(model)
    let problems = try train.problems.enumerated().compactMap { place, problem in
      try length(problem, train.name).map { (place: problem.index, length: $0) }
    }
    let places = Dictionary(
      uniqueKeysWithValues: problems.enumerated().map { ($1.place, $0) })
    var prompts = PromptLengths(
      problems.map(\.length), epoch: train.epoch.compactMap { places[$0] }, of: self)
    prompts.evaluated = try (evaluation?.problems ?? []).compactMap {
      try length($0, evaluation?.name ?? "")
    }
    if !supervised.isEmpty, settings.sftStopAt != nil {
      prompts.evaluated += problems.prefix(TrainingRun.probeSize).map(\.length)
    }
    return prompts
  }

  /// How many tokens a problem's prompt has; nil where it is skipped.
  private func lengths(
    _ model: ModelConfiguration
  ) throws -> (Problem, _ dataset: String) throws -> Int? {
    guard let source else {
      // The embedded job's tokenizer gives one token per character.
      return { problem, _ in
        guard case .text(let text) = problem.prompt else { return nil }
        return text.count
      }
    }
    let tokenizer = try Tokenizer(folder: source.tokenizerFolder)
    let encoder = try settings.promptEncoder(
      tokenizer, contextLength: model.maximumPositions, clock: Int(Date().timeIntervalSince1970))
    return { problem, dataset in
      let tokens = try encoder.encode(problem, dataset: dataset)
      return tokens.map(\.count).flatMap { $0 < self.settings.minPromptLength ? nil : $0 }
    }
  }

  /// What the tokenizer's tables take: a measured multiple of the file that they are read from.
  var tokenizerBytes: Int {
    guard let source else { return 0 }
    let url = source.tokenizerFolder.appendingPathComponent("tokenizer.json")
    let size = try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int
    return 5 * (size ?? 0)
  }

  /// What the rows take: measured bytes per row, and a multiple of their text.
  var dataBytes: Int {
    let problems = train.problems + (evaluation?.problems ?? [])
    let rows = problems.reduce(0) { $0 + 600 + $1.textLength * 3 / 2 }
    let supervised = supervised.reduce(0) { $0 + $1.rows.count * 600 }
    return rows + supervised
  }
}

extension Problem {
  /// About how many bytes of text the row has.
  fileprivate var textLength: Int {
    func length(_ value: JSONValue) -> Int {
      if let text = value.string { return text.utf8.count }
      if let elements = value.array { return elements.reduce(16) { $0 + length($1) } }
      if let members = value.object { return members.reduce(32) { $0 + 16 + length($1.1) } }
      return 8
    }
    let prompt: Int
    switch self.prompt {
    case .text(let text): prompt = text.utf8.count
    case .messages(let messages): prompt = messages.reduce(0) { $0 + 64 + $1.content.utf8.count }
    }
    return prompt + length(.object(columns))
  }
}
