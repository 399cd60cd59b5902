import Rollouts
import Tensors
import Transformer

/// What a memory plan is made for.
public struct MemoryDemand: Sendable {
  /// The model.
  public var model: ModelConfiguration
  /// The lengths in tokens of the prompts of each step.
  public var steps: [[Int]]
  /// Completions per prompt.
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
  /// What operands of products are rounded to.
  public var precision = Precision.float32
  /// How keys and values are held.
  public var keyValueElement = ElementType.float32
  /// How each matrix of the model is held.
  public var element: @Sendable (_ name: String) -> ElementType = { _ in .float32 }

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
  /// Measured on the embedded job with 256 to 2,048 completions per step and 50 and 500 evaluated ones.
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
  var largestMicroBatch: MicroBatch {
    var largest = MicroBatch()
    for prompts in steps {
      let parts = max(1, min(updatesPerRollout, prompts.count))
      for part in 0..<parts {
        let range = part * prompts.count / parts..<(part + 1) * prompts.count / parts
        let groups = prompts[range].map {
          GroupLengths(
            prompt: $0, completions: Array(repeating: completionLength, count: groupSize))
        }
        for batch in Transformer.MicroBatch.cut(groups, rowLimit: cut.rows) {
          let rows = batch.slices.reduce(0) { $0 +| groups[$1.group].rows($1.completions) }
          let completions = batch.slices.reduce(0) { $0 + $1.completions.count }
          if rows > largest.rows {
            largest = MicroBatch(rows: rows, targets: completions *| completionLength)
          }
        }
      }
    }
    return largest
  }

  /// The sessions of the steps and of evaluation.
  var sessions: [SessionDemand] {
    guard concurrency > 0 else { return [] }
    func session(_ prompts: [Int], samples: Int) -> SessionDemand {
      SessionDemand(
        groups: prompts.map { ($0, samples) }, completionLength: completionLength,
        concurrency: concurrency)
    }
    return steps.map { session($0, samples: groupSize) }
      + (evaluated.isEmpty ? [] : [session(evaluated, samples: evaluatedSamples)])
  }
}
