import Tensors

/// A matrix with a row, or several, for each token that a part fills while it runs.
///
/// A part declares its slots, and has memory for nothing else: what a layer keeps, what all layers share and what the
/// memory plan counts are one list.
struct Slot: Sendable {
  /// How long the numbers stand.
  enum Lifetime: Sendable {
    /// From the layer's forward pass to its backward pass.
    case saved
    /// While the part runs; layers use the memory in turn.
    case scratch
  }

  let lifetime: Lifetime
  /// Its place among the layer's saved slots, or among the model's scratch.
  let index: Int
  let columns: Int
  /// How many rows a token has: one for each expert that it is sent to, where rows are sorted by expert.
  var rowsPerToken = 1
}

/// Scratch that layers share under a name; it is as large as the largest that asks for it.
struct ScratchDeclaration: Sendable {
  var name: String
  /// Numbers for each token.
  var columns: Int
  /// Whether only the backward pass needs it.
  var isBackward: Bool
}

/// Memory for slots.
final class SlotMemory {
  let memory: [TensorScratch]

  /// Memory of its own for `count` slots; it is taken when it is first used.
  init(count: Int) { memory = (0..<count).map { _ in TensorScratch() } }

  /// Memory of its own for the first slot alone, which is a layer's input; the rest is another's.
  init(sharing other: SlotMemory) {
    memory = [TensorScratch()] + other.memory.dropFirst()
  }

  /// Room for tokens' rows, with whatever it held.
  func reserve(_ slot: Slot, tokens: Int) -> Tensor {
    memory[slot.index].reserve(rows: tokens * slot.rowsPerToken, columns: slot.columns)
  }

  /// What was reserved last.
  func tensor(_ slot: Slot) -> Tensor { memory[slot.index].tensor }
}
