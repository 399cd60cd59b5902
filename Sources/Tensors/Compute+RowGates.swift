// A gate of one number for each row.

import CKernels

extension Compute {
  /// σ(z) of each number, in place: z [R, 1].
  public func logistic(_ z: Tensor) {
    precondition(z.isContiguous, "a gate is contiguous")
    let values = z.start
    for row in 0..<z.count { values[row] = -values[row] }
    kernels.pointee.exponentials(values, z.count, values)
    for row in 0..<z.count { values[row] = 1 / (1 + values[row]) }
  }

  /// Multiplies each row by its number: y[r] = g[r] · x[r].
  ///
  /// Shapes: x and y [R, C], g [R, 1]; `y` may be `x`.
  public func scaleRows(_ x: Tensor, by gate: Tensor, into y: Tensor) {
    precondition(
      gate.count == x.rows && y.rows == x.rows && y.columns == x.columns, "a factor for each row")
    let factors = gate.start
    parallelRanges(x.rows, cost: Double(x.columns) * 0.2) { begin, end in
      for row in begin..<end {
        if !y.isSame(as: x) { y[row: row].update(from: x[row: row], count: x.columns) }
        kernels.pointee.scale(y[row: row], factors[row], 0, x.columns)
      }
    }
  }

  /// The gradient of a gate's logits: dz[r] = (dy[r] · x[r]) g (1 − g).
  ///
  /// Shapes: dy and x [R, C], g and dz [R, 1]. In double precision, rounded once.
  public func gateBackward(_ dy: Tensor, _ x: Tensor, gate: Tensor, into dz: Tensor) {
    precondition(
      gate.count == x.rows && dz.count == x.rows && dy.columns == x.columns, "a gate for each row")
    let (g, result) = (gate.start, dz.start)
    parallelRanges(x.rows, cost: Double(x.columns) * 0.3) { begin, end in
      for row in begin..<end {
        let share = Double(g[row])
        result[row] = Float(
          kernels.pointee.dot(dy[row: row], x[row: row], x.columns) * share * (1 - share))
      }
    }
  }
}
