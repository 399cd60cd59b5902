// y = x Wᵀ (+ b) (+ residual), and its two gradients dx = dy W and dW = dyᵀ x.
//
// Each element of all three is one chain of fused multiply-adds in ascending order of the index
// that is summed over (k, n and r), so that it depends neither on the other rows of the batch nor
// on the cut into tiles and threads. The chain of a gradient that accumulates begins with what is
// there: a batch cut into micro-batches gives the bits of the whole. In bf16 a chain's step is a pair of products
// (`Precision`); the pairs of dW are rows of one segment, so that micro-batches of whole segments don't change them.

import CKernels
import COpenBLAS

/// One of several products of the same input.
public struct Product {
  /// W [N, K].
  public let weight: PackedMatrix
  /// y [R, N].
  public let output: Tensor
  /// b [N].
  public let bias: Tensor?

  /// The product of an input by `weight`.
  public init(_ weight: PackedMatrix, into output: Tensor, bias: Tensor? = nil) {
    self.weight = weight
    self.output = output
    self.bias = bias
  }
}

extension Compute {
  /// Multiplies rows by a weight: y = residual + (x Wᵀ + b).
  ///
  /// Shapes: x [R, K], W [N, K], y and residual [R, N], b [N]. `residual` may be `y`.
  /// - Parameter precision: What x and W are rounded to; nil for the precision of the model's products.
  /// - Complexity: 2·R·K·N flops.
  public func multiply(
    _ x: Tensor, by weight: PackedMatrix, into y: Tensor, bias: Tensor? = nil,
    adding residual: Tensor? = nil, in precision: Precision? = nil
  ) {
    if forwardProducts == .openBLAS {
      multiplyWithOpenBLAS(x, by: weight, into: y, bias: bias, adding: residual)
      return
    }
    let precision = precision ?? self.precision
    let rows = operandRows(x, precision)
    run([arguments(x, rows, weight, y, bias, residual, precision)], rows: x.rows)
  }

  /// Multiplies the same rows by several weights, in one fork and join.
  public func multiplyMany(_ x: Tensor, by products: [Product]) {
    if forwardProducts == .openBLAS {
      for product in products {
        multiplyWithOpenBLAS(
          x, by: product.weight, into: product.output, bias: product.bias, adding: nil)
      }
      return
    }
    let rows = operandRows(x, precision)
    run(
      products.map { arguments(x, rows, $0.weight, $0.output, $0.bias, nil, precision) },
      rows: x.rows)
  }

  private func arguments(
    _ x: Tensor, _ rows: OperandRows, _ weight: PackedMatrix, _ y: Tensor, _ bias: Tensor?,
    _ residual: Tensor?, _ precision: Precision
  ) -> ProductArguments {
    precondition(
      x.columns == weight.columns && y.columns == weight.rows && y.rows == x.rows
        && bias?.count ?? y.columns == y.columns && residual?.columns ?? y.columns == y.columns,
      "a product of other shapes than its weight's")
    let panels = weight.panels(for: precision, self)
    return ProductArguments(
      x: rows.address, x_stride: rows.stride, panels: panels.address, format: panels.format,
      inputs: weight.columns, outputs: weight.rows, first: 0, y: y.start, y_stride: y.stride,
      bias: bias.map { UnsafePointer($0.start) },
      residual: residual.map { UnsafePointer($0.start) }, residual_stride: residual?.stride ?? 0)
  }

  /// Panels of all products in one row, cut into ranges; then rows, where they are many.
  private func run(_ products: [ProductArguments], rows: Int) {
    guard rows > 0 else { return }
    let panelsOf = products.map {
      ($0.outputs + PackedLayout.panelWidth - 1) / PackedLayout.panelWidth
    }
    let panels = panelsOf.reduce(0, +)
    guard panels > 0 else { return }
    let inputs = products[0].inputs
    precondition(
      products.allSatisfy { $0.inputs == inputs }, "several products of one input share its width")
    // A panel's time is that of its arithmetic, or of its way from memory.
    let width = PackedLayout.panelWidth
    let cost = max(Double(rows * 2 * inputs * width) / flopsPerNanosecond, Double(inputs) * 6)
    let (pieces, rowPieces) = cut(rows: rows, panels: panels, cost: cost)

    func work(_ task: Int) {
      let (rowTask, panelTask) = (task / pieces, task % pieces)
      let rowBegin = rows * rowTask / rowPieces
      let rowEnd = rows * (rowTask + 1) / rowPieces
      var begin = panels * panelTask / pieces
      let end = panels * (panelTask + 1) / pieces
      var first = 0
      for index in products.indices where begin < end {
        let last = first + panelsOf[index]
        if begin < last {
          let stop = min(end, last)
          withUnsafePointer(to: products[index]) {
            kernels.pointee.multiply($0, rowBegin, rowEnd, begin - first, stop - first)
          }
          begin = stop
        }
        first = last
      }
    }
    parallel(pieces * rowPieces) { task, _ in work(task) }
  }

  /// Carries gradients back through a weight: dx = dy W, or dx += dy W.
  ///
  /// Shapes: dy [R, N], W [N, K], dx [R, K].
  /// - Parameters:
  ///   - spends: Whether dy is not needed any more, and may be rounded where it lies.
  ///   - precision: What dy and W are rounded to; nil for the precision of the model's products.
  /// - Complexity: 2·R·K·N flops.
  public func backpropagateInput(
    _ dy: Tensor, through weight: PackedMatrix, into dx: Tensor, accumulating: Bool,
    spending spends: Bool = false, in precision: Precision? = nil
  ) {
    precondition(
      dy.columns == weight.rows && dx.columns == weight.columns && dx.rows == dy.rows,
      "a gradient of another shape than its weight's")
    let precision = precision ?? self.precision
    guard dy.rows > 0 else { return }
    let panels = weight.panels(for: precision, self)
    // Gradients of logits are many: where they cannot be rounded in place, they are a few rows at a time.
    let isWhole = precision == .float32 || (spends && isRoundedInPlace(dy, precision))
    let atOnce = isWhole ? dy.rows : Self.preparedRows(columns: dy.columns)
    for first in stride(from: 0, to: dy.rows, by: atOnce) {
      let part = first..<min(first + atOnce, dy.rows)
      let rows = operandRows(dy.rows(part), precision, spending: spends)
      let result = dx.rows(part)
      backpropagate(
        InputGradientArguments(
          dy: rows.address, dy_stride: rows.stride, panels: panels.address,
          format: panels.format, inputs: weight.columns, outputs: weight.rows, first: 0,
          dx: result.start,
          dx_stride: result.stride, accumulating: accumulating ? 1 : 0), rows: part.count)
    }
  }

  private func backpropagate(_ arguments: InputGradientArguments, rows: Int) {
    let panels = (arguments.inputs + PackedLayout.panelWidth - 1) / PackedLayout.panelWidth
    let flops = Double(rows * 2 * arguments.outputs * PackedLayout.panelWidth)
    let (pieces, rowPieces) = cut(rows: rows, panels: panels, cost: flops / flopsPerNanosecond)
    parallel(pieces * rowPieces) { task, worker in
      let (rowTask, panelTask) = (task / pieces, task % pieces)
      let scratch = self.scratch(worker: worker, count: kernels.pointee.input_gradient_scratch)
      withUnsafePointer(to: arguments) {
        kernels.pointee.input_gradient(
          $0, rows * rowTask / rowPieces, rows * (rowTask + 1) / rowPieces,
          panels * panelTask / pieces, panels * (panelTask + 1) / pieces, scratch)
      }
    }
  }

  /// Adds the weight's gradient: dW += dyᵀ x.
  ///
  /// Shapes: dy [R, N], x [R, K], dW [N, K] in `layout`, the packed layout of the weight.
  /// - Parameters:
  ///   - segments: Where in bf16 the pairs of rows start afresh, ascending from 0: the rows of a group, which no
  ///     micro-batch cuts, are a segment.
  ///   - precision: What dy and x are rounded to; nil for the precision of the model's products.
  /// - Complexity: 2·R·K·N flops.
  public func accumulateWeightGradient(
    _ dy: Tensor, _ x: Tensor, layout: PackedLayout, segments: [Int] = [0], into dw: Tensor,
    in precision: Precision? = nil
  ) {
    precondition(
      dy.columns == layout.rows && x.columns == layout.columns && x.rows == dy.rows
        && dw.count == layout.count, "a gradient of another shape than its weight's")
    let precision = precision ?? self.precision
    let rows = dy.rows
    guard rows > 0 else { return }
    let pairs = precision == .bf16 ? Self.rowPairs(rows: rows, segments: segments) : []
    pairs.withUnsafeBufferPointer { pairs in
      accumulate(
        WeightGradientArguments(
          dy: dy.start, dy_stride: dy.stride, x: x.start, x_stride: x.stride, rows: rows,
          inputs: layout.columns, outputs: layout.rows, first: 0, dw: dw.start,
          format: precision.format,
          pairs: pairs.baseAddress, pair_count: pairs.count / 2), layout)
    }
  }

  private func accumulate(_ arguments: WeightGradientArguments, _ layout: PackedLayout) {
    let flops = Double(arguments.rows * 2 * layout.columns * PackedLayout.panelWidth)
    let wanted = pieces(
      count: layout.panels * layout.columns,
      cost: flops / flopsPerNanosecond / Double(layout.columns))
    let pieces = min(wanted, layout.panels)
    let strips = (layout.columns + Self.stripWidth - 1) / Self.stripWidth
    let inputPieces = max(1, min(wanted / max(pieces, 1), strips))
    let kernel =
      arguments.format == Precision.bf16.format
      ? kernels.pointee.pair_weight_gradient : kernels.pointee.weight_gradient
    parallel(pieces * inputPieces) { task, worker in
      let (inputTask, panelTask) = (task / pieces, task % pieces)
      let scratch = self.scratch(worker: worker, count: kernels.pointee.weight_gradient_scratch)
      let begin = strips * inputTask / inputPieces * Self.stripWidth
      let end = min(strips * (inputTask + 1) / inputPieces * Self.stripWidth, layout.columns)
      withUnsafePointer(to: arguments) {
        kernel(
          $0, layout.panels * panelTask / pieces, layout.panels * (panelTask + 1) / pieces, begin,
          end, scratch)
      }
    }
  }

  /// Rows two by two, (first, second), within each segment; the second of an odd one's last is -1.
  static func rowPairs(rows: Int, segments: [Int]) -> [Int32] {
    var pairs: [Int32] = []
    pairs.reserveCapacity(rows + segments.count)
    for (place, start) in segments.enumerated() {
      let end = place + 1 < segments.count ? segments[place + 1] : rows
      for row in stride(from: start, to: end, by: 2) {
        pairs.append(Int32(row))
        pairs.append(row + 1 < end ? Int32(row + 1) : -1)
      }
    }
    return pairs
  }

  /// A multiple of every table's tile.
  static var stripWidth: Int { 48 }

  /// About what one core does; it decides only how finely work is cut.
  var flopsPerNanosecond: Double { 100 }

  /// Cuts a product into pieces by panels and, where these are few, by rows.
  private func cut(rows: Int, panels: Int, cost: Double) -> (pieces: Int, rowPieces: Int) {
    let wanted = pieces(count: panels * rows, cost: cost / Double(rows))
    let pieces = min(wanted, panels)
    return (pieces, max(1, min(wanted / max(pieces, 1), rows / 48)))
  }

  /// Adds the bias's gradient: db[n] += Σ_r dy[r, n], in order of r.
  public func accumulateBiasGradient(_ dy: Tensor, into db: Tensor) {
    precondition(db.count == dy.columns, "a bias of another length than its outputs")
    let (source, sums) = (dy.start, db.start)
    parallelRanges(dy.columns, cost: Double(dy.rows) * 0.2, alignment: 16) { begin, end in
      kernels.pointee.column_sums(source, dy.stride, dy.rows, begin, end, sums)
    }
  }

  private func multiplyWithOpenBLAS(
    _ x: Tensor, by weight: PackedMatrix, into y: Tensor, bias: Tensor?, adding residual: Tensor?
  ) {
    guard x.rows > 0, weight.rows > 0 else { return }
    let plain =
      weight.plainCopy
      ?? Tensor(rows: weight.rows, columns: weight.columns, values: weight.values)
    weight.plainCopy = plain
    if let residual, !residual.isSame(as: y) { y.fill(from: residual) }
    if let bias {
      for row in 0..<x.rows {
        if residual == nil {
          y[row: row].update(from: bias.start, count: weight.rows)
        } else {
          kernels.pointee.add(bias.start, y[row: row], 0, weight.rows)
        }
      }
    }
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, blasint(x.rows), blasint(weight.rows),
      blasint(weight.columns), 1, x.start, blasint(x.stride), plain.start,
      blasint(weight.columns), bias != nil || residual != nil ? 1 : 0, y.start, blasint(y.stride))
  }
}
