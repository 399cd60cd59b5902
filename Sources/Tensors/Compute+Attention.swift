// Causal attention: out_p = Σ_j softmax_j(scale · q_p·k_j) v_j over keys j ≤ p within the window.
//
// A score is one chain over d; the maximum, the exponentials and their sum go by 16 lanes that a
// key's position in its own sequence decides; an output is one chain over j. So a token decoded
// alone, one in a prefill and one in a packed training row get the same bits. In bf16 and fp16 queries, keys, values, the
// weights of values and, backward, their gradients are rounded (`Precision`); the softmax is float32.

import CKernels

extension Compute {
  /// Stores the (rotated) keys and the values of spans in their blocks, rounded to how these are held.
  ///
  /// Shapes: k [R, K × D], v [R, K × V]; no v where keys hold their values.
  public func store(
    keys k: Tensor, values v: Tensor?, spans: [AttentionSpan], table: [Int32],
    into blocks: KeyValueBlocks
  ) {
    let shape = blocks.shape
    precondition(
      k.columns == shape.heads * shape.keySize
        && v?.columns == (shape.sharesValues ? nil : shape.heads * shape.valueSize),
      "keys and values of another shape than their blocks'")
    let kernelSpans = spans.map(\.kernelSpan)
    let tokens = spans.reduce(0) { $0 + Int($1.count) }
    let width = Double(k.columns)
    table.withUnsafeBufferPointer { table in
      kernelSpans.withUnsafeBufferPointer { spans in
        guard let entries = table.baseAddress, let first = spans.baseAddress else { return }
        let arguments = StoreArguments(
          k: k.start, k_stride: k.stride, v: v.map { UnsafePointer($0.start) },
          v_stride: v?.stride ?? 0, table: entries, blocks: blocks.kernelBlocks)
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
  /// Shapes: q [R, H × D], out [R, H × V], logSumExp [R, H]. H is a multiple of K; query head h reads
  /// key-value head h / (H/K). Key j is seen by query p where p − window < j ≤ p; the keys up to p
  /// must have been stored. Scores s are replaced by cap · tanh(s / cap) where there is a cap. `out` may not be `q`.
  /// Complexity: 2·(D + V) flops a pair of query head and visible key.
  public func attend(
    _ q: Tensor, spans: [AttentionSpan], table: [Int32], blocks: KeyValueBlocks, heads: Int,
    scale: Float, cap: Float? = nil, window: Int = .max, into out: Tensor, logSumExp: Tensor? = nil
  ) {
    let kernelSpans = spans.map(\.kernelSpan)
    let shape = blocks.shape
    let kvHeads = shape.heads
    let perKeyHead = heads / kvHeads
    precondition(
      perKeyHead * kvHeads == heads,
      "\(heads) query heads cannot share \(kvHeads) key-value heads evenly")
    precondition(
      q.columns == heads * shape.keySize && out.columns == heads * shape.valueSize,
      "queries of another shape than their heads'")
    guard window > 0 else { preconditionFailure("an attention window must hold a key") }
    precondition(
      blocks.element == keyValueElement,
      "keys and values held in another element than attention reads")

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
    let tasks = tiles * kvHeads
    guard tasks > 0 else { return }
    let scratchCount = kernels.pointee.attend_scratch(shape.keySize, shape.valueSize, longest)
    let cost = work / Double(tiles) * Double(shape.keySize + shape.valueSize) * 2 / 40
    let pieces = self.pieces(count: tasks, cost: cost)

    table.withUnsafeBufferPointer { table in
      kernelSpans.withUnsafeBufferPointer { spans in
        guard let entries = table.baseAddress else { return }
        let arguments = AttentionArguments(
          q: q.start, q_stride: q.stride, table: entries, blocks: blocks.kernelBlocks,
          format: precision.format, heads: heads, scale: scale, cap: cap ?? 0, window: window,
          out: out.start,
          out_stride: out.stride,
          log_sum_exp: logSumExp?.start)
        parallel(pieces) { piece, worker in
          let scratch = self.scratch(worker: worker, count: scratchCount)
          var task = tasks * piece / pieces
          let end = tasks * (piece + 1) / pieces
          var span = 0
          while task < end {
            let tileIndex = task / kvHeads
            while firstTiles[span + 1] <= tileIndex { span += 1 }
            let begin = (tileIndex - firstTiles[span]) * tile
            withUnsafePointer(to: arguments) {
              kernels.pointee.attend(
                $0, spans.baseAddress.unsafelyUnwrapped + span, task % kvHeads, begin,
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
  /// dq = Σ_j ds k_j, dk_j = Σ ds q; with capped scores s = cap · tanh(t), ds has the factor 1 − tanh²(t) too.
  /// Shapes: q, dq [R, H × D]; out, dOut [R, H × V]; k, dk [R, K × D]; v, dv [R, K × V]; logSumExp [R, H].
  /// Where values are the keys' first numbers, v names them, and what they owe is dk and dv together.
  /// Source: Dao 2023 (FlashAttention-2), section 3.1.2.
  public func attendBackward(
    q: Tensor, k: Tensor, v: Tensor, out: Tensor, dOut: Tensor, logSumExp: Tensor,
    groups: [PackedGroup], heads: Int, kvHeads: Int, scale: Float, cap: Float? = nil,
    window: Int = .max, dq: Tensor, dk: Tensor, dv: Tensor
  ) {
    let (keySize, valueSize) = (q.columns / heads, v.columns / kvHeads)
    precondition(
      keySize * heads == q.columns && keySize * kvHeads == k.columns
        && valueSize * kvHeads == v.columns && valueSize * heads == out.columns,
      "queries, keys and values of other shapes than their heads'")
    let (keyGradients, valueGradients) = (dk.start, dv.start)
    let arguments = AttentionGradientArguments(
      q: q.start, k: k.start, v: v.start, out: out.start, d_out: dOut.start,
      q_stride: q.stride, k_stride: k.stride, v_stride: v.stride, out_stride: out.stride,
      d_out_stride: dOut.stride, log_sum_exp: logSumExp.start, format: precision.format,
      key_format: keyValueElement.kernelFormat, heads: heads, kv_heads: kvHeads,
      head_size: keySize, value_size: valueSize, scale: scale, cap: cap ?? 0, window: window,
      dq: dq.start, dk: keyGradients, dv: valueGradients, dq_stride: dq.stride,
      dk_stride: dk.stride, dv_stride: dv.stride)
    let parts = groups.enumerated().flatMap { Self.parts(of: $1, index: $0) }
    let width = keySize + valueSize
    let partials = layOutPartials(parts, groups: groups, width: kvHeads * width)
    let longest =
      groups.map { group in
        group.promptCount + (group.completions.map(\.count).max() ?? 0) + 2
          * PackedLayout.panelWidth
      }.max() ?? 0
    let scratchCount = kernels.pointee.attention_gradient_scratch(keySize, valueSize, longest)
    parallel(parts.count * kvHeads) { task, worker in
      let (part, head) = (parts[task / kvHeads], task % kvHeads)
      let group = groups[part.group]
      let scratch = self.scratch(worker: worker, count: scratchCount)
      let partial = partials[task / kvHeads].map { $0 + head * width * group.promptCount }
      part.completions.withUnsafeBufferPointer { pairs in
        let kernelGroup = KernelGroup(
          prompt_start: group.promptStart, prompt_count: group.promptCount,
          completion_count: pairs.count / 2, completions: pairs.baseAddress,
          with_prompt_queries: partial == nil ? 1 : 0, prompt_dk: partial,
          prompt_dv: partial.map { $0 + keySize * group.promptCount })
        withUnsafePointer(to: arguments) { arguments in
          withUnsafePointer(to: kernelGroup) {
            kernels.pointee.attention_gradient(arguments, $0, head, scratch)
          }
        }
      }
    }
    for (part, partial) in zip(parts, partials) {
      guard let partial else { continue }
      let group = groups[part.group]
      parallelRanges(group.promptCount, cost: Double(kvHeads * width) * 0.2) { begin, end in
        for row in begin..<end {
          for head in 0..<kvHeads {
            let keys = partial + head * width * group.promptCount
            let values = keys + keySize * group.promptCount
            let target = group.promptStart + row
            kernels.pointee.add(
              keys + row * keySize, keyGradients + target * dk.stride + head * keySize, 0, keySize)
            kernels.pointee.add(
              values + row * valueSize, valueGradients + target * dv.stride + head * valueSize, 0,
              valueSize)
          }
        }
      }
    }
  }

  /// A share of a group's queries, for one thread.
  private struct GroupPart {
    var group: Int
    /// Pairs (start, count).
    var completions: [Int]
    var isFirst: Bool
  }

  /// Cuts a group into at most four parts, as its shape alone decides: the first has the prompt's
  /// queries, and each of the others keeps its own sums of the prompt's gradients.
  private static func parts(of group: PackedGroup, index: Int) -> [GroupPart] {
    let count = max(1, min(4, group.completions.count))
    return (0..<count).map { part in
      let begin = group.completions.count * part / count
      let end = group.completions.count * (part + 1) / count
      return GroupPart(
        group: index, completions: group.completions[begin..<end].flatMap { [$0.start, $0.count] },
        isFirst: part == 0)
    }
  }

  /// Memory [K]([promptCount, D], [promptCount, V]) for the sums of each part but a group's first.
  /// - Parameter width: K × (D + V).
  private func layOutPartials(
    _ parts: [GroupPart], groups: [PackedGroup], width: Int
  ) -> [UnsafeMutablePointer<Float>?] {
    let counts = parts.map { $0.isFirst ? 0 : groups[$0.group].promptCount * width }
    var next = sharedScratch.ensure(count: counts.reduce(0, +))
    return zip(parts, counts).map { part, count in
      defer { next += count }
      return part.isFirst ? nil : next
    }
  }
}
