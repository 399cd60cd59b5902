// The operations that treat each row, or each value, by itself.

import CKernels

extension Compute {
  // MARK: - RMS norm

  /// Normalises by the root mean square: y = x · r · w, r = 1 / √(mean(x²) + ε).
  ///
  /// Shapes: x and y [R, segments × C], w [C], r [R, segments]; with several segments each is
  /// normalised by itself (the heads of a q/k norm). `y` may be `x`.
  /// Source: Zhang and Sennrich 2019, equation 4.
  public func rmsNorm(
    _ x: Rows, rows: Int, segments: Int = 1, columns: Int, weight: UnsafePointer<Float>,
    epsilon: Float, into y: Rows, inverseRMS: UnsafeMutablePointer<Float>? = nil
  ) {
    parallelRanges(rows, cost: Double(segments * columns) * 0.15) { begin, end in
      kernels.pointee.rms_norm(
        x.start, x.stride, weight, begin, end, segments, columns, epsilon, y.start, y.stride,
        inverseRMS)
    }
  }

  /// The gradients of `rmsNorm`.
  ///
  /// dx = r·(w ⊙ dy) − x·r³/C·Σ(dy ⊙ w ⊙ x), written or added; dw += Σ_rows dy ⊙ x·r.
  /// `dx` may be `dy` unless accumulating; without `dWeight` the weight is frozen.
  public func rmsNormBackward(
    _ dy: Rows, x: Rows, rows: Int, segments: Int = 1, columns: Int,
    weight: UnsafePointer<Float>, inverseRMS: UnsafePointer<Float>, into dx: Rows,
    accumulating: Bool, dWeight: UnsafeMutablePointer<Float>?
  ) {
    if let dWeight {  // first, since dx may take dy's place
      parallelRanges(columns, cost: Double(rows * segments) * 0.3, alignment: 16) { begin, end in
        kernels.pointee.rms_norm_weight_gradient(
          dy.start, dy.stride, x.start, x.stride, inverseRMS, rows, segments, columns, begin, end,
          dWeight)
      }
    }
    parallelRanges(rows, cost: Double(segments * columns) * 0.3) { begin, end in
      kernels.pointee.rms_norm_input_gradient(
        dy.start, dy.stride, x.start, x.stride, weight, inverseRMS, begin, end, segments, columns,
        dx.start, dx.stride, accumulating ? 1 : 0)
    }
  }

  // MARK: - SwiGLU

  /// The gated unit of a feed-forward layer: h = silu(gate) ⊙ up, silu(z) = z / (1 + e^−z).
  ///
  /// All three hold `count` values without gaps; `h` may be either input. Source: Shazeer 2020.
  public func swiGLU(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int,
    into h: UnsafeMutablePointer<Float>
  ) {
    parallelRanges(count, cost: 0.5, alignment: 16) { begin, end in
      kernels.pointee.swiglu(gate, up, begin, end, h)
    }
  }

  /// The gradients of `swiGLU`: dup = dh ⊙ silu(gate), dgate = dh ⊙ up ⊙ σ(1 + gate(1 − σ)).
  ///
  /// `dGate` may be `gate` and `dUp` may be `up` or `dh`.
  public func swiGLUBackward(
    _ dh: UnsafePointer<Float>, gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int,
    dGate: UnsafeMutablePointer<Float>, dUp: UnsafeMutablePointer<Float>
  ) {
    parallelRanges(count, cost: 0.7, alignment: 16) { begin, end in
      kernels.pointee.swiglu_gradient(dh, gate, up, begin, end, dGate, dUp)
    }
  }

  // MARK: - Rotary embedding

  /// Rotates each head by its position, in place; `inverse` rotates back, which is the gradient.
  ///
  /// (x_i, x_{i+D/2}) ↦ (x_i·c − x_{i+D/2}·s, x_{i+D/2}·c + x_i·s), i < D/2: the halves of a head
  /// are paired, as in Hugging Face's `rotate_half`.
  /// Shapes: x [R, heads × D], positions [R], cosines and sines [positions, D/2].
  /// Source: Su et al. 2021, equation 34.
  public func rotate(
    _ x: Rows, rows: Int, heads: Int, headSize: Int, positions: UnsafePointer<Int32>,
    cosines: UnsafePointer<Float>, sines: UnsafePointer<Float>, inverse: Bool = false
  ) {
    parallelRanges(rows, cost: Double(heads * headSize) * 0.15) { begin, end in
      kernels.pointee.rotate(
        x.start, x.stride, begin, end, heads, headSize, positions, cosines, sines,
        inverse ? 1 : 0)
    }
  }

  // MARK: - Embedding

  /// Gathers the embeddings of tokens: x[r] = table[tokens[r]].
  public func gatherEmbedding(_ tokens: [Int32], from table: PackedMatrix, into x: Rows) {
    parallelRanges(tokens.count, cost: Double(table.columns)) { begin, end in
      for row in begin..<end { table.row(Int(tokens[row]), into: x[row]) }
    }
  }

  /// Adds the gradients of `gatherEmbedding`, in order of the rows: dTable[tokens[r]] += dx[r].
  ///
  /// dTable [V, C] in `layout`, the packed layout of the table.
  public func scatterEmbeddingGradient(
    _ tokens: [Int32], _ dx: Rows, layout: PackedLayout, into dTable: UnsafeMutablePointer<Float>
  ) {
    let width = PackedLayout.panelWidth
    parallelRanges(layout.columns, cost: Double(tokens.count) * 1.5, alignment: 16) { begin, end in
      for (row, token) in tokens.enumerated() {
        let source = dx[row]
        let target = dTable + layout.offset(row: Int(token), column: 0)
        for column in begin..<end { target[column &* width] += source[column] }
      }
    }
  }

  // MARK: - Elements

  /// Adds `count` values: b += a.
  public func add(_ a: UnsafePointer<Float>, to b: UnsafeMutablePointer<Float>, count: Int) {
    parallelRanges(count, cost: 0.2, alignment: 16) { begin, end in
      kernels.pointee.add(a, b, begin, end)
    }
  }

  /// Multiplies `count` values by a factor.
  public func scale(_ x: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
    parallelRanges(count, cost: 0.15, alignment: 16) { begin, end in
      kernels.pointee.scale(x, factor, begin, end)
    }
  }

  /// Sets `count` values.
  public func fill(_ x: UnsafeMutablePointer<Float>, with value: Float = 0, count: Int) {
    parallelRanges(count, cost: 0.15, alignment: 16) { begin, end in
      (x + begin).update(repeating: value, count: end - begin)
    }
  }

  /// Σ a·b in double precision, over fixed parts of 4096 values.
  public func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Double {
    let part = 4096
    let parts = (count + part - 1) / part
    guard parts > 1 else { return kernels.pointee.dot(a, b, count) }
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: parts) { sums in
      parallelRanges(parts, cost: Double(part) * 0.25) { begin, end in
        for index in begin..<end {
          let start = index * part
          sums[index] = kernels.pointee.dot(a + start, b + start, min(part, count - start))
        }
      }
      return sums.reduce(0, +)
    }
  }

  /// Σ x² in double precision.
  public func squaredNorm(_ x: UnsafePointer<Float>, count: Int) -> Double {
    dot(x, x, count: count)
  }
}
