import Tensors

/// What the attention parts keep of sequences being generated: the same block ids in every layer.
final class KeyValueCache {
  let layers: [KeyValueBlocks]
  private var free: [Int32]

  /// Room for `capacity` blocks of 16 positions; memory is touched only as blocks are used.
  init(_ model: LanguageModel, capacity: Int) {
    layers = model.blueprint.layers.map {
      KeyValueBlocks(blockCount: capacity, shape: $0.attention.cache, for: model.compute)
    }
    free = (0..<Int32(capacity)).reversed()
  }

  /// A block, cleared when its first position is stored; the caller never asks for more than the capacity.
  func allocate() -> Int32 {
    guard let block = free.popLast() else {
      preconditionFailure("the cache was made for fewer blocks than its sequences need")
    }
    return block
  }

  /// A copy of a block.
  func duplicate(_ block: Int32) -> Int32 {
    guard let copy = free.popLast() else {
      preconditionFailure("the cache was made for fewer blocks than its sequences need")
    }
    for layer in layers { layer.copy(block: Int(block), to: Int(copy)) }
    return copy
  }

  /// Gives blocks back.
  func release(_ blocks: some Sequence<Int32>) { free.append(contentsOf: blocks) }
}
