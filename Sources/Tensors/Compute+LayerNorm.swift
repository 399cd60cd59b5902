import CKernels

extension Compute {
  /// Normalises by mean and deviation: y = (x − μ) · r · w + b, r = 1 / √(mean((x − μ)²) + ε).
  ///
  /// Shapes: x and y [R, segments × C], w and b [C], statistics [R, segments × 2]: μ and r of each segment. `y` may be `x`.
  /// Complexity: 8·R·segments·C flops, three passes over x.
  /// Source: Ba, Kiros and Hinton 2016 (arXiv 1607.06450), equation 3.
  public func layerNorm(
    _ x: Tensor, segments: Int = 1, weight: Tensor, bias: Tensor?, epsilon: Float, into y: Tensor,
    statistics: Tensor? = nil
  ) {
    let columns = segmentWidth(x, segments, weight)
    let (input, output, w, b) = (x.start, y.start, weight.start, bias?.start)
    let kept = statistics?.start
    parallelRanges(x.rows, cost: Double(segments * columns) * 0.2) { begin, end in
      kernels.pointee.layer_norm(
        input, x.stride, w, b, begin, end, segments, columns, epsilon, output, y.stride, kept)
    }
  }

  /// The gradients of `layerNorm`.
  ///
  /// With z = (x − μ)·r and g = w ⊙ dy: dx = r·(g − mean(g) − z·mean(g ⊙ z)), written or added; dw += Σ_rows dy ⊙ z,
  /// db += Σ_rows dy. `dx` may be `dy` unless accumulating; without `dWeight` both are frozen.
  /// Complexity: about 14·R·segments·C flops.
  public func layerNormBackward(
    _ dy: Tensor, x: Tensor, segments: Int = 1, weight: Tensor, statistics: Tensor,
    into dx: Tensor, accumulating: Bool, dWeight: Tensor?, dBias: Tensor?
  ) {
    let columns = segmentWidth(x, segments, weight)
    let rows = x.rows
    let (gradient, input, w, kept, result) = (
      dy.start, x.start, weight.start, statistics.start, dx.start
    )
    if let dw = dWeight?.start {  // first, since dx may take dy's place
      let db = dBias?.start
      parallelRanges(columns, cost: Double(rows * segments) * 0.4, alignment: 16) { begin, end in
        kernels.pointee.layer_norm_weight_gradient(
          gradient, dy.stride, input, x.stride, kept, rows, segments, columns, begin, end, dw, db)
      }
    }
    parallelRanges(rows, cost: Double(segments * columns) * 0.4) { begin, end in
      kernels.pointee.layer_norm_input_gradient(
        gradient, dy.stride, input, x.stride, w, kept, begin, end, segments, columns, result,
        dx.stride, accumulating ? 1 : 0)
    }
  }
}
