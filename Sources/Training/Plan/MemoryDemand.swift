import Rollouts
import Tensors
import Transformer

/// What a memory plan is made for.
public struct MemoryDemand: Sendable {
  /// The model.
  public var model: ModelConfiguration
  /// The lengths in tokens of the prompts of each step.
  public var steps: [[Int]]
  /// Completions a prompt.
  public var groupSize: Int
  /// The longest completion, in tokens.
  public var completionLength: Int
  /// The lengths in tokens of the prompts that are evaluated together; empty for none.
  public var evaluated: [Int] = []
  /// Completions of each of them.
  public var evaluatedSamples = 1
  /// How updates are cut.
  public var cut = UpdateCut()
  /// Updates of one rollout.
  public var updatesPerRollout = 1
  /// Completions decoded together; 0 where nothing is sampled.
  public var concurrency: Int
  /// Whether a reference scores every rollout.
  public var hasReference = false
  /// What the reference's weights take beside the policy's, bytes.
  public var referenceBytes = 0
  /// What the tokenizer's tables take, bytes.
  public var tokenizerBytes = 0
  /// What of the log is kept in memory, bytes.
  public var logCacheBytes = 0
  /// What the rows of the data sets take, bytes.
  public var dataBytes = 0
  /// The adapters that are trained, where the model is frozen.
  public var adapter: AdapterConfiguration?
  /// How each matrix of the model is held.
  public var format: @Sendable (_ name: String) -> WeightFormat = { _ in .float32 }

  /// Makes a demand for steps whose prompts are all of one length.
  public init(
    model: ModelConfiguration, promptsPerStep: Int, promptLength: Int, groupSize: Int,
    completionLength: Int, concurrency: Int
  ) {
    self.init(
      model: model, steps: [Array(repeating: promptLength, count: promptsPerStep)],
      groupSize: groupSize, completionLength: completionLength, concurrency: concurrency)
  }

  /// Makes a demand for steps whose prompts are known.
  public init(
    model: ModelConfiguration, steps: [[Int]], groupSize: Int, completionLength: Int,
    concurrency: Int
  ) {
    self.model = model
    self.steps = steps
    self.groupSize = groupSize
    self.completionLength = completionLength
    self.concurrency = concurrency
  }

  /// What is trained.
  var trained: [TensorSpecification] {
    adapter?.tensorLayout(for: model) ?? model.tensorLayout
  }

  /// What the records of the completions in hand take: texts, scores, advantages, rows on their way to the log.
  ///
  /// Measured on the embedded job with 256 to 2,048 completions a step and 50 and 500 evaluated ones.
  var recordBytes: Int {
    let tokens = 48 *| completionLength
    let step = (steps.lazy.map(\.count).max() ?? 0) *| groupSize
    return step *| ((7 << 10) +| tokens)
      +| evaluated.count *| evaluatedSamples *| ((16 << 10) +| tokens)
  }

  /// The longest prompt of any step.
  var longestPrompt: Int { steps.lazy.flatMap { $0 }.max() ?? 1 }

  /// Refuses a step whose completions alone are too many, before anything is planned for each of them.
  /// - Throws: `PlanError`.
  func checkRecords(within limit: Int) throws(PlanError) {
    guard recordBytes <= limit else {
      throw PlanError(.init(name: "completions' records", bytes: recordBytes), limit: limit)
    }
  }
}

extension MemoryDemand {
  /// What passes through forward and backward at once.
  struct MicroBatch {
    var rows = 0
    var targets = 0
  }

  /// The micro-batch with the most rows, if every completion has its full length.
  ///
  /// Groups are cut and packed as `PolicyUpdater` does it.
  var largestMicroBatch: MicroBatch {
    var largest = MicroBatch()
    for prompts in steps {
      let parts = max(1, min(updatesPerRollout, prompts.count))
      for part in 0..<parts {
        let range = part * prompts.count / parts..<(part + 1) * prompts.count / parts
        var batch = MicroBatch()
        for piece in prompts[range].flatMap(pieces(ofGroupWith:)) {
          if batch.rows > 0, batch.rows +| piece.rows > cut.rows { batch = MicroBatch() }
          batch.rows +|= piece.rows
          batch.targets +|= piece.targets
          if batch.rows > largest.rows { largest = batch }
        }
      }
    }
    return largest
  }

  /// A group in pieces of at most `cut.rows` rows, each with the prompt and at least one completion.
  private func pieces(ofGroupWith prompt: Int) -> [MicroBatch] {
    let room = (cut.rows - prompt) / max(1, completionLength)
    let atOnce = max(1, min(groupSize, room))
    return stride(from: 0, to: groupSize, by: atOnce).map { first in
      let targets = min(atOnce, groupSize - first) *| completionLength
      return MicroBatch(rows: prompt +| targets, targets: targets)
    }
  }

  /// What a call of the generation engine holds at most.
  struct Session {
    /// Completions decoded together.
    var completions: Int
    /// Rows of a prefill or a decoding step.
    var rows: Int
    /// Blocks of keys and values in each layer.
    var blocks: Int

    /// - Parameter prompts: Their lengths; each has `samples` completions.
    init(prompts: [Int], samples: Int, completionLength: Int, concurrency: Int) {
      let size = KeyValueBlocks.positions
      completions = min(concurrency, prompts.count *| samples)
      let alive = min(prompts.count, (completions + samples - 1) / max(1, samples) + 1)
      let longest = prompts.sorted(by: >).prefix(alive)
      rows = max(
        completions, longest.first ?? 0,
        min(GenerationEngine.prefillRows, longest.reduce(0, +)))
      let own = (completionLength + size - 1) / size + 1
      blocks = completions *| own +| longest.reduce(0) { $0 + ($1 + size - 1) / size }
    }
  }

  /// The sessions of the steps and of evaluation.
  var sessions: [Session] {
    guard concurrency > 0 else { return [] }
    var sessions = steps.map {
      Session(
        prompts: $0, samples: groupSize, completionLength: completionLength,
        concurrency: concurrency)
    }
    if !evaluated.isEmpty {
      sessions.append(
        Session(
          prompts: evaluated, samples: evaluatedSamples, completionLength: completionLength,
          concurrency: concurrency))
    }
    return sessions
  }
}
