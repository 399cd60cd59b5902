// Products of rows that are sorted by expert, each with its own expert's matrix, in one fork and join.
//
// The kernels are those of a dense product, so that a row's bits are those that it has in a product of its own. Experts
// without rows cost nothing.

import CKernels

/// A product of sorted rows: y[i] = x[i] W_eᵀ + b_e for the expert e of row i.
public struct ExpertProduct {
  /// W of each expert [N, K]; nil for an expert whose rows stay as they are.
  public let weights: [PackedMatrix?]
  /// y [k·R, N].
  public let output: Tensor
  /// b [E, N].
  public let biases: Tensor?

  /// The product of an input by the matrices of its rows' experts.
  public init(_ weights: [PackedMatrix?], into output: Tensor, biases: Tensor? = nil) {
    self.weights = weights
    self.output = output
    self.biases = biases
  }
}

extension Compute {
  /// Multiplies sorted rows by their experts' matrices: several products of one input.
  ///
  /// Shapes: x [k·R, K]. Complexity: 2·k·R·K·N flops, and one pass over the matrices of experts that have rows.
  /// - Parameter accumulating: Whether the products are added to the outputs.
  public func multiply(
    _ x: Tensor, _ rows: ExpertRows, by products: [ExpertProduct], accumulating: Bool = false
  ) {
    var jobs: [Job<ProductArguments>] = []
    let operands = operandRows(x, precision)
    for product in products {
      let y = product.output
      for (expert, range) in rows.ranges.enumerated() where !range.isEmpty {
        guard let weight = product.weights[expert] else { continue }
        precondition(
          x.columns == weight.columns && y.columns == weight.rows && y.rows == x.rows,
          "a product of other shapes than its weight's")
        let target = y[row: range.lowerBound]
        let panels = weight.panels(for: precision, self)
        jobs.append(
          Job(
            ProductArguments(
              x: operands.from(row: range.lowerBound), x_stride: operands.stride,
              panels: panels.address, format: panels.format, inputs: weight.columns,
              outputs: weight.rows, first: 0, y: target, y_stride: y.stride,
              bias: product.biases.map { UnsafePointer($0[row: expert]) },
              residual: accumulating ? UnsafePointer(target) : nil, residual_stride: y.stride),
            rows: range.count, panels: weight.layout.panels, inner: weight.columns))
      }
    }
    run(jobs) { arguments, share, _ in
      kernels.pointee.multiply(
        arguments, share.rows.lowerBound, share.rows.upperBound, share.panels.lowerBound,
        share.panels.upperBound)
    }
  }

  /// Carries gradients of sorted rows back through their experts' matrices: dx[i] = dy[i] W_e, or added.
  ///
  /// Shapes: dy [k·R, N], dx [k·R, K].
  public func backpropagateInput(
    _ dy: Tensor, _ rows: ExpertRows, through weights: [PackedMatrix?], into dx: Tensor,
    accumulating: Bool
  ) {
    var jobs: [Job<InputGradientArguments>] = []
    let operands = operandRows(dy, precision)
    for (expert, range) in rows.ranges.enumerated() where !range.isEmpty {
      guard let weight = weights[expert] else { continue }
      precondition(
        dy.columns == weight.rows && dx.columns == weight.columns && dx.rows == dy.rows,
        "a gradient of another shape than its weight's")
      let panels = weight.panels(for: precision, self)
      jobs.append(
        Job(
          InputGradientArguments(
            dy: operands.from(row: range.lowerBound), dy_stride: operands.stride,
            panels: panels.address, format: panels.format, inputs: weight.columns,
            outputs: weight.rows, first: 0, dx: dx[row: range.lowerBound], dx_stride: dx.stride,
            accumulating: accumulating ? 1 : 0),
          rows: range.count,
          panels: PackedLayout(rows: weight.columns, columns: 1).panels, inner: weight.rows))
    }
    run(jobs) { arguments, share, worker in
      let scratch = self.scratch(worker: worker, count: kernels.pointee.input_gradient_scratch)
      kernels.pointee.input_gradient(
        arguments, share.rows.lowerBound, share.rows.upperBound, share.panels.lowerBound,
        share.panels.upperBound, scratch)
    }
  }

  /// Adds the gradients of experts' matrices: dW_e += Σ over the rows of e of dy[i]ᵀ x[i], one chain in order of the rows.
  ///
  /// Shapes: dy [k·R, N], x [k·R, K], each dW [N, K] in `layout`. Experts without rows keep what they have.
  /// - Parameter segments: The tokens that begin where in bf16 pairs of rows start afresh, ascending from 0.
  public func accumulateWeightGradients(
    _ dy: Tensor, _ x: Tensor, _ rows: ExpertRows, layout: PackedLayout, segments: [Int] = [0],
    into dw: [Tensor?]
  ) {
    precondition(
      dy.columns == layout.rows && x.columns == layout.columns && x.rows == dy.rows,
      "gradients of another shape than their weights'")
    // The pairs of all experts, one behind the other.
    var pairs: [Int32] = []
    let pairsOf = rows.ranges.map { range -> Range<Int> in
      guard precision == .bf16, !range.isEmpty else { return 0..<0 }
      let first = pairs.count
      pairs += Self.rowPairs(
        rows: range.count, segments: rows.segments(of: range, starts: segments))
      return first..<pairs.count
    }
    let kernel =
      precision == .bf16 ? kernels.pointee.pair_weight_gradient : kernels.pointee.weight_gradient
    pairs.withUnsafeBufferPointer { pairs in
      var jobs: [Job<WeightGradientArguments>] = []
      for (expert, range) in rows.ranges.enumerated() where !range.isEmpty {
        guard let target = dw[expert] else { continue }
        precondition(target.count == layout.count, "a gradient of another shape than its weight's")
        jobs.append(
          Job(
            WeightGradientArguments(
              dy: dy[row: range.lowerBound], dy_stride: dy.stride, x: x[row: range.lowerBound],
              x_stride: x.stride, rows: range.count, inputs: layout.columns, outputs: layout.rows,
              first: 0, dw: target.start, format: precision.format,
              pairs: pairs.baseAddress.map { $0 + pairsOf[expert].lowerBound },
              pair_count: pairsOf[expert].count / 2), rows: range.count, panels: layout.panels,
            inner: layout.columns, cutsRows: false))
      }
      run(jobs) { arguments, share, worker in
        let scratch = self.scratch(worker: worker, count: kernels.pointee.weight_gradient_scratch)
        kernel(
          arguments, share.panels.lowerBound, share.panels.upperBound, 0, layout.columns, scratch)
      }
    }
  }

  /// Adds the gradients of experts' biases: db_e += Σ over the rows of e of dy[i], in order of the rows.
  ///
  /// Shapes: dy [k·R, N], db [E, N].
  public func accumulateBiasGradients(_ dy: Tensor, _ rows: ExpertRows, into db: Tensor) {
    precondition(db.columns == dy.columns && db.rows == rows.ranges.count, "a bias for each expert")
    for (expert, range) in rows.ranges.enumerated() where !range.isEmpty {
      accumulateBiasGradient(dy.rows(range), into: db.rows(expert..<expert + 1))
    }
  }

  // MARK: - Sharing out

  /// One expert's part of an operation.
  private struct Job<Arguments> {
    var arguments: Arguments
    var rows: Int
    var panels: Int
    var cutsRows: Bool
    /// Nanoseconds, about.
    var cost: Double

    init(_ arguments: Arguments, rows: Int, panels: Int, inner: Int, cutsRows: Bool = true) {
      self.arguments = arguments
      self.rows = rows
      self.panels = panels
      self.cutsRows = cutsRows
      // That of the arithmetic, or of the matrix's way from memory.
      let width = Double(PackedLayout.panelWidth)
      cost = Double(panels * inner) * max(Double(2 * rows) * width / 100, 6)
    }
  }

  private struct Share {
    var job: Int
    var rows: Range<Int>
    var panels: Range<Int>
  }

  /// Runs jobs on all threads, large ones cut by panels and then by rows.
  private func run<Arguments>(
    _ jobs: [Job<Arguments>],
    _ body: (_ arguments: UnsafePointer<Arguments>, _ share: Share, _ worker: Int) -> Void
  ) {
    let shares = shares(of: jobs)
    func run(_ task: Int, _ worker: Int) {
      withUnsafePointer(to: jobs[shares[task].job].arguments) { body($0, shares[task], worker) }
    }
    let total = jobs.reduce(0) { $0 + $1.cost }
    if pieces(count: shares.count, cost: total / Double(max(shares.count, 1))) > 1 {
      parallel(shares.count, run)
    } else {
      for task in shares.indices { run(task, 0) }
    }
  }

  private func shares<Arguments>(of jobs: [Job<Arguments>]) -> [Share] {
    let total = jobs.reduce(0) { $0 + $1.cost }
    let target = max(total / Double(4 * threads), 3_000)
    return jobs.enumerated().flatMap { index, job -> [Share] in
      let wanted = threads > 1 ? max(1, Int(min(job.cost / target, 4096))) : 1
      let pieces = min(wanted, job.panels)
      let rowPieces = job.cutsRows ? max(1, min(wanted / max(pieces, 1), job.rows / 48)) : 1
      return (0..<rowPieces).flatMap { rowPiece in
        (0..<pieces).map { piece in
          Share(
            job: index,
            rows: job.rows * rowPiece / rowPieces..<job.rows * (rowPiece + 1) / rowPieces,
            panels: job.panels * piece / pieces..<job.panels * (piece + 1) / pieces)
        }
      }
    }
  }
}
