// Products of each head by its own rows of one weight:
//
//     y_h = x_h W_hᵀ,   dx_h = dy_h W_h,   dW_h += dy_hᵀ x_h
//
// Every element is a chain of fused multiply-adds in ascending order of the index that is summed over, as in the products
// of whole weights.

import CKernels

/// Where the numbers of each head lie, in a row of a tensor or among the rows of a weight: those of head h are the
/// `count` from `first + h · step` on.
public struct HeadRange: Equatable, Sendable {
  /// H.
  public var heads: Int
  /// The first head's first.
  public var first: Int
  /// From one head to the next.
  public var step: Int
  /// How many a head has.
  public var count: Int

  /// A range for each head.
  public init(heads: Int, first: Int = 0, step: Int, count: Int) {
    precondition(
      heads > 0 && first >= 0 && count >= 0 && step >= count, "heads whose ranges overlap")
    self.heads = heads
    self.first = first
    self.step = step
    self.count = count
  }

  /// The end of the last head's.
  var end: Int { first + (heads - 1) * step + count }

  /// The first of a head's.
  func start(of head: Int) -> Int { first + head * step }
}

/// The columns of a tensor that belong to heads.
public struct HeadColumns {
  let tensor: Tensor
  let range: HeadRange

  /// Columns of each head.
  public init(_ tensor: Tensor, _ range: HeadRange) {
    precondition(range.end <= tensor.columns, "heads end behind the tensor's columns")
    self.tensor = tensor
    self.range = range
  }
}

extension Compute {
  /// Multiplies each head by its rows of a weight: y_h = x_h W_hᵀ, or y_h += x_h W_hᵀ.
  ///
  /// Shapes: x_h [R, K], W_h [N, K], y_h [R, N].
  /// Complexity: 2·R·K·N flops a head.
  public func multiplyHeads(
    _ x: HeadColumns, by weight: PackedMatrix, rows: HeadRange, into y: HeadColumns,
    accumulating: Bool = false
  ) {
    check(rows, of: weight.layout, outputs: y, inputs: x)
    let panels = weight.panels(for: precision, self)
    let operands = operandHeads(x)
    parallelHeads(x, cost: 2 * weight.columns * rows.count) { head, begin, end, _ in
      let first = rows.start(of: head)
      let result = y.tensor.start + y.range.start(of: head)
      let arguments = ProductArguments(
        x: operands.address(head), x_stride: operands.stride, panels: panels.address,
        format: panels.format, inputs: weight.columns, outputs: rows.count, first: first,
        y: result, y_stride: y.tensor.stride, bias: nil,
        residual: accumulating ? UnsafePointer(result) : nil, residual_stride: y.tensor.stride)
      let width = PackedLayout.panelWidth
      withUnsafePointer(to: arguments) {
        kernels.pointee.multiply(
          $0, begin, end, first / width, (first + rows.count + width - 1) / width)
      }
    }
  }

  /// Carries each head back through its rows of a weight: dx_h = dy_h W_h, or dx_h += dy_h W_h.
  ///
  /// Shapes: dy_h [R, N], W_h [N, K], dx_h [R, K].
  /// Complexity: 2·R·K·N flops a head.
  public func backpropagateHeads(
    _ dy: HeadColumns, through weight: PackedMatrix, rows: HeadRange, into dx: HeadColumns,
    accumulating: Bool = false
  ) {
    check(rows, of: weight.layout, outputs: dy, inputs: dx)
    let panels = weight.panels(for: precision, self)
    let operands = operandHeads(dy)
    parallelHeads(dy, cost: 2 * weight.columns * rows.count) { head, begin, end, worker in
      let arguments = InputGradientArguments(
        dy: operands.address(head), dy_stride: operands.stride, panels: panels.address,
        format: panels.format, inputs: weight.columns,
        outputs: rows.count, first: rows.start(of: head),
        dx: dx.tensor.start + dx.range.start(of: head), dx_stride: dx.tensor.stride,
        accumulating: accumulating ? 1 : 0)
      let width = PackedLayout.panelWidth
      let scratch = self.scratch(worker: worker, count: kernels.pointee.input_gradient_scratch)
      withUnsafePointer(to: arguments) {
        kernels.pointee.input_gradient(
          $0, begin, end, 0, (weight.columns + width - 1) / width, scratch)
      }
    }
  }

  /// Adds each head's gradient of its rows of a weight: dW_h += dy_hᵀ x_h.
  ///
  /// Shapes: dy_h [R, N], x_h [R, K], dW in `layout`.
  /// - Parameter segments: As for the gradient of a whole weight.
  /// - Complexity: 2·R·K·N flops a head.
  public func accumulateHeadsGradient(
    _ dy: HeadColumns, _ x: HeadColumns, layout: PackedLayout, rows: HeadRange,
    segments: [Int] = [0], into dw: Tensor
  ) {
    check(rows, of: layout, outputs: dy, inputs: x)
    precondition(dw.count == layout.count, "a gradient of another shape than its weight's")
    guard dy.tensor.rows > 0 else { return }
    let width = PackedLayout.panelWidth
    let strips = (layout.columns + Self.stripWidth - 1) / Self.stripWidth
    let pairs =
      precision == .bf16 ? Self.rowPairs(rows: dy.tensor.rows, segments: segments) : []
    let kernel =
      precision == .bf16 ? kernels.pointee.pair_weight_gradient : kernels.pointee.weight_gradient
    pairs.withUnsafeBufferPointer { pairs in
      parallel(rows.heads * strips) { task, worker in
        let (head, strip) = (task / strips, task % strips)
        let first = rows.start(of: head)
        let scratch = self.scratch(worker: worker, count: kernels.pointee.weight_gradient_scratch)
        let arguments = WeightGradientArguments(
          dy: dy.tensor.start + dy.range.start(of: head), dy_stride: dy.tensor.stride,
          x: x.tensor.start + x.range.start(of: head), x_stride: x.tensor.stride,
          rows: dy.tensor.rows, inputs: layout.columns, outputs: rows.count, first: first,
          dw: dw.start, format: precision.format, pairs: pairs.baseAddress,
          pair_count: pairs.count / 2)
        withUnsafePointer(to: arguments) {
          kernel(
            $0, first / width, (first + rows.count + width - 1) / width, strip * Self.stripWidth,
            min((strip + 1) * Self.stripWidth, layout.columns), scratch)
        }
      }
    }
  }

  /// Rows of each head as products read them, a head's one behind the other; good until the next product's.
  private func operandHeads(
    _ x: HeadColumns
  ) -> (address: (_ head: Int) -> UnsafeRawPointer, stride: Int) {
    let (tensor, range) = (x.tensor, x.range)
    guard precision != .float32 else {
      return ({ UnsafeRawPointer(tensor.start + range.start(of: $0)) }, tensor.stride)
    }
    let isPaired = precision == .bf16
    let stride = isPaired ? (range.count + 1) / 2 : range.count
    let size = isPaired ? kernels.pointee.pair_size : 4
    let bytes = tensor.rows * stride * size
    let prepared = UnsafeMutableRawPointer(
      operandScratch.ensure(count: (range.heads * bytes + 3) / 4))
    parallelHeads(x, cost: 16 * range.count) { head, begin, end, _ in
      kernels.pointee.prepare_rows(
        precision.format, tensor.start + range.start(of: head), tensor.stride, begin, end,
        range.count, prepared + head * bytes)
    }
    return ({ UnsafeRawPointer(prepared + $0 * bytes) }, stride)
  }

  /// Copies the numbers of each head.
  public func copyHeads(_ x: HeadColumns, into y: HeadColumns) {
    precondition(
      x.range.heads == y.range.heads && x.range.count == y.range.count
        && x.tensor.rows == y.tensor.rows, "heads of other shapes")
    parallelHeads(x, cost: 16 * x.range.count) { head, begin, end, _ in
      for row in begin..<end {
        (y.tensor[row: row] + y.range.start(of: head)).update(
          from: x.tensor[row: row] + x.range.start(of: head), count: x.range.count)
      }
    }
  }

  /// Cuts the rows of all heads into tasks, a head's each; `cost` counts the flops of a row and head.
  private func parallelHeads(
    _ x: HeadColumns, cost: Int,
    _ body: (_ head: Int, _ begin: Int, _ end: Int, _ worker: Int) -> Void
  ) {
    let (heads, rows) = (x.range.heads, x.tensor.rows)
    guard rows > 0 else { return }
    let wanted = pieces(count: heads * rows, cost: Double(cost) / flopsPerNanosecond)
    // Heads go together where they are too small for a thread each.
    let headPieces = min(wanted, heads)
    let rowPieces = max(1, min(wanted / headPieces, rows / 48))
    parallel(headPieces * rowPieces) { task, worker in
      let (rowTask, headTask) = (task / headPieces, task % headPieces)
      for head in heads * headTask / headPieces..<heads * (headTask + 1) / headPieces {
        body(head, rows * rowTask / rowPieces, rows * (rowTask + 1) / rowPieces, worker)
      }
    }
  }

  private func check(
    _ rows: HeadRange, of layout: PackedLayout, outputs: HeadColumns, inputs: HeadColumns
  ) {
    precondition(
      rows.heads == outputs.range.heads && rows.heads == inputs.range.heads
        && rows.count == outputs.range.count && layout.columns == inputs.range.count
        && rows.end <= layout.rows && outputs.tensor.rows == inputs.tensor.rows,
      "heads of other shapes than their weight's rows")
  }
}
