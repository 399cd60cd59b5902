// The operations that treat each row, or each value, by itself.

import CKernels

/// What a gate is passed through.
public enum Activation: Sendable, Hashable {
  /// z σ(z).
  case silu
  /// ½ z (1 + tanh(√(2/π)(z + 0.044715 z³))).
  case geluTanh

  fileprivate var kernelValue: Int32 {
    switch self {
    case .silu: Int32(ACTIVATION_SILU)
    case .geluTanh: Int32(ACTIVATION_GELU_TANH)
    }
  }
}

extension Compute {
  // MARK: - RMS norm

  /// Normalises by the root mean square: y = x · r · w, r = 1 / √(mean(x²) + ε).
  ///
  /// Shapes: x and y [R, segments × C], w [C], r [R, segments]; with several segments each is
  /// normalised by itself (the heads of a q/k norm). `y` may be `x`.
  /// Complexity: 5·R·segments·C flops, two passes over x.
  /// Source: Zhang and Sennrich 2019, equation 4.
  public func rmsNorm(
    _ x: Tensor, segments: Int = 1, weight: Tensor, epsilon: Float, into y: Tensor,
    inverseRMS: Tensor? = nil
  ) {
    let columns = segmentWidth(x, segments, weight)
    let (input, output, w, r) = (x.start, y.start, weight.start, inverseRMS?.start)
    parallelRanges(x.rows, cost: Double(segments * columns) * 0.15) { begin, end in
      kernels.pointee.rms_norm(
        input, x.stride, w, begin, end, segments, columns, epsilon, output, y.stride, r)
    }
  }

  /// The gradients of `rmsNorm`.
  ///
  /// dx = r·(w ⊙ dy) − x·r³/C·Σ(dy ⊙ w ⊙ x), written or added; dw += Σ_rows dy ⊙ x·r.
  /// `dx` may be `dy` unless accumulating; without `dWeight` the weight is frozen.
  /// Complexity: about 10·R·segments·C flops.
  public func rmsNormBackward(
    _ dy: Tensor, x: Tensor, segments: Int = 1, weight: Tensor, inverseRMS: Tensor,
    into dx: Tensor, accumulating: Bool, dWeight: Tensor?
  ) {
    let columns = segmentWidth(x, segments, weight)
    let rows = x.rows
    let (gradient, input, w, r, result) = (
      dy.start, x.start, weight.start, inverseRMS.start, dx.start
    )
    if let dw = dWeight?.start {  // first, since dx may take dy's place
      parallelRanges(columns, cost: Double(rows * segments) * 0.3, alignment: 16) { begin, end in
        kernels.pointee.rms_norm_weight_gradient(
          gradient, dy.stride, input, x.stride, r, rows, segments, columns, begin, end, dw)
      }
    }
    parallelRanges(rows, cost: Double(segments * columns) * 0.3) { begin, end in
      kernels.pointee.rms_norm_input_gradient(
        gradient, dy.stride, input, x.stride, w, r, begin, end, segments, columns, result,
        dx.stride, accumulating ? 1 : 0)
    }
  }

  func segmentWidth(_ x: Tensor, _ segments: Int, _ weight: Tensor) -> Int {
    precondition(
      x.columns == segments * weight.count,
      "\(segments) segments of \(weight.count) are no row of \(x.columns)")
    return weight.count
  }

  // MARK: - Gates and caps

  /// The gated unit of a feed-forward layer: h = φ(gate) ⊙ up.
  ///
  /// All three are [R, F]; `h` may be either input. Both are read as products would read them, rounded to the precision,
  /// so that two bytes hold all that the backward pass needs of them. Source: Shazeer 2020 (SwiGLU, GEGLU).
  /// Complexity: one exponential and one division for each value.
  public func gatedUnit(_ activation: Activation, gate: Tensor, up: Tensor, into h: Tensor) {
    let (g, u, result) = (gate.start, up.start, h.start)
    parallelStretches(cost: 0.5, gate, up, h) { row, begin, end in
      kernels.pointee.gated(
        activation.kernelValue, precision.format, g + row * gate.stride, u + row * up.stride, begin,
        end, result + row * h.stride)
    }
  }

  /// The gradients of `gatedUnit`: dup = dh ⊙ φ(gate), dgate = dh ⊙ up ⊙ φ′(gate).
  ///
  /// All are [R, F]. `dGate` may be `gate` and `dUp` may be `up` or `dh`.
  public func gatedUnitBackward(
    _ activation: Activation, _ dh: Tensor, gate: Tensor, up: Tensor, dGate: Tensor, dUp: Tensor
  ) {
    let (d, g, u, dg, du) = (dh.start, gate.start, up.start, dGate.start, dUp.start)
    parallelStretches(cost: 0.7, dh, gate, up, dGate, dUp) { row, begin, end in
      kernels.pointee.gated_gradient(
        activation.kernelValue, precision.format, d + row * dh.stride, g + row * gate.stride,
        u + row * up.stride, begin, end, dg + row * dGate.stride, du + row * dUp.stride)
    }
  }

  /// The unit of a feed-forward layer without a gate: h = φ(z), both [R, F]; `h` may be `z`.
  public func unit(_ activation: Activation, _ z: Tensor, into h: Tensor) {
    let (input, result) = (z.start, h.start)
    parallelStretches(cost: 0.5, z, h) { row, begin, end in
      kernels.pointee.gated(
        activation.kernelValue, precision.format, input + row * z.stride, nil, begin, end,
        result + row * h.stride)
    }
  }

  /// The gradient of `unit`: dz = dh ⊙ φ′(z); `dz` may be `dh`.
  public func unitBackward(_ activation: Activation, _ dh: Tensor, z: Tensor, into dz: Tensor) {
    let (gradient, input, result) = (dh.start, z.start, dz.start)
    parallelStretches(cost: 0.7, dh, z, dz) { row, begin, end in
      kernels.pointee.gated_gradient(
        activation.kernelValue, precision.format, gradient + row * dh.stride,
        input + row * z.stride, nil, begin, end, result + row * dz.stride, nil)
    }
  }

  /// Walks tensors of one shape side by side: contiguous ones as a single row, others, columns of wider ones, row by row.
  private func parallelStretches(
    cost: Double, _ tensors: Tensor..., body: (_ row: Int, _ begin: Int, _ end: Int) -> Void
  ) {
    if tensors.allSatisfy({ $0.isContiguous }) {
      precondition(tensors.allSatisfy { $0.count == tensors[0].count }, "tensors of one size")
      parallelRanges(tensors[0].count, cost: cost, alignment: 16) { body(0, $0, $1) }
      return
    }
    let (rows, columns) = (tensors[0].rows, tensors[0].columns)
    precondition(
      tensors.allSatisfy { $0.rows == rows && $0.columns == columns }, "tensors of one shape")
    parallelRanges(rows, cost: cost * Double(columns)) { begin, end in
      for row in begin..<end { body(row, 0, columns) }
    }
  }

  /// Caps values softly, in place: x ← c · tanh(x / c) (Gemma 2, arXiv 2408.00118, section 2).
  ///
  /// x is contiguous. Precision: relative 5e-7.
  public func softCap(_ x: Tensor, at cap: Float) {
    let count = sharedCount(x)
    let values = x.start
    parallelRanges(count, cost: 0.5, alignment: 16) { begin, end in
      kernels.pointee.soft_cap(values, cap, begin, end)
    }
  }

  /// The gradient of `softCap`, in place: dx ← dx · (1 − (y / c)²).
  ///
  /// y is the capped tensor; where it has been masked with −∞ the gradient is 0. Both are contiguous and of one shape.
  public func softCapBackward(_ dx: Tensor, capped y: Tensor, at cap: Float) {
    let count = sharedCount(dx, y)
    let (values, gradient) = (y.start, dx.start)
    parallelRanges(count, cost: 0.3, alignment: 16) { begin, end in
      kernels.pointee.soft_cap_gradient(values, cap, begin, end, gradient)
    }
  }

  /// The number of values of tensors that an elementwise operation walks side by side.
  private func sharedCount(_ first: Tensor, _ others: Tensor...) -> Int {
    precondition(
      first.isContiguous && others.allSatisfy { $0.isContiguous && $0.count == first.count },
      "an elementwise operation takes contiguous tensors of one size")
    return first.count
  }

  // MARK: - Embedding and rows by index

  /// Gathers the embeddings of tokens: x[r] = table[tokens[r]].
  public func gatherEmbedding(_ tokens: [Int32], from table: PackedMatrix, into x: Tensor) {
    precondition(x.rows == tokens.count && x.columns == table.columns, "a row for each token")
    parallelRanges(tokens.count, cost: Double(table.columns)) { begin, end in
      for row in begin..<end { table.row(Int(tokens[row]), into: x[row: row]) }
    }
  }

  /// Adds the embeddings of positions: x[r] += table[positions[r]].
  public func addEmbedding(_ positions: [Int32], from table: PackedMatrix, to x: Tensor) {
    precondition(x.rows == positions.count && x.columns == table.columns, "a row for each position")
    parallelRanges(positions.count, cost: Double(table.columns)) { begin, end in
      for row in begin..<end { table.addRow(Int(positions[row]), to: x[row: row]) }
    }
  }

  /// Adds the gradients of `gatherEmbedding`, in order of the rows: dTable[tokens[r]] += dx[r].
  ///
  /// dTable [V, C] in `layout`, the packed layout of the table.
  public func scatterEmbeddingGradient(
    _ tokens: [Int32], _ dx: Tensor, layout: PackedLayout, into dTable: Tensor
  ) {
    precondition(
      dx.rows == tokens.count && dx.columns == layout.columns && dTable.count == layout.count,
      "a gradient for each token, and one for the table")
    let width = PackedLayout.panelWidth
    let (rows, table) = (dx.start, dTable.start)
    parallelRanges(layout.columns, cost: Double(tokens.count) * 1.5, alignment: 16) { begin, end in
      for (row, token) in tokens.enumerated() {
        let source = rows + row * dx.stride
        let target = table + layout.offset(row: Int(token), column: 0)
        for column in begin..<end { target[column &* width] += source[column] }
      }
    }
  }

  /// Copies rows by their indices: y[i] = x[indices[i]].
  public func gatherRows(_ indices: [Int], of x: Tensor, into y: Tensor) {
    precondition(y.rows == indices.count && y.columns == x.columns, "a row for each index")
    for (place, index) in indices.enumerated() {
      y.rows(place..<place + 1).fill(from: x.rows(index..<index + 1))
    }
  }

  /// Adds rows to others by their indices: y[indices[i]] += x[i], in order of i, so that the sum of several for one
  /// index has one order.
  public func addRows(_ x: Tensor, to indices: [Int], of y: Tensor) {
    precondition(x.rows == indices.count && y.columns == x.columns, "a row for each index")
    for (place, index) in indices.enumerated() {
      precondition(index >= 0 && index < y.rows, "row \(index) of \(y.rows)")
      kernels.pointee.add(x[row: place], y[row: index], 0, x.columns)
    }
  }

  // MARK: - Elements

  /// Adds a tensor to another of its shape: b += a.
  public func add(_ a: Tensor, to b: Tensor) {
    let (source, target) = (a.start, b.start)
    parallelStretches(cost: 0.2, a, b) { row, begin, end in
      kernels.pointee.add(source + row * a.stride, target + row * b.stride, begin, end)
    }
  }

  /// Multiplies every value of a contiguous tensor by a factor.
  public func scale(_ x: Tensor, by factor: Float) {
    let count = sharedCount(x)
    let values = x.start
    parallelRanges(count, cost: 0.15, alignment: 16) { begin, end in
      kernels.pointee.scale(values, factor, begin, end)
    }
  }

  /// Sets every value of a contiguous tensor.
  public func fill(_ x: Tensor, with value: Float = 0) {
    let count = sharedCount(x)
    let values = x.start
    parallelRanges(count, cost: 0.15, alignment: 16) { begin, end in
      (values + begin).update(repeating: value, count: end - begin)
    }
  }

  /// Moves a tensor towards another by a share: x ← (1 − share)·x + share·y, each term rounded.
  ///
  /// Shapes: both contiguous and of one size. Both factors are rounded to float32 first.
  public func move(_ x: Tensor, towards y: Tensor, share: Double) {
    let count = sharedCount(x, y)
    let (mine, theirs) = (x.start, y.start)
    let (old, new) = (Float(1 - share), Float(share))
    parallelRanges(count, cost: 0.3, alignment: 16) { begin, end in
      for index in begin..<end { mine[index] = old * mine[index] + new * theirs[index] }
    }
  }

  // MARK: - Sums

  /// How many values are summed in one go: sums over more are sums of such blocks, in order.
  public static let sumBlock = 4096

  /// How many blocks a number of values makes.
  public static func sumBlocks(_ count: Int) -> Int { (count + sumBlock - 1) / sumBlock }

  /// Σ x² of each block of a contiguous tensor, in double precision: their sum in order is `squaredNorm`.
  public func squaredNorms(_ x: Tensor) -> [Double] {
    let (count, values) = (sharedCount(x), x.start)
    let blocks = Self.sumBlocks(count)
    return [Double](unsafeUninitializedCapacity: blocks) { sums, written in
      parallelRanges(blocks, cost: Double(Self.sumBlock) * 0.25) { begin, end in
        for index in begin..<end {
          let start = index * Self.sumBlock
          let part = min(Self.sumBlock, count - start)
          sums[index] = kernels.pointee.dot(values + start, values + start, part)
        }
      }
      written = blocks
    }
  }

  /// Σ a·b in double precision, over fixed parts of 4096 values, of contiguous tensors.
  public func dot(_ a: Tensor, _ b: Tensor) -> Double {
    let count = sharedCount(a, b)
    let (left, right) = (a.start, b.start)
    let part = Self.sumBlock
    let parts = Self.sumBlocks(count)
    guard parts > 1 else { return kernels.pointee.dot(left, right, count) }
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: parts) { sums in
      parallelRanges(parts, cost: Double(part) * 0.25) { begin, end in
        for index in begin..<end {
          let start = index * part
          sums[index] = kernels.pointee.dot(left + start, right + start, min(part, count - start))
        }
      }
      return sums.reduce(0, +)
    }
  }

  /// Σ x² in double precision.
  public func squaredNorm(_ x: Tensor) -> Double { dot(x, x) }

  /// Whether every value is finite: no sum of squares of finite floats leaves the range of double precision.
  ///
  /// Complexity: one pass over x.
  public func isFinite(_ x: Tensor) -> Bool { squaredNorm(x).isFinite }
}
