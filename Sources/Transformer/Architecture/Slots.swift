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
  /// Slots whose numbers are held in two bytes while others use the memory that they are computed in.
  private let narrowed: [(slot: Int, halves: HalfScratch)]

  /// Memory of its own for `count` slots; it is taken when it is first used.
  init(count: Int) {
    memory = (0..<count).map { _ in TensorScratch() }
    narrowed = []
  }

  /// Memory of its own for the first slot alone, which is a layer's input; the rest is another's.
  init(sharing other: SlotMemory) {
    memory = [TensorScratch()] + other.memory.dropFirst()
    narrowed = []
  }

  /// Memory of its own for `count` slots, but for those of operands: these are computed in another's memory, and held
  /// in two bytes.
  init(count: Int, narrowing operands: Set<Int>, of other: SlotMemory, to element: ElementType) {
    memory = (0..<count).map { operands.contains($0) ? other.memory[$0] : TensorScratch() }
    narrowed = operands.sorted().map { ($0, HalfScratch(element)) }
  }

  /// Holds operands in two bytes: their memory may be used by others then.
  func narrow(_ compute: Compute) {
    for (slot, halves) in narrowed { halves.hold(memory[slot].tensor, compute) }
  }

  /// Brings operands back to where they were computed.
  func widen(_ compute: Compute) {
    for (slot, halves) in narrowed { halves.restore(into: memory[slot], compute) }
  }

  /// Room for tokens' rows, with whatever it held.
  func reserve(_ slot: Slot, tokens: Int) -> Tensor {
    memory[slot.index].reserve(rows: tokens * slot.rowsPerToken, columns: slot.columns)
  }

  /// What was reserved last.
  func tensor(_ slot: Slot) -> Tensor { memory[slot.index].tensor }
}
