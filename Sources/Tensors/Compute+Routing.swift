// Which experts a token is sent to, with which weights, and the gradient of the weights.

import CKernels

/// The gradient of a balance loss that is linear in the mean scores of experts: what it is of each expert's score, in
/// the rows that count.
public struct BalanceGradient: Sendable {
  /// d loss / d score of each expert, where softmaxed scores or normalised sigmoids are meant, [E].
  public var factors: [Double]
  /// Whether each row counts; empty where all do.
  public var countedRows: [Bool]

  /// Makes a gradient.
  public init(factors: [Double], countedRows: [Bool] = []) {
    self.factors = factors
    self.countedRows = countedRows
  }
}

extension Compute {
  /// Scores experts, chooses k of them for each row, and weighs these.
  ///
  /// Experts of a row stand in ascending order, as whole numbers.
  /// Shapes: logits and scores [R, E], which may be one; selectionBias [E]; choices and weights [R, k].
  /// - Parameter keepsChoices: Whether `choices` holds the experts already, and only their weights are wanted.
  /// Complexity: R · k · E comparisons.
  public func route(
    _ logits: Tensor, by rule: ExpertRouting, selectionBias: Tensor? = nil, scores: Tensor,
    choices: Tensor, weights: Tensor, keepsChoices: Bool = false
  ) {
    let (experts, chosen) = (rule.expertCount, rule.chosenCount)
    precondition(
      logits.columns == experts && scores.columns == experts && choices.columns == chosen
        && weights.columns == chosen && chosen <= experts, "a router of other sizes than its rule's"
    )
    parallelRanges(logits.rows, cost: Double(experts * (chosen + 4))) { begin, end in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: experts) { buffer in
        guard let values = buffer.baseAddress else { return }
        for row in begin..<end {
          let (z, s) = (logits[row: row], scores[row: row])
          // A softmax keeps the order of the logits, which are told apart more finely than its values.
          values.update(from: z, count: experts)
          score(z, rule, into: s)
          if rule.scores == .sigmoid || selectionBias != nil {
            for expert in 0..<experts {
              values[expert] = s[expert] + (selectionBias.map { $0.start[expert] } ?? 0)
            }
          }
          if !keepsChoices { choose(values, rule, into: choices[row: row]) }
          weigh(s, rule, choices[row: row], into: weights[row: row])
        }
      }
    }
  }

  private func score(
    _ logits: UnsafePointer<Float>, _ rule: ExpertRouting, into scores: UnsafeMutablePointer<Float>
  ) {
    let count = rule.expertCount
    switch rule.scores {
    case .sigmoid:
      for expert in 0..<count { scores[expert] = -logits[expert] }
      kernels.pointee.exponentials(scores, count, scores)
      for expert in 0..<count { scores[expert] = 1 / (1 + scores[expert]) }
    case .softmax:
      var greatest = logits[0]
      for expert in 1..<max(count, 1) where logits[expert] > greatest { greatest = logits[expert] }
      for expert in 0..<count { scores[expert] = logits[expert] - greatest }
      kernels.pointee.exponentials(scores, count, scores)
      var sum = 0.0
      for expert in 0..<count { sum += Double(scores[expert]) }
      for expert in 0..<count { scores[expert] = Float(Double(scores[expert]) / sum) }
    }
  }

  /// The k greatest values in ascending order of their places; what is not to be chosen becomes −∞.
  private func choose(
    _ values: UnsafeMutablePointer<Float>, _ rule: ExpertRouting,
    into choices: UnsafeMutablePointer<Float>
  ) {
    if let groups = rule.groups { excludeGroups(values, rule.expertCount, groups) }
    withUnsafeTemporaryAllocation(of: Bool.self, capacity: rule.expertCount) { isTaken in
      isTaken.update(repeating: false)
      for _ in 0..<rule.chosenCount {
        var best = -1
        // By "greater" alone: NaN is chosen only where nothing else is left.
        for expert in 0..<rule.expertCount where !isTaken[expert] {
          if best < 0 || values[expert] > values[best] || values[best].isNaN { best = expert }
        }
        isTaken[best] = true
      }
      var next = 0
      for expert in 0..<rule.expertCount where isTaken[expert] {
        choices[next] = Float(expert)
        next += 1
      }
    }
  }

  private func excludeGroups(
    _ all: UnsafeMutablePointer<Float>, _ experts: Int, _ groups: ExpertRouting.Groups
  ) {
    let size = experts / groups.count
    func value(_ group: Int) -> Float {
      var (first, second) = (-Float.infinity, -Float.infinity)
      for expert in group * size..<(group + 1) * size {
        let value = all[expert]
        second = max(second, min(first, value))
        first = max(first, value)
      }
      return groups.addsTopTwo && size > 1 ? first + second : first
    }
    let values = (0..<groups.count).map(value)
    let order = values.indices.sorted { (a: Int, b: Int) -> Bool in
      values[a] == values[b] ? a < b : values[a] > values[b]
    }
    for group in order.dropFirst(groups.chosen) {
      for expert in group * size..<(group + 1) * size { all[expert] = -.infinity }
    }
  }

  private func weigh(
    _ scores: UnsafePointer<Float>, _ rule: ExpertRouting, _ choices: UnsafePointer<Float>,
    into weights: UnsafeMutablePointer<Float>
  ) {
    var sum = 0.0
    for choice in 0..<rule.chosenCount { sum += Double(scores[Int(choices[choice])]) }
    let divisor = rule.normalizes ? sum + Double(rule.normalizerEpsilon) : 1
    for choice in 0..<rule.chosenCount {
      weights[choice] = Float(
        Double(scores[Int(choices[choice])]) / divisor * Double(rule.scale))
    }
  }

  /// The gradient of logits from that of the weights: the choice itself has none.
  ///
  ///     ds_T = c · dw, or c · (dw − Σ dw s / S) / S with S = Σ s_T + ε where weights are normalised
  ///     dz = s (ds − Σ s ds)  for the softmax,   dz = ds · s (1 − s)  for the sigmoid
  ///
  /// Shapes: dWeights and choices [R, k], scores and dLogits [R, E]. In double precision, rounded once.
  public func routeBackward(
    _ dWeights: Tensor, by rule: ExpertRouting, scores: Tensor, choices: Tensor,
    balance: BalanceGradient? = nil, into dLogits: Tensor
  ) {
    precondition(
      scores.columns == rule.expertCount && dLogits.columns == rule.expertCount
        && dWeights.columns == rule.chosenCount && choices.columns == rule.chosenCount,
      "a router of other sizes than its rule's")
    parallelRanges(scores.rows, cost: Double(rule.expertCount * 6)) { begin, end in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: rule.expertCount) { buffer in
        guard let dScores = buffer.baseAddress else { return }
        for row in begin..<end {
          dScores.update(repeating: 0, count: rule.expertCount)
          spread(dWeights[row: row], rule, scores[row: row], choices[row: row], into: dScores)
          if let balance, balance.countedRows.isEmpty || balance.countedRows[row] {
            add(balance, rule, scores[row: row], to: dScores)
          }
          finish(dScores, rule, scores[row: row], into: dLogits[row: row])
        }
      }
    }
  }

  private func spread(
    _ dWeights: UnsafePointer<Float>, _ rule: ExpertRouting, _ scores: UnsafePointer<Float>,
    _ choices: UnsafePointer<Float>, into dScores: UnsafeMutablePointer<Double>
  ) {
    var (sum, product) = (0.0, 0.0)
    for choice in 0..<rule.chosenCount {
      let score = Double(scores[Int(choices[choice])])
      sum += score
      product += Double(dWeights[choice]) * score
    }
    let divisor = rule.normalizes ? sum + Double(rule.normalizerEpsilon) : 1
    let mean = rule.normalizes ? product / divisor : 0
    for choice in 0..<rule.chosenCount {
      dScores[Int(choices[choice])] =
        Double(rule.scale) * (Double(dWeights[choice]) - mean) / divisor
    }
  }

  private func add(
    _ balance: BalanceGradient, _ rule: ExpertRouting, _ scores: UnsafePointer<Float>,
    to dScores: UnsafeMutablePointer<Double>
  ) {
    guard rule.scores == .sigmoid else {
      for expert in 0..<rule.expertCount { dScores[expert] += balance.factors[expert] }
      return
    }
    // Sigmoids are balanced by their shares s / Σ s.
    var (sum, product) = (0.0, 0.0)
    for expert in 0..<rule.expertCount {
      sum += Double(scores[expert])
      product += balance.factors[expert] * Double(scores[expert])
    }
    guard sum > 0 else { return }
    for expert in 0..<rule.expertCount {
      dScores[expert] += (balance.factors[expert] - product / sum) / sum
    }
  }

  private func finish(
    _ dScores: UnsafePointer<Double>, _ rule: ExpertRouting, _ scores: UnsafePointer<Float>,
    into dLogits: UnsafeMutablePointer<Float>
  ) {
    var product = 0.0
    if rule.scores == .softmax {
      for expert in 0..<rule.expertCount { product += Double(scores[expert]) * dScores[expert] }
    }
    for expert in 0..<rule.expertCount {
      let score = Double(scores[expert])
      switch rule.scores {
      case .softmax: dLogits[expert] = Float(score * (dScores[expert] - product))
      case .sigmoid: dLogits[expert] = Float(dScores[expert] * score * (1 - score))
      }
    }
  }
}
