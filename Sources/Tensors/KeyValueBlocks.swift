import CKernels

/// The keys and values of one layer, in blocks of 16 positions of a sequence.
///
/// A sequence's position p lies in block `table[tableStart + p / 16]` of its own table, so sequences
/// may share the blocks of a common prompt. Keys are [block][K][D][16], so that 16 scores grow side
/// by side; values [block][K][16][D].
///
/// Storing position 0 of a block clears its other positions: what a masked key reads is zero, never
/// what another sequence left.
public final class KeyValueBlocks {
  /// Positions in a block.
  public static let positions = Int(BLOCK_POSITIONS)

  /// How many blocks there are.
  public let blockCount: Int
  /// Key-value heads K.
  public let kvHeads: Int
  /// Head size D.
  public let headSize: Int

  private let keys: FloatBuffer
  private let values: FloatBuffer
  private let valueWidth: Int

  /// Allocates zeroed blocks, whose memory is taken when it is first written.
  public init(blockCount: Int, kvHeads: Int, headSize: Int) {
    self.blockCount = blockCount
    self.kvHeads = kvHeads
    self.headSize = headSize
    valueWidth = (headSize + 15) / 16 * 16
    keys = FloatBuffer(count: blockCount * kvHeads * headSize * Self.positions)
    values = FloatBuffer(count: blockCount * kvHeads * valueWidth * Self.positions)
  }

  /// The blocks that `count` positions take.
  public static func blocks(forPositions count: Int) -> Int { (count + positions - 1) / positions }

  /// Bytes of storage when every block is in use.
  public var byteCount: Int { (keys.count + values.count) * MemoryLayout<Float>.stride }

  /// Clears a block.
  public func zero(block: Int) {
    (keys.pointer + block * keyStride).update(repeating: 0, count: keyStride)
    (values.pointer + block * valueStride).update(repeating: 0, count: valueStride)
  }

  /// Copies a block: that which straddles the end of a shared prompt, before a completion goes on.
  public func copy(block: Int, to other: Int) {
    (keys.pointer + other * keyStride).update(
      from: keys.pointer + block * keyStride, count: keyStride)
    (values.pointer + other * valueStride).update(
      from: values.pointer + block * valueStride, count: valueStride)
  }

  private var keyStride: Int { kvHeads * headSize * Self.positions }
  private var valueStride: Int { kvHeads * valueWidth * Self.positions }

  var kernelBlocks: KernelBlocks {
    KernelBlocks(
      keys: keys.pointer, values: values.pointer, kv_heads: kvHeads, head_size: headSize,
      value_width: valueWidth)
  }
}

/// Consecutive tokens of one sequence, within a packed batch.
public struct AttentionSpan: Equatable, Sendable {
  /// The packed row of the first token.
  public var rowStart: Int32
  /// How many tokens.
  public var count: Int32
  /// The position of the first token in its own sequence.
  public var firstPosition: Int32
  /// Where the sequence's blocks begin in the table.
  public var tableStart: Int32

  /// A span of `count` tokens.
  public init(rowStart: Int, count: Int, firstPosition: Int, tableStart: Int) {
    self.rowStart = Int32(rowStart)
    self.count = Int32(count)
    self.firstPosition = Int32(firstPosition)
    self.tableStart = Int32(tableStart)
  }

  var kernelSpan: KernelSpan {
    KernelSpan(
      row_start: rowStart, count: count, first_position: firstPosition, table_start: tableStart)
  }
}

/// Rows of a packed batch that make a group: a prompt, and completions that each attend to the
/// prompt and to themselves.
public struct PackedGroup: Equatable, Sendable {
  /// The packed row of the prompt's first token.
  public var promptStart: Int
  /// The prompt's tokens.
  public var promptCount: Int
  /// The completions' rows; a completion's first position is `promptCount`.
  public var completions: [(start: Int, count: Int)]

  /// A group of packed rows.
  public init(promptStart: Int, promptCount: Int, completions: [(start: Int, count: Int)]) {
    self.promptStart = promptStart
    self.promptCount = promptCount
    self.completions = completions
  }

  /// Whether two groups name the same rows.
  public static func == (a: PackedGroup, b: PackedGroup) -> Bool {
    a.promptStart == b.promptStart && a.promptCount == b.promptCount
      && a.completions.elementsEqual(b.completions, by: ==)
  }
}
