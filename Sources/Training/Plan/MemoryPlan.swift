import Rollouts
import Tensors
import Transformer

/// What a run will need, before anything is done: bytes by purpose, from shapes alone.
///
/// Letters: R rows of a micro-batch, S rows of a prefill or a decoding step, C width, F feed-forward width,
/// H and K query and key heads of size D, V vocabulary, L layers, P parameters, T trained ones, r the rank
/// of M adapted products; a float is 4 bytes, matrices are counted with their rows padded to a panel.
///
///     weights                               4P; 2P where frozen and stored as bfloat16
///     adapters, gradients, two moments      4T; 4T, 8T (T = P where all is trained, without adapters)
///     a layer's activations                 a = 2C + 2HD + 2KD + 2F + H + 2, and r for each adapted product
///     activations                           4R·L·a;  4R·(L·C + a) where they are computed again
///     scratch of the backward pass          4R·(5C + 2HD + 5KD + 3F + r), and of the vocabulary 16·targets·C
///     logits                                4·min(targets, chunk)·V
///     keys and values while sampling        4·L·2KD·16·blocks
///     sampling's own activations            4S·(a + C)
///     records of completions in hand        a step's and an evaluation's, measured; 48 bytes a token
public struct MemoryPlan: Sendable {
  /// One line of the plan.
  public struct Item: Sendable {
    /// What the bytes are for.
    public var name: String
    /// How many.
    public var bytes: Int
  }

  /// What is held throughout.
  public let resident: [Item]
  /// What sampling needs besides.
  public let sampling: [Item]
  /// What an update needs besides.
  public let update: [Item]

  /// The greatest sum of bytes at any time: scratch of both phases is kept between steps.
  public var peak: Int {
    (resident + sampling + update).map(\.bytes).saturatingSum
  }

  /// The program itself, its libraries and small things; measured on small runs.
  static let program = 44 << 20

  /// Makes the plan of a demand.
  public init(_ demand: MemoryDemand) {
    let model = demand.model
    let trained = demand.trained.bytes()
    var resident = [
      Item(name: "program", bytes: Self.program),
      Item(name: "weights", bytes: model.tensorLayout.bytes(demand.format)),
    ]
    if demand.tokenizerBytes > 0 {
      resident.insert(Item(name: "tokenizer", bytes: demand.tokenizerBytes), at: 1)
    }
    if demand.dataBytes > 0 {
      resident.insert(Item(name: "data", bytes: demand.dataBytes), at: 1)
    }
    if demand.logCacheBytes > 0 {
      resident.append(Item(name: "log's cache", bytes: demand.logCacheBytes))
    }
    resident.append(Item(name: "completions' records", bytes: demand.recordBytes))
    if demand.adapter != nil { resident.append(Item(name: "adapters", bytes: trained)) }
    resident += [
      Item(name: "gradients", bytes: trained),
      Item(name: "AdamW moments", bytes: 2 *| trained),
    ]
    if demand.referenceBytes > 0 {
      resident.append(Item(name: "reference model", bytes: demand.referenceBytes))
    }
    self.resident = resident
    sampling = Self.samplingItems(demand)
    update = Self.updateItems(demand)
  }

  private static func samplingItems(_ demand: MemoryDemand) -> [Item] {
    let model = demand.model
    let sessions = demand.sessions
    guard !sessions.isEmpty else { return [] }
    let perBlock = 2 *| KeyValueBlocks.positions *| model.keyValueHeadCount *| model.headSize *| 4
    let blocks = sessions.map(\.blocks).max() ?? 0
    let rows = sessions.map(\.rows).max() ?? 0
    let atOnce = sessions.map(\.completions).max() ?? 0
    return [
      Item(name: "keys and values", bytes: model.layerCount *| blocks *| perBlock),
      Item(
        name: "activations, sampling",
        bytes: 4 *| rows *| (model.activationsOfALayer +| model.hiddenSize)),
      Item(name: "logits, sampling", bytes: 4 *| atOnce *| model.vocabularySize),
    ]
  }

  private static func updateItems(_ demand: MemoryDemand) -> [Item] {
    let model = demand.model
    let batch = demand.largestMicroBatch
    let rows = batch.rows
    let queries = model.headCount *| model.headSize
    let keys = model.keyValueHeadCount *| model.headSize
    let reduced = (demand.adapter?.tensorLayout(for: model).count ?? 0) / 2
    let rank = demand.adapter?.rank ?? 0
    let whole = model.layerCount *| model.activationsOfALayer +| reduced *| rank
    let kept =
      demand.cut.recomputesActivations
      ? model.layerCount *| model.hiddenSize +| whole / max(1, model.layerCount) : whole
    // Stream, norms, attention's gradients, its keys and values in blocks, two of the feed-forward.
    let scratch =
      5 *| model.hiddenSize +| 2 *| queries +| 5 *| keys +| 3 *| model.intermediateSize +| rank
    let chunk = max(1, VocabularyHead.chunkLogits / model.vocabularySize)
    var items = [
      Item(name: "activations", bytes: 4 *| rows *| kept),
      Item(
        name: "scratch", bytes: 4 *| rows *| scratch +| 16 *| batch.targets *| model.hiddenSize),
      Item(name: "logits", bytes: 4 *| min(batch.targets, chunk) *| model.vocabularySize),
    ]
    if demand.hasReference {
      // The reference scores with a layer's activations and a head of its own.
      let reference =
        4 *| rows
        *| (model.activationsOfALayer +| model.hiddenSize +| model.hiddenSize
          +| model.intermediateSize +| 2 *| keys) +| 8 *| batch.targets *| model.hiddenSize
      items.append(
        Item(
          name: "reference's scratch",
          bytes: reference +| 4 *| min(batch.targets, chunk) *| model.vocabularySize))
    }
    return items
  }
}

extension ModelConfiguration {
  /// What a layer keeps for its backward pass, floats a row.
  var activationsOfALayer: Int {
    let queries = headCount * headSize
    let keys = keyValueHeadCount * headSize
    let normed = normalizesQueriesAndKeys ? queries + keys + headCount + keyValueHeadCount : 0
    return 2 * hiddenSize + 2 * queries + 2 * keys + 2 * intermediateSize + headCount + 2 + normed
  }
}

extension [TensorSpecification] {
  /// The bytes of tensors in memory, the padding of matrices included.
  func bytes(_ format: (_ name: String) -> WeightFormat = { _ in .float32 }) -> Int {
    reduce(0) { sum, tensor in
      guard tensor.shape.count == 2 else { return sum +| 4 *| tensor.count }
      let layout = PackedLayout(rows: tensor.shape[0], columns: tensor.shape[1])
      return sum +| layout.count *| (format(tensor.name) == .float32 ? 4 : 2)
    }
  }
}
