import Foundation
import Tensors
import Testing

/// Sequences of one layer's queries, keys and values, each row by row, with what attention makes of
/// them in double precision.
struct AttentionCase: CustomTestStringConvertible, Sendable {
  var heads: Int
  var kvHeads: Int
  var headSize: Int
  var window = Int.max
  var cap: Float?
  /// The first numbers of a key that are its value; nil for values of their own, as wide as keys.
  var sharedValueSize: Int?
  var valueSize: Int { sharedValueSize ?? headSize }
  var scale: Float { 1 / Float(headSize).squareRoot() }
  var queryWidth: Int { heads * headSize }
  var keyWidth: Int { kvHeads * headSize }
  var valueWidth: Int { kvHeads * valueSize }
  var outWidth: Int { heads * valueSize }
  var cache: KeyValueShape {
    sharedValueSize.map { KeyValueShape(heads: kvHeads, keySize: headSize, sharingValuesOf: $0) }
      ?? KeyValueShape(heads: kvHeads, headSize: headSize)
  }
  var testDescription: String {
    "\(heads)/\(kvHeads) heads of \(headSize)" + (window == .max ? "" : ", window \(window)")
      + (sharedValueSize.map { ", the first \($0) of keys as values" } ?? "")
      + (cap.map { ", capped at \($0)" } ?? "")
  }

  static let all = [
    AttentionCase(heads: 1, kvHeads: 1, headSize: 1),
    AttentionCase(heads: 4, kvHeads: 2, headSize: 8),
    AttentionCase(heads: 3, kvHeads: 1, headSize: 32),
    AttentionCase(heads: 6, kvHeads: 2, headSize: 64, window: 20),
    AttentionCase(heads: 2, kvHeads: 2, headSize: 40, window: 1),
    AttentionCase(heads: 14, kvHeads: 1, headSize: 24, window: 33),
    AttentionCase(heads: 4, kvHeads: 2, headSize: 20, window: 25, cap: 3),
    AttentionCase(heads: 5, kvHeads: 1, headSize: 24, sharedValueSize: 16),
    AttentionCase(heads: 4, kvHeads: 2, headSize: 23, window: 30, sharedValueSize: 21),
    AttentionCase(heads: 13, kvHeads: 1, headSize: 88, sharedValueSize: 72),
  ]

  func capped(_ score: Double) -> Double {
    cap.map { Double($0) * tanh(score / Double($0)) } ?? score
  }

  /// softmax(scale q·k) v of one row for one head, over the given rows of keys; and log Σ e^score.
  func reference(
    q: [Float], k: [Float], v: [Float], row: Int, head: Int, keyRows: [Int]
  ) -> (out: [Double], logSumExp: Double) {
    let kvHead = head / (heads / kvHeads)
    let scores = keyRows.map { key in
      capped(
        (0..<headSize).reduce(0.0) {
          $0 + Double(q[row * queryWidth + head * headSize + $1])
            * Double(k[key * keyWidth + kvHead * headSize + $1])
        } * Double(scale))
    }
    let largest = scores.max() ?? 0
    let sum = scores.reduce(0) { $0 + exp($1 - largest) }
    let out = (0..<valueSize).map { d in
      zip(scores, keyRows).reduce(0.0) {
        $0 + exp($1.0 - largest) / sum * Double(v[$1.1 * valueWidth + kvHead * valueSize + d])
      }
    }
    return (out, largest + log(sum))
  }
}

@Suite("Attention")
struct AttentionTests {
  static let lengths = [1, 2, 15, 16, 17, 31, 33, 100]

  struct Inputs {
    let q: Tensor
    let k: Tensor
    let v: Tensor

    init(_ c: AttentionCase, rows: Int) {
      q = Tensor(TestValues.normal(rows * c.queryWidth, stream: 100, scale: 2))
      k = Tensor(TestValues.normal(rows * c.keyWidth, stream: 101))
      guard c.sharedValueSize != nil else {
        v = Tensor(TestValues.normal(rows * c.keyWidth, stream: 102))
        return
      }
      v = Tensor(rows: rows, columns: c.valueWidth)
      Compute(threads: 1).copyHeads(
        HeadColumns(
          k.reshaped(columns: c.keyWidth),
          HeadRange(heads: c.kvHeads, step: c.headSize, count: c.valueSize)),
        into: HeadColumns(v, HeadRange(heads: c.kvHeads, step: c.valueSize, count: c.valueSize)))
    }

    /// What is stored beside the keys.
    func values(_ c: AttentionCase) -> Tensor? {
      c.sharedValueSize == nil ? v.reshaped(columns: c.valueWidth) : nil
    }
  }

  @Test(
    "agrees with double precision", arguments: AttentionCase.all, TestValues.instructionSets)
  func reference(c: AttentionCase, set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    for length in set == .scalar ? [1, 17, 40] : Self.lengths {
      let inputs = Inputs(c, rows: length)
      let count = KeyValueBlocks.blocks(forPositions: length)
      let blocks = KeyValueBlocks(blockCount: count, shape: c.cache, for: compute)
      let spans = [AttentionSpan(rowStart: 0, count: length, firstPosition: 0, tableStart: 0)]
      let table = (0..<Int32(count)).map { Int32(count) - 1 - $0 }
      compute.store(
        keys: inputs.k.reshaped(columns: c.keyWidth),
        values: inputs.values(c),
        spans: spans, table: table, into: blocks)
      let (out, lse) = (
        Tensor(count: length * c.outWidth), Tensor(count: length * c.heads)
      )
      compute.attend(
        inputs.q.reshaped(columns: c.queryWidth), spans: spans, table: table, blocks: blocks,
        heads: c.heads, scale: c.scale, cap: c.cap, window: c.window,
        into: out.reshaped(columns: c.outWidth),
        logSumExp: lse)
      var expected: [Double] = []
      var expectedLSE: [Double] = []
      for row in 0..<length {
        for head in 0..<c.heads {
          let first = c.window > row ? 0 : row - c.window + 1
          let result = c.reference(
            q: inputs.q.values, k: inputs.k.values, v: inputs.v.values, row: row, head: head,
            keyRows: Array(first...row))
          expected += result.out
          expectedLSE.append(result.logSumExp)
        }
      }
      // Scores up to 20 carry an error of 2e-6, which the exponential hands on.
      #expect(relativeError(out.values, expected) < 5e-6, "length \(length)")
      #expect(relativeError(lse.values, expectedLSE) < 2e-6, "length \(length)")
    }
  }

  /// Tokens of a prompt and of completions that share its blocks, as a sampler lays them out.
  struct Group {
    let c: AttentionCase
    let promptCount: Int
    let completionCounts: [Int]
    let inputs: Inputs
    var rows: Int { promptCount + completionCounts.reduce(0, +) }

    init(_ c: AttentionCase, promptCount: Int, completionCounts: [Int]) {
      self.c = c
      self.promptCount = promptCount
      self.completionCounts = completionCounts
      inputs = Inputs(c, rows: promptCount + completionCounts.reduce(0, +))
    }

    /// Blocks and tables: whole blocks of the prompt shared, the one that straddles its end copied
    /// by `prepare` for each completion.
    func layout(_ compute: Compute) -> (
      blocks: KeyValueBlocks, table: [Int32], tableStarts: [Int], copies: [(from: Int, to: Int)]
    ) {
      var table: [Int32] = []
      var starts: [Int] = []
      var copies: [(from: Int, to: Int)] = []
      let promptBlocks = KeyValueBlocks.blocks(forPositions: promptCount)
      var next = Int32(promptBlocks)
      starts.append(0)
      table += (0..<Int32(promptBlocks))
      for count in completionCounts {
        starts.append(table.count)
        let shared = promptCount / KeyValueBlocks.positions
        table += (0..<Int32(shared))
        let all = KeyValueBlocks.blocks(forPositions: promptCount + count)
        if shared < promptBlocks { copies.append((shared, Int(next))) }
        for _ in shared..<max(all, promptBlocks) {
          table.append(next)
          next += 1
        }
      }
      let blocks = KeyValueBlocks(blockCount: Int(next), shape: c.cache, for: compute)
      return (blocks, table, starts, copies)
    }

    func spans(_ tableStarts: [Int]) -> [AttentionSpan] {
      var row = promptCount
      var spans = [
        AttentionSpan(rowStart: 0, count: promptCount, firstPosition: 0, tableStart: 0)
      ]
      for (index, count) in completionCounts.enumerated() {
        spans.append(
          AttentionSpan(
            rowStart: row, count: count, firstPosition: promptCount,
            tableStart: tableStarts[index + 1]))
        row += count
      }
      return spans
    }

    /// All rows at once, as the trainer passes them.
    func packed(_ compute: Compute) -> (out: Tensor, lse: Tensor) {
      let (blocks, table, starts, copies) = layout(compute)
      let all = spans(starts)
      run(compute, [all[0]], store: true, table, blocks, nil, nil)
      for copy in copies { blocks.copy(block: copy.from, to: copy.to) }
      run(compute, Array(all.dropFirst()), store: true, table, blocks, nil, nil)
      let (out, lse) = (
        Tensor(count: rows * c.outWidth), Tensor(count: rows * c.heads)
      )
      run(compute, all, store: false, table, blocks, out, lse)
      return (out, lse)
    }

    /// The prompt in pieces, then every completion token by itself, all completions side by side.
    func decoded(_ compute: Compute, promptPiece: Int) -> (out: Tensor, lse: Tensor) {
      let (blocks, table, starts, copies) = layout(compute)
      let (out, lse) = (
        Tensor(count: rows * c.outWidth), Tensor(count: rows * c.heads)
      )
      for first in stride(from: 0, to: promptCount, by: promptPiece) {
        let piece = AttentionSpan(
          rowStart: first, count: min(promptPiece, promptCount - first), firstPosition: first,
          tableStart: 0)
        run(compute, [piece], store: true, table, blocks, out, lse)
      }
      // What an earlier sequence left in a block must not show.
      for block in KeyValueBlocks.blocks(forPositions: promptCount)..<blocks.blockCount {
        let garbage = Tensor(
          [Float](repeating: .nan, count: c.keyWidth * KeyValueBlocks.positions))
        let span = AttentionSpan(
          rowStart: 0, count: KeyValueBlocks.positions, firstPosition: 0, tableStart: 0)
        compute.store(
          keys: garbage.reshaped(columns: c.keyWidth),
          values: c.sharedValueSize == nil ? garbage.reshaped(columns: c.keyWidth) : nil,
          spans: [span], table: [Int32(block)], into: blocks)
      }
      for copy in copies { blocks.copy(block: copy.from, to: copy.to) }
      for step in 0..<(completionCounts.max() ?? 0) {
        let live = spans(starts).dropFirst().filter { $0.count > step }.map {
          AttentionSpan(
            rowStart: Int($0.rowStart) + step, count: 1, firstPosition: promptCount + step,
            tableStart: Int($0.tableStart))
        }
        run(compute, live, store: true, table, blocks, out, lse)
      }
      return (out, lse)
    }

    private func run(
      _ compute: Compute, _ spans: [AttentionSpan], store: Bool, _ table: [Int32],
      _ blocks: KeyValueBlocks, _ out: Tensor?, _ lse: Tensor?
    ) {
      if store {
        compute.store(
          keys: inputs.k.reshaped(columns: c.keyWidth),
          values: inputs.values(c),
          spans: spans, table: table, into: blocks)
      }
      guard let out, let lse else { return }
      compute.attend(
        inputs.q.reshaped(columns: c.queryWidth), spans: spans, table: table, blocks: blocks,
        heads: c.heads, scale: c.scale, cap: c.cap, window: c.window,
        into: out.reshaped(columns: c.outWidth),
        logSumExp: lse)
    }
  }

  @Test(
    "of a token decoded alone is that of a packed row, bit for bit",
    arguments: AttentionCase.all, [1, 15, 16, 17, 32, 39])
  func decodeEqualsPacked(c: AttentionCase, promptCount: Int) {
    let group = Group(c, promptCount: promptCount, completionCounts: [20, 1, 17, 3])
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for threads in [1, 2] {
        let compute = Compute(threads: threads, instructionSet: set)
        for result in [
          group.packed(compute), group.decoded(compute, promptPiece: 1),
          group.decoded(compute, promptPiece: 11), group.decoded(compute, promptPiece: 64),
        ] {
          let bits = result.out.values.bits + result.lse.values.bits
          seen = seen ?? bits
          let isSame = bits == seen
          #expect(isSame, "\(set), \(threads) threads")
        }
      }
    }
  }

  @Test(
    "of a token decoded alone is that of a packed row in two bytes, its gradients the same on each table",
    arguments: AttentionCase.all, [Precision.bf16, .fp16])
  func halves(c: AttentionCase, precision: Precision) {
    let group = Group(c, promptCount: 33, completionCounts: [20, 1, 17])
    let exact = Compute(threads: 1)
    let (expected, expectedLse) = group.packed(exact)
    let dOut = Tensor(TestValues.normal(expected.count, stream: 103))
    let gradient = Self.backward(group, exact, out: expected, lse: expectedLse, dOut: dOut)
    let tolerance = precision == .bf16 ? 0.04 : 0.005
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      let compute = Compute(threads: 2, instructionSet: set, precision: precision)
      let (out, lse) = group.packed(compute)
      for piece in [1, 11] {
        let decoded = group.decoded(compute, promptPiece: piece)
        let isSame =
          decoded.out.values.bits + decoded.lse.values.bits == out.values.bits + lse.values.bits
        #expect(isSame, "\(set), pieces of \(piece)")
      }
      #expect(relativeError(out.values, expected.values.map(Double.init)) < tolerance)
      let result = Self.backward(group, compute, out: out, lse: lse, dOut: dOut)
      // A token that sees itself alone leaves queries and keys without a gradient but for rounding.
      if c.window > 1 {
        #expect(relativeError(result.dq, gradient.dq.map(Double.init)) < tolerance)
        #expect(relativeError(result.dk, gradient.dk.map(Double.init)) < tolerance)
      }
      #expect(relativeError(result.dv, gradient.dv.map(Double.init)) < tolerance)
      let bits = [out.values, lse.values, result.dq, result.dk, result.dv].flatMap(\.bits)
      seen = seen ?? bits
      let isSame = bits == seen
      #expect(isSame, "\(set)")
    }
  }

  @Test(
    "has the gradient of its formula in double precision", arguments: AttentionCase.all,
    TestValues.instructionSets)
  func gradient(c: AttentionCase, set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    for (promptCount, completions) in [(1, [1]), (5, [3, 0, 40]), (37, [6, 33]), (18, [])] {
      let group = Group(c, promptCount: promptCount, completionCounts: completions)
      let (out, lse) = group.packed(compute)
      let dOut = Tensor(TestValues.normal(out.count, stream: 103))
      let result = Self.backward(group, compute, out: out, lse: lse, dOut: dOut)
      let expected = Self.referenceGradient(group, dOut: dOut.values)
      // Beside the scores' own error, δ and dOut·v nearly cancel now and then.
      #expect(relativeError(result.dq, expected.dq) < 2e-5)
      #expect(relativeError(result.dk, expected.dk) < 2e-5)
      #expect(relativeError(result.dv, expected.dv) < 1e-5)
    }
  }

  static func backward(
    _ group: Group, _ compute: Compute, out: Tensor, lse: Tensor, dOut: Tensor
  ) -> (dq: [Float], dk: [Float], dv: [Float]) {
    let c = group.c
    let (dq, dk, dv) = (
      Tensor(count: group.rows * c.queryWidth), Tensor(count: group.rows * c.keyWidth),
      Tensor(count: group.rows * c.valueWidth)
    )
    for tensor in [dq, dk, dv] { compute.fill(tensor, with: .nan) }
    var row = group.promptCount
    var completions: [(start: Int, count: Int)] = []
    for count in group.completionCounts {
      completions.append((row, count))
      row += count
    }
    compute.attendBackward(
      q: group.inputs.q.reshaped(columns: c.queryWidth),
      k: group.inputs.k.reshaped(columns: c.keyWidth),
      v: group.inputs.v.reshaped(columns: c.valueWidth), out: out.reshaped(columns: c.outWidth),
      dOut: dOut.reshaped(columns: c.outWidth), logSumExp: lse,
      groups: [
        PackedGroup(promptStart: 0, promptCount: group.promptCount, completions: completions)
      ],
      heads: c.heads, kvHeads: c.kvHeads, scale: c.scale, cap: c.cap, window: c.window,
      dq: dq.reshaped(columns: c.queryWidth), dk: dk.reshaped(columns: c.keyWidth),
      dv: dv.reshaped(columns: c.valueWidth))
    return (dq.values, dk.values, dv.values)
  }

  /// The closed form in double precision, checked by differences below.
  static func referenceGradient(
    _ group: Group, dOut: [Float]
  ) -> (dq: [Double], dk: [Double], dv: [Double]) {
    let c = group.c
    let (q, k, v) = (group.inputs.q.values, group.inputs.k.values, group.inputs.v.values)
    var dq = [Double](repeating: 0, count: q.count)
    var dk = [Double](repeating: 0, count: k.count)
    var dv = [Double](repeating: 0, count: v.count)
    for (row, visible) in visibleRows(group).enumerated() {
      for head in 0..<c.heads {
        let kvHead = head / (c.heads / c.kvHeads)
        let (out, lse) = c.reference(q: q, k: k, v: v, row: row, head: head, keyRows: visible)
        let at = row * c.queryWidth + head * c.headSize
        let outAt = row * c.outWidth + head * c.valueSize
        let delta = (0..<c.valueSize).reduce(0.0) { $0 + Double(dOut[outAt + $1]) * out[$1] }
        for key in visible {
          let keyAt = key * c.keyWidth + kvHead * c.headSize
          var (score, product) = (0.0, 0.0)
          let valueAt = key * c.valueWidth + kvHead * c.valueSize
          for d in 0..<c.headSize { score += Double(q[at + d]) * Double(k[keyAt + d]) }
          for d in 0..<c.valueSize { product += Double(dOut[outAt + d]) * Double(v[valueAt + d]) }
          let capped = c.capped(score * Double(c.scale))
          let rise = c.cap.map { 1 - (capped / Double($0)) * (capped / Double($0)) } ?? 1
          let p = exp(capped - lse)
          let ds = p * (product - delta) * rise * Double(c.scale)
          for d in 0..<c.headSize {
            dq[at + d] += ds * Double(k[keyAt + d])
            dk[keyAt + d] += ds * Double(q[at + d])
          }
          for d in 0..<c.valueSize { dv[valueAt + d] += p * Double(dOut[outAt + d]) }
        }
      }
    }
    return (dq, dk, dv)
  }

  /// The rows of keys that each row sees.
  static func visibleRows(_ group: Group) -> [[Int]] {
    var rows: [[Int]] = []
    func see(_ all: [Int]) { rows.append(Array(all.suffix(group.c.window))) }
    for row in 0..<group.promptCount { see(Array(0...row)) }
    var start = group.promptCount
    for count in group.completionCounts {
      for step in 0..<count {
        see(Array(0..<group.promptCount) + Array(start...start + step))
      }
      start += count
    }
    return rows
  }

  @Test("has the gradient of its differences", arguments: [nil, 3] as [Float?])
  func differences(cap: Float?) {
    let c = AttentionCase(heads: 4, kvHeads: 2, headSize: 6, cap: cap)
    let group = Group(c, promptCount: 5, completionCounts: [3, 2])
    let dOut = TestValues.normal(group.rows * c.queryWidth, stream: 104)
    let gradient = Self.referenceGradient(group, dOut: dOut)
    let values = (group.inputs.q.values, group.inputs.k.values, group.inputs.v.values)
    func loss(_ q: [Float], _ k: [Float], _ v: [Float]) -> Double {
      Self.visibleRows(group).enumerated().reduce(0.0) { total, item in
        (0..<c.heads).reduce(total) { total, head in
          let out = c.reference(
            q: q, k: k, v: v, row: item.offset, head: head, keyRows: item.element
          ).out
          return (0..<c.headSize).reduce(total) {
            $0 + Double(dOut[item.offset * c.queryWidth + head * c.headSize + $1]) * out[$1]
          }
        }
      }
    }
    let h: Float = 1.0 / 512
    for index in stride(from: 0, to: group.rows * c.keyWidth, by: 7) {
      func derivative(_ change: (inout ([Float], [Float], [Float]), Float) -> Void) -> Double {
        var (up, down) = (values, values)
        change(&up, h)
        change(&down, -h)
        return (loss(up.0, up.1, up.2) - loss(down.0, down.1, down.2)) / Double(2 * h)
      }
      #expect(abs(derivative { $0.0[index] += $1 } - gradient.dq[index]) < 1e-3)
      #expect(abs(derivative { $0.1[index] += $1 } - gradient.dk[index]) < 1e-3)
      #expect(abs(derivative { $0.2[index] += $1 } - gradient.dv[index]) < 1e-3)
    }
  }

  @Test("of several groups is that of each alone, in both directions")
  func groups() {
    let c = AttentionCase(heads: 4, kvHeads: 2, headSize: 16)
    let compute = Compute(threads: 2)
    let shapes = [(20, [5, 9]), (3, [30]), (17, [])]
    let parts = shapes.map { Group(c, promptCount: $0, completionCounts: $1) }
    let results = parts.map { group -> (Group, Tensor, Tensor, [[Float]]) in
      let (out, lse) = group.packed(compute)
      let dOut = Tensor(TestValues.normal(out.count, stream: 106))
      let g = Self.backward(group, compute, out: out, lse: lse, dOut: dOut)
      return (group, out, lse, [dOut.values, g.dq, g.dk, g.dv])
    }
    func joined(_ values: ((Group, Tensor, Tensor, [[Float]])) -> [Float]) -> Tensor {
      Tensor(results.flatMap(values))
    }
    let q = joined { $0.0.inputs.q.values }
    let (k, v) = (joined { $0.0.inputs.k.values }, joined { $0.0.inputs.v.values })
    let (out, lse, dOut) = (joined { $0.1.values }, joined { $0.2.values }, joined { $0.3[0] })
    var first = 0
    let groups = shapes.map { promptCount, counts in
      let start = first
      first += promptCount
      let completions = counts.map { count in
        defer { first += count }
        return (start: first, count: count)
      }
      return PackedGroup(promptStart: start, promptCount: promptCount, completions: completions)
    }
    let (dq, dk, dv) = (
      Tensor(count: q.count), Tensor(count: k.count), Tensor(count: v.count)
    )
    compute.attendBackward(
      q: q.reshaped(columns: c.queryWidth), k: k.reshaped(columns: c.keyWidth),
      v: v.reshaped(columns: c.keyWidth), out: out.reshaped(columns: c.queryWidth),
      dOut: dOut.reshaped(columns: c.queryWidth), logSumExp: lse, groups: groups,
      heads: c.heads, kvHeads: c.kvHeads, scale: c.scale,
      dq: dq.reshaped(columns: c.queryWidth), dk: dk.reshaped(columns: c.keyWidth),
      dv: dv.reshaped(columns: c.keyWidth))
    let isSame =
      dq.values.bits == joined { $0.3[1] }.values.bits
      && dk.values.bits == joined { $0.3[2] }.values.bits
      && dv.values.bits == joined { $0.3[3] }.values.bits
    #expect(isSame)
  }

  @Test("has gradients of the same bits on each table and thread count")
  func gradientInvariance() {
    let c = AttentionCase(heads: 4, kvHeads: 2, headSize: 24, cap: 4)
    let group = Group(c, promptCount: 33, completionCounts: [40, 7, 20])
    var seen: [UInt32]?
    for set in TestValues.instructionSets {
      for threads in [1, 2, 3] {
        let compute = Compute(threads: threads, instructionSet: set)
        let (out, lse) = group.packed(compute)
        let dOut = Tensor(TestValues.normal(out.count, stream: 105))
        let result = Self.backward(group, compute, out: out, lse: lse, dOut: dOut)
        let bits = result.dq.bits + result.dk.bits + result.dv.bits
        seen = seen ?? bits
        let isSame = bits == seen
        #expect(isSame, "\(set), \(threads) threads")
      }
    }
  }
}
