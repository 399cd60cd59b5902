import Rollouts
import Tensors
import Transformer

/// What a run will need, before anything is done: bytes by purpose, from shapes alone.
///
/// What a row takes in a layer is what the layer's parts declare (`RowCosts`), here by the letters: a the floats that a
/// layer keeps, f and b the scratch of forward and backward passes, k keys and values. R rows of a micro-batch, S rows
/// of a prefill or a decoding step, C width, V vocabulary, L layers, P parameters, T trained ones; a float is 4 bytes,
/// matrices are counted with their rows padded to a panel.
///
///     weights                               4P; 2P where frozen and stored as bfloat16
///     operands of weights                   2P in bf16 and fp16, the embedding aside, where weights are not held so
///     adapters, gradients, two moments      4T; 4T, 8T (T = P where all is trained, without adapters)
///     activations                           4R·Σ a;  4R·(L·C + a) where they are computed again; in bf16 and fp16
///                                           operands among them 2 bytes, and one layer's 4 besides
///     rows rounded for a product            6R·(the widest); in bf16 and fp16
///     scratch                               4R·(b + k + 2C) + 4·max(R, S)·f, and of the vocabulary 16·targets·C
///     logits                                4·min(targets, chunk)·V
///     cache while sampling                  the declared bytes of a block, in the element of the cache, · blocks
///     sampling's own activations            4S·(a + C)
///     records of completions in hand        a step's and an evaluation's, measured; 48 bytes per token
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
  /// What is cached of a token while completions are generated, all layers together.
  public let cacheBytesPerToken: Int

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
      Item(name: "weights", bytes: model.tensorLayout.bytes(demand.element)),
    ]
    let operands = model.operandBytes(
      demand.precision, adapter: demand.adapter, element: demand.element)
    if operands > 0 {
      resident.append(
        Item(name: "weights in \(demand.precision.rawValue) for products", bytes: operands))
    }
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
    cacheBytesPerToken = model.cacheBytesPerToken(demand.keyValueElement)
    sampling = Self.samplingItems(demand)
    update = Self.updateItems(demand)
  }

  private static func samplingItems(_ demand: MemoryDemand) -> [Item] {
    let model = demand.model
    let sessions = demand.sessions
    guard !sessions.isEmpty else { return [] }
    let costs = model.rowCosts(adapter: demand.adapter)
    let blocks = sessions.map(\.blocks).max() ?? 0
    let rows = sessions.map(\.rows).max() ?? 0
    let atOnce = sessions.map(\.completions).max() ?? 0
    return [
      Item(
        name: "keys and values",
        bytes: blocks *| model.cacheBytesPerBlock(demand.keyValueElement)),
      Item(
        name: "activations, sampling",
        bytes: 4 *| rows *| (costs.savedInTurn +| model.hiddenSize)),
      Item(name: "logits, sampling", bytes: 4 *| atOnce *| model.vocabularySize),
    ]
  }

  private static func updateItems(_ demand: MemoryDemand) -> [Item] {
    let model = demand.model
    let costs = model.rowCosts(adapter: demand.adapter)
    let batch = demand.largestMicroBatch
    let rows = batch.rows
    let kept =
      demand.cut.recomputesActivations
      ? 4 *| (model.layerCount *| costs.layerInput +| costs.savedInTurn)
      : costs.savedBytes(demand.precision)
    // The stream after the last layer and its gradient stand beside the parts' scratch.
    let backward = costs.backwardScratch +| 2 *| model.hiddenSize
    let passing = costs.passingBytes(demand.keyValueElement)
    let widest = max(rows, demand.sessions.map(\.rows).max() ?? 0)
    let logits =
      4 *| min(batch.targets, max(1, VocabularyHead.chunkLogits / model.vocabularySize))
      *| model.vocabularySize *| (model.capsLogits ? 2 : 1)
    var items = [
      Item(name: "activations", bytes: rows *| kept),
      Item(
        name: "scratch",
        bytes: rows *| (4 *| backward +| passing) +| 4 *| widest *| costs.forwardScratch
          +| 16 *| batch.targets *| model.hiddenSize),
      Item(name: "logits", bytes: logits),
    ]
    if demand.precision != .float32 {
      items.append(
        Item(name: "rows rounded for products", bytes: preparedBytes(demand, rows: widest)))
    }
    if demand.hasReference {
      // The reference scores with a layer's activations and a head of its own.
      let scored = costs.savedInTurn +| costs.forwardScratch +| model.hiddenSize
      items.append(
        Item(
          name: "reference's scratch",
          bytes: rows *| (4 *| scored +| passing) +| 8 *| batch.targets *| model.hiddenSize
            +| logits))
    }
    return items
  }

  /// What rows take while they are rounded: the widest of a layer's products, or gradients of logits.
  private static func preparedBytes(_ demand: MemoryDemand, rows: Int) -> Int {
    let width = demand.model.rowCosts(adapter: demand.adapter).widestProduct
    let layers = Compute.preparedFloats(rows: rows, columns: width, areSpent: false)
    let logits = Compute.preparedFloats(
      rows: demand.largestMicroBatch.targets, columns: demand.model.vocabularySize,
      areSpent: true)
    // Such memory grows by half where more is asked for.
    return 4 *| max(layers *| 3 / 2, logits)
  }
}

extension [TensorSpecification] {
  /// The bytes of tensors in memory, the padding of matrices included.
  func bytes(_ element: (_ name: String) -> ElementType = { _ in .float32 }) -> Int {
    reduce(0) { sum, tensor in
      let size = tensor.form == .plain ? 4 : element(tensor.name).size
      return sum +| tensor.storedCount *| size
    }
  }
}
