// A head's sink takes a share of the softmax and gives nothing: with ℓ = log Σ exp s over the keys and z the sink's logit,
// each weight is multiplied by σ(ℓ − z).
//
// Weights p of the keys alone, o' = σ o: with dO' the gradient of o' the gradient of the scores is
//     p (σ dO'·v − σ dO'·o'),
// which is that of attention without a sink for dO = σ dO' and an output o'. The sink's own is −(1 − σ) dO'·o'.

import CKernels

extension Compute {
  /// Gives the sinks their share: out ← σ(ℓ − z) out, head by head.
  ///
  /// Shapes: out [R, H·D], logSumExp [R, H] of the keys alone, sinks [H].
  /// Source: Xiao et al. 2023 (arXiv 2309.17453); gpt-oss's model card (arXiv 2508.10925), section 2.3.
  public func applySinks(_ sinks: Tensor, logSumExp: Tensor, to out: Tensor) {
    let heads = sinks.count
    let size = out.columns / heads
    parallelRanges(out.rows, cost: Double(out.columns) * 0.2) { begin, end in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: heads) { buffer in
        guard let share = buffer.baseAddress else { return }
        for row in begin..<end {
          sinkShares(sinks.start, logSumExp[row: row], heads, into: share)
          for head in 0..<heads {
            kernels.pointee.scale(out[row: row] + head * size, share[head], 0, size)
          }
        }
      }
    }
  }

  /// The sinks' gradient, and that of the output before `applySinks`, in place: dz −= Σ_r (1 − σ) dO·o in order of rows, dO ← σ dO.
  ///
  /// Shapes: dOut and out, which holds what `applySinks` left, [R, H·D]; logSumExp [R, H]; dSinks [H], nil where they are frozen.
  public func applySinksBackward(
    _ sinks: Tensor, logSumExp: Tensor, out: Tensor, dOut: Tensor, dSinks: Tensor?
  ) {
    let heads = sinks.count
    let size = out.columns / heads
    parallelRanges(heads, cost: Double(out.rows * size) * 0.5) { begin, end in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: heads) { buffer in
        guard let share = buffer.baseAddress else { return }
        for row in 0..<out.rows {
          sinkShares(sinks.start, logSumExp[row: row], heads, into: share)
          for head in begin..<end {
            let gradient = dOut[row: row] + head * size
            if let dSinks {
              let dot = Float(kernels.pointee.dot(gradient, out[row: row] + head * size, size))
              dSinks.start[head] -= (1 - share[head]) * dot
            }
            kernels.pointee.scale(gradient, share[head], 0, size)
          }
        }
      }
    }
  }

  private func sinkShares(
    _ sinks: UnsafePointer<Float>, _ logSumExp: UnsafePointer<Float>, _ heads: Int,
    into share: UnsafeMutablePointer<Float>
  ) {
    for head in 0..<heads { share[head] = sinks[head] - logSumExp[head] }
    kernels.pointee.exponentials(share, heads, share)
    for head in 0..<heads { share[head] = 1 / (1 + share[head]) }
  }
}
