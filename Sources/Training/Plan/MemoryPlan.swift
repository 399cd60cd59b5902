import Rollouts
import Tensors
import Transformer

/// What a run will need, before anything is done: bytes by purpose, from shapes alone.
///
/// Letters: R rows of a micro-batch, C width, F feed-forward width, H and K query and key heads of size
/// D, V vocabulary, L layers, P parameters, T trained ones, r the rank of M adapted products; a float is 4
/// bytes, matrices are counted with their rows padded to a panel.
///
///     weights                               4P; 2P where frozen and stored as bfloat16
///     adapters, gradients, two moments      4T; 4T, 8T (T = P where all is trained, without adapters)
///     activations                           4R·(L(2C + 2HD + 2KD + 2F + H + 2) + Mr), and a layer's scratch
///     logits                                4·min(targets, chunk)·V
///     keys and values while sampling        4·L·2KD·16·blocks
public struct MemoryPlan: Sendable {
  /// One line of the plan.
  public struct Item: Sendable {
    /// What the bytes are for.
    public var name: String
    /// How many.
    public var bytes: Int
  }

  /// What a plan is made for.
  public struct Demand: Sendable {
    /// The model.
    public var model: ModelConfiguration
    /// Prompts a step.
    public var promptsPerStep: Int
    /// Completions a prompt.
    public var groupSize: Int
    /// The longest prompt, in tokens.
    public var promptLength: Int
    /// The longest completion, in tokens.
    public var completionLength: Int
    /// Rows of a micro-batch.
    public var microBatchTokens: Int
    /// What a reference model holds of its own, bytes.
    public var referenceBytes = 0
    /// Completions decoded together.
    public var concurrency: Int
    /// Updates of one rollout.
    public var updatesPerRollout: Int = 1
    /// The adapters that are trained, where the model is frozen.
    public var adapter: AdapterConfiguration?
    /// How each matrix of the model is held.
    public var format: @Sendable (_ name: String) -> WeightFormat = { _ in .float32 }

    /// What is trained.
    var trained: [TensorSpecification] {
      adapter?.tensorLayout(for: model) ?? model.tensorLayout
    }
  }

  /// What is held throughout.
  public let resident: [Item]
  /// What sampling needs besides.
  public let sampling: [Item]
  /// What an update needs besides.
  public let update: [Item]

  /// The greatest sum of bytes at any time: scratch of both phases is kept between steps.
  public var peak: Int {
    (resident + sampling + update).reduce(0) { $0 + $1.bytes }
  }

  /// The program itself, its libraries and the log's cache; measured on an idle run.
  static let program = 24 << 20

  /// Makes the plan of a demand.
  public init(_ demand: Demand) {
    let model = demand.model
    let trained = demand.trained.bytes()
    var resident = [
      Item(name: "program", bytes: Self.program),
      Item(name: "weights", bytes: model.tensorLayout.bytes(demand.format)),
    ]
    if demand.adapter != nil { resident.append(Item(name: "adapters", bytes: trained)) }
    resident += [
      Item(name: "gradients", bytes: trained),
      Item(name: "AdamW moments", bytes: 2 * trained),
    ]
    if demand.referenceBytes > 0 {
      resident.append(Item(name: "reference model", bytes: demand.referenceBytes))
    }
    self.resident = resident
    sampling = Self.samplingItems(demand)
    update = Self.updateItems(demand)
  }

  private static func samplingItems(_ demand: Demand) -> [Item] {
    let model = demand.model
    let atOnce = min(demand.concurrency, demand.promptsPerStep * demand.groupSize)
    let own = (demand.completionLength + 15) / 16 + 1
    let shared = (demand.promptLength + 15) / 16
    let blocks = atOnce * own + demand.promptsPerStep * shared
    let perBlock = 2 * 16 * model.keyValueHeadCount * model.headSize * 4
    return [
      Item(name: "keys and values", bytes: model.layerCount * blocks * perBlock),
      Item(name: "logits while sampling", bytes: 4 * atOnce * model.vocabularySize),
    ]
  }

  private static func updateItems(_ demand: Demand) -> [Item] {
    let model = demand.model
    let group = demand.promptLength + demand.groupSize * demand.completionLength
    let part = demand.promptsPerStep * group / max(1, demand.updatesPerRollout)
    let smallest = demand.promptLength + demand.completionLength
    let rows = max(smallest, min(demand.microBatchTokens, part))
    let queries = model.headCount * model.headSize
    let keys = model.keyValueHeadCount * model.headSize
    let normed = model.normalizesQueriesAndKeys ? queries + keys : 0
    let reduced = (demand.adapter?.tensorLayout(for: model).count ?? 0) / 2
    let rank = demand.adapter?.rank ?? 0
    let perLayer =
      2 * model.hiddenSize + 2 * queries + 2 * keys + 2 * model.intermediateSize
      + model.headCount + 2 + normed
    // A backward pass's scratch: stream, two norms, attention's gradients, two of the feed-forward.
    let scratch =
      5 * model.hiddenSize + 2 * queries + 3 * keys + 3 * model.intermediateSize + 2 * keys + rank
    let targets = min(rows, demand.promptsPerStep * demand.groupSize * demand.completionLength)
    let chunk = max(1, VocabularyHead.chunkLogits / model.vocabularySize)
    return [
      Item(name: "activations", bytes: 4 * rows * (model.layerCount * perLayer + reduced * rank)),
      Item(name: "scratch", bytes: 4 * rows * scratch + 16 * targets * model.hiddenSize),
      Item(name: "logits", bytes: 4 * min(targets, chunk) * model.vocabularySize),
    ]
  }

  /// The most rows of a micro-batch whose plan stays within a limit; nil where not even one completion's do.
  ///
  /// Beyond 2,048 rows nothing is gained: products are at their peak, and activations leave the cache.
  public static func microBatchTokens(_ demand: Demand, within limit: Int) -> Int? {
    var demand = demand
    let least = demand.promptLength + demand.completionLength
    var rows = max(least, 2048)
    while true {
      demand.microBatchTokens = rows
      if MemoryPlan(demand).peak <= limit { return rows }
      if rows <= least { return nil }
      rows = max(least, rows / 2)
    }
  }
}

extension [TensorSpecification] {
  /// The bytes of tensors in memory, the padding of matrices included.
  func bytes(_ format: (_ name: String) -> WeightFormat = { _ in .float32 }) -> Int {
    reduce(0) { sum, tensor in
      guard tensor.shape.count == 2 else { return sum + 4 * tensor.count }
      let layout = PackedLayout(rows: tensor.shape[0], columns: tensor.shape[1])
      return sum + layout.count * (format(tensor.name) == .float32 ? 4 : 2)
    }
  }
}

/// What a run leaves on the disk.
public struct DiskPlan: Sendable {
  /// A checkpoint: weights and two moments.
  public var checkpointBytes: Int
  /// How many stand at the same time, the one being written included.
  public var checkpoints: Int
  /// `final/`.
  public var finalBytes: Int
  /// The log, at about 30 bytes a token and 400 a completion.
  public var logBytes: Int

  /// All of it.
  public var total: Int { checkpointBytes * checkpoints + finalBytes + logBytes }

  /// Makes the plan of a run.
  public init(
    trainedCount: Int, steps: Int, completionsPerStep: Int, tokensPerCompletion: Int,
    checkpointEvery: Int, checkpointLimit: Int?, bytesPerWeight: Int
  ) {
    let written = 2 + steps / max(1, checkpointEvery)
    checkpointBytes = 12 * trainedCount
    checkpoints = min(written, (checkpointLimit ?? written) + 2)
    finalBytes = bytesPerWeight * trainedCount
    logBytes = steps * completionsPerStep * (400 + 30 * tokensPerCompletion)
  }
}
