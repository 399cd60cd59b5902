// gpt-oss's gated unit, whose gates and linear parts are neighbours in one row.

import CKernels

/// h = (clamp(u, −c, c) + 1) · g σ(α g) with g clamped from above at c.
public struct ClampedUnit: Sendable, Hashable {
  /// α.
  public var alpha: Float
  /// c.
  public var limit: Float

  /// Makes a unit.
  public init(alpha: Float = 1.702, limit: Float = 7) {
    self.alpha = alpha
    self.limit = limit
  }
}

extension Compute {
  /// The gated unit of rows g₀ u₀ g₁ u₁ …: h = (clamp(u, −c, c) + 1) · g σ(α g), g ≤ c.
  ///
  /// Shapes: both [R, 2F], h [R, F].
  public func clampedUnit(_ unit: ClampedUnit, _ both: Tensor, into h: Tensor) {
    precondition(both.columns == 2 * h.columns && both.rows == h.rows, "a gate for each output")
    let width = h.columns
    parallelRanges(h.rows, cost: Double(width) * 2) { begin, end in
      for row in begin..<end {
        let (source, target) = (both[row: row], h[row: row])
        shares(unit, source, width, into: target)
        for i in 0..<width {
          let gate = min(source[2 * i], unit.limit)
          let up = max(-unit.limit, min(source[2 * i + 1], unit.limit))
          target[i] = (up + 1) * (gate * target[i])
        }
      }
    }
  }

  /// The gradient of `clampedUnit`; what is clamped has none.
  ///
  ///     dg = dh (u + 1)(σ + α g σ (1 − σ)) where g ≤ c,   du = dh g σ(α g) where −c ≤ u ≤ c
  ///
  /// Shapes: dh [R, F], both and dBoth [R, 2F], which may be one.
  public func clampedUnitBackward(
    _ unit: ClampedUnit, _ dh: Tensor, _ both: Tensor, into dBoth: Tensor
  ) {
    precondition(
      both.columns == 2 * dh.columns && both.rows == dh.rows && dBoth.columns == both.columns
        && dBoth.rows == both.rows, "a gate for each output")
    let width = dh.columns
    parallelRanges(dh.rows, cost: Double(width) * 3) { begin, end in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { buffer in
        guard let share = buffer.baseAddress else { return }
        for row in begin..<end {
          let (d, source, target) = (dh[row: row], both[row: row], dBoth[row: row])
          shares(unit, source, width, into: share)
          for i in 0..<width {
            let (gate, up) = (source[2 * i], source[2 * i + 1])
            let g = min(gate, unit.limit)
            let u = max(-unit.limit, min(up, unit.limit))
            let rise = share[i] + unit.alpha * g * share[i] * (1 - share[i])
            target[2 * i] = gate <= unit.limit ? d[i] * (u + 1) * rise : 0
            target[2 * i + 1] = abs(up) <= unit.limit ? d[i] * (g * share[i]) : 0
          }
        }
      }
    }
  }

  /// σ(α min(g, c)) of a row's gates.
  private func shares(
    _ unit: ClampedUnit, _ both: UnsafePointer<Float>, _ width: Int,
    into result: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<width { result[i] = -unit.alpha * min(both[2 * i], unit.limit) }
    kernels.pointee.exponentials(result, width, result)
    for i in 0..<width { result[i] = 1 / (1 + result[i]) }
  }
}
