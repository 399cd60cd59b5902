// Causal attention: out_p = Σ_j softmax_j(scale · q_p·k_j) v_j over keys j ≤ p within the window.
//
// A score is one chain over d; the maximum, the exponentials and their sum go by 16 lanes that a
// key's position in its own sequence decides; an output is one chain over j. So a token decoded
// alone, one in a prefill and one in a packed training row get the same bits.

import CKernels

extension Compute {
  /// Stores the (rotated) keys and the values of spans in their blocks.
  ///
  /// Shapes: k and v [R, K × D].
  public func store(
    keys k: Rows, values v: Rows, spans: [AttentionSpan], table: [Int32],
    into blocks: KeyValueBlocks
  ) {
    let kernelSpans = spans.map(\.kernelSpan)
    let tokens = spans.reduce(0) { $0 + Int($1.count) }
    let width = Double(blocks.kvHeads * blocks.headSize)
    table.withUnsafeBufferPointer { table in
      kernelSpans.withUnsafeBufferPointer { spans in
        guard let entries = table.baseAddress, let first = spans.baseAddress else { return }
        let arguments = StoreArguments(
          k: k.start, k_stride: k.stride, v: v.start, v_stride: v.stride, table: entries,
          blocks: blocks.kernelBlocks)
        let cost = width * Double(tokens) / Double(spans.count)
        parallelRanges(spans.count, cost: cost) { begin, end in
          withUnsafePointer(to: arguments) {
            kernels.pointee.store_keys_values($0, first, begin, end)
          }
        }
      }
    }
  }

  /// Attends from the queries of spans to the keys of their sequences.
  ///
  /// Shapes: q and out [R, H × D], logSumExp [R, H]. H is a multiple of K; query head h reads
  /// key-value head h / (H/K). Key j is seen by query p where p − window < j ≤ p; the keys up to p
  /// must have been stored. `out` may not be `q`.
  /// Complexity: 4·D flops a pair of query head and visible key.
  public func attend(
    _ q: Rows, spans: [AttentionSpan], table: [Int32], blocks: KeyValueBlocks, heads: Int,
    scale: Float, window: Int = .max, into out: Rows,
    logSumExp: UnsafeMutablePointer<Float>? = nil
  ) {
    let kernelSpans = spans.map(\.kernelSpan)
    let perKeyHead = heads / blocks.kvHeads
    precondition(
      perKeyHead * blocks.kvHeads == heads,
      "\(heads) query heads cannot share \(blocks.kvHeads) key-value heads evenly")
    guard window > 0 else { preconditionFailure("an attention window must hold a key") }

    // A task is one tile of (position, head) pairs of a span, for one key-value head.
    let tile = kernels.pointee.tile_rows
    var firstTiles = [0]
    var work = 0.0
    var longest = 0
    for span in spans {
      let items = Int(span.count) * perKeyHead
      firstTiles.append(firstTiles[firstTiles.count - 1] + (items + tile - 1) / tile)
      let end = Int(span.firstPosition) + Int(span.count)
      longest = max(longest, end)
      work += Double(items) * Double(min(end, window))
    }
    let tiles = firstTiles[spans.count]
    let tasks = tiles * blocks.kvHeads
    guard tasks > 0 else { return }
    let scratchCount = kernels.pointee.attend_scratch(blocks.headSize, longest)
    let cost = work / Double(tiles) * Double(blocks.headSize) * 4 / 40
    let pieces = self.pieces(count: tasks, cost: cost)

    table.withUnsafeBufferPointer { table in
      kernelSpans.withUnsafeBufferPointer { spans in
        guard let entries = table.baseAddress else { return }
        let arguments = AttentionArguments(
          q: q.start, q_stride: q.stride, table: entries, blocks: blocks.kernelBlocks,
          heads: heads, scale: scale, window: window, out: out.start, out_stride: out.stride,
          log_sum_exp: logSumExp)
        parallel(pieces) { piece, worker in
          let scratch = self.scratch(worker: worker, count: scratchCount)
          var task = tasks * piece / pieces
          let end = tasks * (piece + 1) / pieces
          var span = 0
          while task < end {
            let tileIndex = task / blocks.kvHeads
            while firstTiles[span + 1] <= tileIndex { span += 1 }
            let begin = (tileIndex - firstTiles[span]) * tile
            withUnsafePointer(to: arguments) {
              kernels.pointee.attend(
                $0, spans.baseAddress.unsafelyUnwrapped + span, task % blocks.kvHeads, begin,
                min(begin + tile, Int(spans[span].count) * perKeyHead), scratch)
            }
            task += 1
          }
        }
      }
    }
  }

  /// The gradients of attention over packed groups; dq, dk and dv are written, not added to.
  ///
  /// q and k are rotated, k and v row-major as they were projected. Rows of no group are left alone.
  /// With p = exp(s − lse) and δ = Σ_d dOut·out: dv_j = Σ p dOut, ds = p(dOut·v_j − δ)·scale,
  /// dq = Σ_j ds k_j, dk_j = Σ ds q.
  /// Shapes: q, out, dOut, dq [R, H × D]; k, v, dk, dv [R, K × D]; logSumExp [R, H].
  /// Source: Dao 2023 (FlashAttention-2), section 3.1.2.
  public func attendBackward(
    q: Rows, k: Rows, v: Rows, out: Rows, dOut: Rows, logSumExp: UnsafePointer<Float>,
    groups: [PackedGroup], heads: Int, kvHeads: Int, headSize: Int, scale: Float,
    window: Int = .max, dq: Rows, dk: Rows, dv: Rows
  ) {
    let arguments = AttentionGradientArguments(
      q: q.start, k: k.start, v: v.start, out: out.start, d_out: dOut.start,
      q_stride: q.stride, k_stride: k.stride, v_stride: v.stride, out_stride: out.stride,
      d_out_stride: dOut.stride, log_sum_exp: logSumExp, heads: heads, kv_heads: kvHeads,
      head_size: headSize, scale: scale, window: window, dq: dq.start, dk: dk.start,
      dv: dv.start, dq_stride: dq.stride, dk_stride: dk.stride, dv_stride: dv.stride)
    let completions = groups.map { $0.completions.flatMap { [$0.start, $0.count] } }
    let keys = groups.map { group in
      group.completions.reduce(group.promptCount) { $0 + $1.count + 2 * PackedLayout.panelWidth }
    }
    let scratchCount = kernels.pointee.attention_gradient_scratch(headSize, keys.max() ?? 0)
    parallel(groups.count * kvHeads) { task, worker in
      let index = task / kvHeads
      let scratch = self.scratch(worker: worker, count: scratchCount)
      completions[index].withUnsafeBufferPointer { pairs in
        let group = KernelGroup(
          prompt_start: groups[index].promptStart, prompt_count: groups[index].promptCount,
          completion_count: pairs.count / 2, completions: pairs.baseAddress)
        withUnsafePointer(to: arguments) { arguments in
          withUnsafePointer(to: group) {
            kernels.pointee.attention_gradient(arguments, $0, task % kvHeads, scratch)
          }
        }
      }
    }
  }
}
