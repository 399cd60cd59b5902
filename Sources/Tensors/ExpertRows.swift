import CKernels

/// The rows of tokens sorted by the expert that they are sent to: k rows for each token, without padding.
///
/// The rows of an expert follow one another in order of their tokens, so that its gradient is one chain whatever the cut
/// into micro-batches.
public struct ExpertRows: Sendable {
  /// How many rows there are.
  public var count: Int { tokens.count }
  /// k.
  public let chosenCount: Int
  /// The rows of each expert.
  public let ranges: [Range<Int>]
  /// The token of each row.
  let tokens: [Int32]
  /// The row of each token's choice, [R, k].
  let places: [Int32]

  /// Sorts rows by their choices.
  /// - Parameter choices: Experts by number, [R, k]; those of a token differ.
  /// - Complexity: linear in the choices and the experts.
  public init(choices: Tensor, expertCount: Int) {
    chosenCount = choices.columns
    let experts = choices.values.map { Int($0) }
    var next = [Int](repeating: 0, count: expertCount + 1)
    for expert in experts { next[expert + 1] += 1 }
    for expert in 0..<expertCount { next[expert + 1] += next[expert] }
    ranges = (0..<expertCount).map { [next] in next[$0]..<next[$0 + 1] }
    var tokens = [Int32](repeating: 0, count: experts.count)
    var places = tokens
    for (choice, expert) in experts.enumerated() {
      places[choice] = Int32(next[expert])
      tokens[next[expert]] = Int32(choice / chosenCount)
      next[expert] += 1
    }
    self.tokens = tokens
    self.places = places
  }

  /// Where, among an expert's rows, those of each segment of tokens begin; `starts` ascend from token 0.
  func segments(of range: Range<Int>, starts: [Int]) -> [Int] {
    var segments: [Int] = []
    var next = 0
    for row in range {
      guard next < starts.count, Int(tokens[row]) >= starts[next] else { continue }
      while next < starts.count, Int(tokens[row]) >= starts[next] { next += 1 }
      segments.append(row - range.lowerBound)
    }
    return segments
  }
}

extension Compute {
  /// Copies tokens' rows to the rows of their experts: y[i] = x[token of i].
  ///
  /// Shapes: x [R, C], y [k·R, C].
  public func gather(_ rows: ExpertRows, of x: Tensor, into y: Tensor) {
    precondition(y.rows == rows.count && y.columns == x.columns, "a row for each choice")
    let columns = x.columns
    parallelRanges(rows.count, cost: Double(columns) * 0.1) { begin, end in
      for row in begin..<end {
        y[row: row].update(from: x[row: Int(rows.tokens[row])], count: columns)
      }
    }
  }

  /// Adds the rows of each token's experts: y[r] = residual[r] + (Σ_j w[r, j] x[row of (r, j)] + other[r]).
  ///
  /// The sum is taken in order of the token's own choices, each product rounded, so that a row's bits depend on that row
  /// alone. Shapes: x [k·R, C]; w [R, k], 1 where there are none; y, residual and other [R, C]; `y` may be `residual` or `other`.
  public func combine(
    _ rows: ExpertRows, of x: Tensor, weighed weights: Tensor? = nil, adding other: Tensor? = nil,
    to residual: Tensor? = nil, into y: Tensor
  ) {
    let (chosen, columns) = (rows.chosenCount, x.columns)
    precondition(
      y.rows * chosen == rows.count && x.rows == rows.count && y.columns == columns,
      "k rows for each token")
    parallelRanges(y.rows, cost: Double(columns * (chosen + 2)) * 0.2) { begin, end in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * columns) { buffer in
        guard let sum = buffer.baseAddress else { return }
        let part = sum + columns
        for row in begin..<end {
          for choice in row * chosen..<(row + 1) * chosen {
            let target = choice == row * chosen ? sum : part
            target.update(from: x[row: Int(rows.places[choice])], count: columns)
            if let weights { kernels.pointee.scale(target, weights.start[choice], 0, columns) }
            if target == part { kernels.pointee.add(part, sum, 0, columns) }
          }
          if let other { kernels.pointee.add(other[row: row], sum, 0, columns) }
          if let residual { kernels.pointee.add(residual[row: row], sum, 0, columns) }
          y[row: row].update(from: sum, count: columns)
        }
      }
    }
  }

  /// Multiplies each row by its token's weight for the row's expert: x[row of (r, j)] ← w[r, j] · x[row of (r, j)].
  ///
  /// Shapes: x [k·R, C], w [R, k].
  public func scale(_ x: Tensor, _ rows: ExpertRows, by weights: Tensor) {
    precondition(weights.count == rows.count && x.rows == rows.count, "a weight for each row")
    let w = weights.start
    parallelRanges(rows.count, cost: Double(x.columns) * 0.15) { begin, end in
      for choice in begin..<end {
        kernels.pointee.scale(x[row: Int(rows.places[choice])], w[choice], 0, x.columns)
      }
    }
  }

  /// The product of two tensors row by row: w[r, j] = a[row of (r, j)] · b[row of (r, j)].
  ///
  /// Shapes: a and b [k·R, C], w [R, k]. Each is summed in double precision and rounded once.
  public func dots(_ a: Tensor, _ b: Tensor, _ rows: ExpertRows, into weights: Tensor) {
    precondition(
      weights.count == rows.count && a.rows == rows.count && b.rows == rows.count
        && a.columns == b.columns, "two rows for each weight")
    let w = weights.start
    parallelRanges(rows.count, cost: Double(a.columns) * 0.3) { begin, end in
      for choice in begin..<end {
        let place = Int(rows.places[choice])
        w[choice] = Float(kernels.pointee.dot(a[row: place], b[row: place], a.columns))
      }
    }
  }

  /// Adds the product of each row with its expert's bias: w[r, j] += a[row of (r, j)] · b_e.
  ///
  /// Shapes: a [k·R, C], b [E, C], w [R, k].
  public func addDots(_ a: Tensor, biases b: Tensor, _ rows: ExpertRows, to weights: Tensor) {
    precondition(weights.count == rows.count && a.rows == rows.count && a.columns == b.columns)
    let w = weights.start
    var expertOf = [Int](repeating: 0, count: rows.count)
    for (expert, range) in rows.ranges.enumerated() { for row in range { expertOf[row] = expert } }
    for choice in 0..<rows.count {
      let place = Int(rows.places[choice])
      w[choice] += Float(kernels.pointee.dot(a[row: place], b[row: expertOf[place]], a.columns))
    }
  }
}
