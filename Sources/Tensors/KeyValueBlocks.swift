import CKernels

/// What one layer caches of a token: a key and a value for each of some heads.
public struct KeyValueShape: Equatable, Sendable {
  /// Key-value heads K.
  public var heads: Int
  /// D, the numbers of a key.
  public var keySize: Int
  /// V, the numbers of a value.
  public var valueSize: Int
  /// Whether a key's first V numbers are its value, which is then cached once.
  public var sharesValues: Bool

  /// Keys and values of one size, cached both.
  public init(heads: Int, headSize: Int) {
    self.heads = heads
    (keySize, valueSize) = (headSize, headSize)
    sharesValues = false
  }

  /// Keys whose first `valueSize` numbers are their values.
  public init(heads: Int, keySize: Int, sharingValuesOf valueSize: Int) {
    precondition(valueSize <= keySize, "a value of \(valueSize) in a key of \(keySize)")
    self.heads = heads
    self.keySize = keySize
    self.valueSize = valueSize
    sharesValues = true
  }

  /// V, filled up to whole vectors.
  var valueWidth: Int { (valueSize + 15) / 16 * 16 }

  /// Bytes of a block of positions.
  public func blockBytes(_ element: ElementType = .float32) -> Int {
    element.size * (keyCount(element) + valueCount)
  }

  /// Numbers of a block's keys and of its values; in bfloat16 an odd key is filled up to pairs.
  func keyCount(_ element: ElementType) -> Int {
    let size = element == .bfloat16 ? (keySize + 1) / 2 * 2 : keySize
    return heads * size * KeyValueBlocks.positions
  }
  var valueCount: Int { sharesValues ? 0 : heads * valueWidth * KeyValueBlocks.positions }
}

/// The keys and values of one layer, in blocks of 16 positions of a sequence.
///
/// A sequence's position p lies in block `table[tableStart + p / 16]` of its own table, so sequences
/// may share the blocks of a common prompt. Keys are [block][K][D][16], so that 16 scores grow side
/// by side; values [block][K][16][V]. Where keys hold their values, there is nothing else. For products of bf16 two
/// numbers of a key lie together, [D/2][16][2], and two positions of a value, [8][V][2].
///
/// Storing position 0 of a block clears its other positions: what a masked key reads is zero, never
/// what another sequence left.
public final class KeyValueBlocks {
  /// Positions in a block.
  public static let positions = Int(BLOCK_POSITIONS)

  /// How many blocks there are.
  public let blockCount: Int
  /// What is cached of a token.
  public let shape: KeyValueShape
  /// How keys and values are held.
  public var element: ElementType { keys.element }

  private let keys: Tensor
  private let values: Tensor
  /// Whether they lie as products of bf16 read them.
  private let liesInPairs: Bool

  /// Allocates zeroed blocks, whose memory is taken when it is first written.
  /// - Parameter compute: Says how keys and values are held.
  public init(blockCount: Int, shape: KeyValueShape, for compute: Compute) {
    self.blockCount = blockCount
    self.shape = shape
    let element = compute.keyValueElement
    liesInPairs = compute.precision == .bf16
    keys = Tensor(rows: blockCount, columns: shape.keyCount(element), element: element)
    values = Tensor(rows: blockCount, columns: shape.valueCount, element: element)
  }

  /// The blocks that `count` positions take.
  public static func blocks(forPositions count: Int) -> Int { (count + positions - 1) / positions }

  /// Copies a block: that which straddles the end of a shared prompt, before a completion goes on.
  public func copy(block: Int, to other: Int) {
    for tensor in [keys, values] {
      tensor.rows(other..<other + 1).copyBytes(of: tensor.rows(block..<block + 1))
    }
  }

  var kernelBlocks: KernelBlocks {
    KernelBlocks(
      keys: keys.mutableBytes, values: shape.sharesValues ? nil : values.mutableBytes,
      format: liesInPairs ? Precision.bf16.format : element.kernelFormat, kv_heads: shape.heads,
      head_size: shape.keySize, value_size: shape.valueSize, value_width: shape.valueWidth)
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
