import Rollouts
import Tensors

/// A prompt and the completions that follow it, as token ids.
public struct TokenGroup: Sendable {
  /// The prompt; never empty, since the first token needs something to be predicted from.
  public var prompt: [TokenID]
  /// The completions, each possibly empty.
  public var completions: [[TokenID]]
  /// The places in each completion of tokens that are read and not predicted, ascending; empty where there are none.
  public var observed: [[Range<Int>]]

  /// Makes a group.
  public init(prompt: [TokenID], completions: [[TokenID]], observed: [[Range<Int>]] = []) {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    self.prompt = prompt
    self.completions = completions
    self.observed = observed
  }

  /// How many rows the group takes in a packed batch.
  public var rowCount: Int {
    prompt.count + completions.reduce(0) { $0 + max(0, $1.count - 1) }
  }
}

/// Which rows attend to which blocks of keys and values, the same for every layer.
struct AttentionPlan {
  /// Spans whose keys are stored first: prompts, or the rows of a decoding step.
  var promptSpans: [AttentionSpan] = []
  /// Spans of completions, whose first blocks may continue a copy of their prompt's last.
  var completionSpans: [AttentionSpan] = []
  /// Blocks to copy between the two, from a prompt's straddling block to a completion's.
  var straddles: [(from: Int, to: Int)] = []
  /// Block ids, indexed from each span's `tableStart`.
  var table: [Int32] = []

  /// All spans.
  var spans: [AttentionSpan] { promptSpans + completionSpans }

  /// Stores the keys and values of all rows in a layer's blocks; no values where keys hold them.
  func store(keys: Tensor, values: Tensor?, into blocks: KeyValueBlocks, _ compute: Compute) {
    compute.store(keys: keys, values: values, spans: promptSpans, table: table, into: blocks)
    for straddle in straddles { blocks.copy(block: straddle.from, to: straddle.to) }
    compute.store(keys: keys, values: values, spans: completionSpans, table: table, into: blocks)
  }
}

/// Tokens that pass through the layers together, each with its position in its own sequence.
struct TokenRows {
  /// The token of each row.
  var tokens: [TokenID] = []
  /// Its position in its own sequence.
  var positions: [Int32] = []
  /// Which rows see which.
  var attention = AttentionPlan()
  /// The rows of each group, for the backward pass of attention; none while sampling.
  var groups: [PackedGroup] = []
  /// Where rows are sent whatever the routers would choose; nil where these choose.
  var givenRoutes: RouteTable?

  /// How many rows there are.
  var count: Int { tokens.count }

  /// Where each group's rows begin: pairs of rows in a weight's gradient are of one group.
  var segments: [Int] { groups.isEmpty ? [0] : groups.map(\.promptStart) }
}

/// Groups laid out as rows of tokens without padding: each prompt once, then its completions.
///
/// A completion's last token predicts nothing, so it takes no row. The row that predicts a
/// completion's first token is the prompt's last, shared by the whole group. What a trajectory observed takes rows
/// like any other token, and is no target.
///
/// Row layout of one group with P prompt tokens and G completions of Cᵢ tokens:
/// `prompt[0..<P] completion₀[0..<C₀-1] completion₁[0..<C₁-1] …`; the positions of a completion's rows
/// count on from P. Keys and values lie in blocks of 16 positions of the token's own sequence; the
/// block that straddles the end of the prompt is each completion's own copy.
public struct PackedBatch {
  /// One completion token to be predicted: from which row, and which token it is.
  public struct Target: Sendable {
    /// The row whose hidden state predicts it.
    public var row: Int
    /// The token.
    public var token: TokenID
  }

  /// Completion tokens in order of group, completion, token.
  public private(set) var targets: [Target] = []
  /// The range of `targets` of each completion, group by group.
  public private(set) var targetRanges: [Range<Int>] = []
  /// Where each group's targets begin.
  private(set) var targetSegments: [Int] = []
  /// The tokens of the rows, and where their keys and values lie.
  private(set) var rows = TokenRows()
  /// How many blocks of keys and values the batch needs.
  private(set) var blockCount = 0

  /// Lays out groups.
  public init(_ inputs: [TokenGroup]) {
    for input in inputs { append(input) }
  }

  /// Where rows are sent whatever the routers would choose, a row for each of the batch's; nil where these choose.
  public var givenRoutes: RouteTable? {
    get { rows.givenRoutes }
    set { rows.givenRoutes = newValue }
  }

  /// How many rows there are.
  public var rowCount: Int { rows.count }

  private mutating func append(_ input: TokenGroup) {
    let prompt = input.prompt
    let block = KeyValueBlocks.positions
    targetSegments.append(targets.count)
    let promptStart = rows.count
    let promptTable = rows.attention.table.count
    let firstBlock = blockCount
    blockCount += (prompt.count + block - 1) / block
    rows.attention.table.append(contentsOf: (firstBlock..<blockCount).map(Int32.init))
    appendRows(prompt[...], firstPosition: 0, tableStart: promptTable, to: \.promptSpans)
    let whole = prompt.count / block
    let straddles = prompt.count % block != 0
    var members: [(start: Int, count: Int)] = []
    for (index, completion) in input.completions.enumerated() {
      let start = rows.count
      let kept = completion.dropLast()
      appendTargets(
        completion, except: input.observed.indices.contains(index) ? input.observed[index] : [],
        lastPromptRow: promptStart + prompt.count - 1, firstRow: start)
      members.append((start, kept.count))
      guard !kept.isEmpty else { continue }
      let tableStart = rows.attention.table.count
      rows.attention.table.append(
        contentsOf: rows.attention.table[promptTable..<promptTable + whole])
      let own = (prompt.count + kept.count + block - 1) / block - whole
      if straddles { rows.attention.straddles.append((from: firstBlock + whole, to: blockCount)) }
      rows.attention.table.append(contentsOf: (blockCount..<blockCount + own).map(Int32.init))
      blockCount += own
      appendRows(
        kept, firstPosition: prompt.count, tableStart: tableStart, to: \.completionSpans)
    }
    rows.groups.append(
      PackedGroup(promptStart: promptStart, promptCount: prompt.count, completions: members))
  }

  private mutating func appendRows(
    _ added: ArraySlice<TokenID>, firstPosition: Int, tableStart: Int,
    to spans: WritableKeyPath<AttentionPlan, [AttentionSpan]>
  ) {
    rows.attention[keyPath: spans].append(
      AttentionSpan(
        rowStart: rows.count, count: added.count, firstPosition: firstPosition,
        tableStart: tableStart))
    rows.tokens.append(contentsOf: added)
    rows.positions.append(contentsOf: (0..<added.count).map { Int32(firstPosition + $0) })
  }

  private mutating func appendTargets(
    _ completion: [TokenID], except observed: [Range<Int>], lastPromptRow: Int, firstRow: Int
  ) {
    let start = targets.count
    var next = observed[...]
    for (index, token) in completion.enumerated() {
      while let range = next.first, range.upperBound <= index { next.removeFirst() }
      if next.first?.contains(index) == true { continue }
      targets.append(Target(row: index == 0 ? lastPromptRow : firstRow + index - 1, token: token))
    }
    targetRanges.append(start..<targets.count)
  }
}
