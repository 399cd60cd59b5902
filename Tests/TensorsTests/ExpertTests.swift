import Testing

@testable import Tensors

@Suite("Routing to experts")
struct RoutingTests {
  struct Rule: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var rule: ExpertRouting
    var isBiased = false
  }

  static let rules = [
    Rule(
      testDescription: "softmax", rule: .init(expertCount: 8, chosenCount: 2, normalizes: false)),
    Rule(
      testDescription: "softmax, normalised",
      rule: .init(expertCount: 19, chosenCount: 5, normalizes: true)),
    Rule(
      testDescription: "softmax, the best group's experts, scaled",
      rule: .init(
        expertCount: 12, chosenCount: 3, groups: .init(count: 4, chosen: 2, addsTopTwo: false),
        normalizes: false, scale: 16)),
    Rule(
      testDescription: "sigmoid, groups by their two best, biased, normalised, scaled",
      rule: .init(
        expertCount: 16, chosenCount: 4, scores: .sigmoid,
        groups: .init(count: 4, chosen: 2, addsTopTwo: true), normalizes: true,
        normalizerEpsilon: 1e-20, scale: 2.5), isBiased: true),
    Rule(
      testDescription: "every expert",
      rule: .init(expertCount: 3, chosenCount: 3, normalizes: false)),
    Rule(
      testDescription: "one expert", rule: .init(expertCount: 1, chosenCount: 1, normalizes: true)),
  ]

  /// Scores, choices and weights of a row, written from the equations.
  static func reference(
    _ logits: [Double], _ bias: [Double], _ rule: ExpertRouting
  ) -> (scores: [Double], choices: [Int], weights: [Double]) {
    let exponentials = logits.map { exponential($0 - (logits.max() ?? 0)) }
    let total = exponentials.reduce(0, +)
    let scores =
      rule.scores == .softmax
      ? exponentials.map { $0 / total } : logits.map { 1 / (1 + exponential(-$0)) }
    var values = zip(scores, bias).map { $0 + $1 }
    if let groups = rule.groups {
      let size = rule.expertCount / groups.count
      let sums = (0..<groups.count).map { group in
        values[group * size..<(group + 1) * size].sorted(by: >)
          .prefix(groups.addsTopTwo ? 2 : 1).reduce(0, +)
      }
      let best = sums.indices.sorted { sums[$0] > sums[$1] }.prefix(groups.chosen)
      for expert in values.indices where !best.contains(expert / size) {
        values[expert] = -.infinity
      }
    }
    let choices = values.indices.sorted { values[$0] > values[$1] }
      .prefix(rule.chosenCount).sorted()
    let sum = choices.reduce(0) { $0 + scores[$1] }
    return (
      scores, choices, choices.map { scores[$0] / (rule.normalizes ? sum : 1) * Double(rule.scale) }
    )
  }

  /// e^x by its series: the tests' own.
  static func exponential(_ x: Double) -> Double {
    var (term, sum) = (1.0, 1.0)
    for n in 1..<30 {
      term *= x / 16 / Double(n)
      sum += term
    }
    for _ in 0..<4 { sum *= sum }
    return sum
  }

  @Test("is that of the equations, on every table", arguments: rules, TestValues.instructionSets)
  func routes(example: Rule, set: InstructionSet) {
    let (rule, rows) = (example.rule, 33)
    let experts = rule.expertCount
    let logits = TestValues.normal(rows * experts, stream: 60, scale: 2)
    let bias =
      example.isBiased
      ? TestValues.normal(experts, stream: 61, scale: 0.3) : [Float](repeating: 0, count: experts)
    let (scores, choices, weights) = (
      Tensor(rows: rows, columns: experts), Tensor(rows: rows, columns: rule.chosenCount),
      Tensor(rows: rows, columns: rule.chosenCount)
    )
    Compute(threads: 2, instructionSet: set).route(
      Tensor(rows: rows, columns: experts, values: logits), by: rule,
      selectionBias: example.isBiased ? Tensor(bias) : nil, scores: scores, choices: choices,
      weights: weights)
    for row in 0..<rows {
      let want = Self.reference(
        logits[row * experts..<(row + 1) * experts].map(Double.init), bias.map(Double.init), rule)
      #expect(choices.rows(row..<row + 1).values.map { Int($0) } == want.choices)
      #expect(relativeError(scores.rows(row..<row + 1).values, want.scores) < 1e-6)
      #expect(relativeError(weights.rows(row..<row + 1).values, want.weights) < 1e-6)
    }
  }

  @Test("sends ties to the lower expert, and NaN chooses as many as anything")
  func ties() {
    let rule = ExpertRouting(expertCount: 6, chosenCount: 3, normalizes: true)
    let logits = Tensor(
      rows: 3, columns: 6,
      values: [1, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, .nan, 1, .nan, .nan, 3, .nan])
    let (choices, weights) = (Tensor(rows: 3, columns: 3), Tensor(rows: 3, columns: 3))
    Compute(threads: 1).route(
      logits, by: rule, scores: logits, choices: choices, weights: weights)
    #expect(choices.rows(0..<2).values == [1, 2, 3, 0, 1, 2])
    #expect(Set(choices.rows(2..<3).values).isSuperset(of: [1, 4]))
    #expect(Set(choices.rows(2..<3).values).count == 3)
  }

  @Test("has the gradient of central differences, a balance loss included", arguments: rules)
  func gradient(example: Rule) {
    let rule = example.rule
    let (experts, chosen) = (rule.expertCount, rule.chosenCount)
    let compute = Compute(threads: 1)
    let logits = TestValues.normal(experts, stream: 62)
    let dWeights = TestValues.normal(chosen, stream: 63)
    let factors = TestValues.normal(experts, stream: 64).map(Double.init)
    let (scores, choices, weights, dLogits) = (
      Tensor(rows: 1, columns: experts), Tensor(rows: 1, columns: chosen),
      Tensor(rows: 1, columns: chosen), Tensor(rows: 1, columns: experts)
    )
    compute.route(
      Tensor(logits), by: rule, scores: scores, choices: choices, weights: weights)
    compute.routeBackward(
      Tensor(dWeights), by: rule, scores: scores, choices: choices,
      balance: BalanceGradient(factors: factors), into: dLogits)
    let kept = choices.values.map { Int($0) }
    func loss(_ z: [Double]) -> Double {
      let scores = Self.reference(z, [Double](repeating: 0, count: experts), rule).scores
      let sum = rule.normalizes ? kept.reduce(0) { $0 + scores[$1] } : 1
      let total = scores.reduce(0, +)
      let weighted = zip(kept, dWeights).reduce(0.0) {
        $0 + Double($1.1) * scores[$1.0] / sum * Double(rule.scale)
      }
      return zip(scores, factors).reduce(weighted) { $0 + $1.0 / total * $1.1 }
    }
    let differences = logits.indices.map { index -> Double in
      var (above, below) = (logits.map(Double.init), logits.map(Double.init))
      above[index] += 1e-5
      below[index] -= 1e-5
      return (loss(above) - loss(below)) / 2e-5
    }
    let size = max(differences.map(abs).max() ?? 0, 1)
    for (got, want) in zip(dLogits.values, differences) {
      #expect(abs(Double(got) - want) < 2e-6 * size)
    }
  }

  @Test("counts rows of a balance loss only where they count")
  func countedRows() {
    let rule = ExpertRouting(expertCount: 4, chosenCount: 1, normalizes: true)
    let logits = Tensor(rows: 2, columns: 4, values: [1, 2, 3, 4, 1, 2, 3, 4])
    let (choices, weights, d) = (
      Tensor(rows: 2, columns: 1), Tensor(rows: 2, columns: 1), Tensor(rows: 2, columns: 4)
    )
    let compute = Compute(threads: 1)
    compute.route(logits, by: rule, scores: logits, choices: choices, weights: weights)
    compute.fill(weights)
    compute.routeBackward(
      weights, by: rule, scores: logits, choices: choices,
      balance: BalanceGradient(factors: [1, 0, 0, 2], countedRows: [false, true]), into: d)
    #expect(d.rows(0..<1).values == [0, 0, 0, 0])
    #expect(d.rows(1..<2).values.allSatisfy { $0 != 0 })
  }

  @Test("is written down and given again")
  func table() {
    let first = Tensor(rows: 2, columns: 2, values: [0, 3, 1, 65_535])
    let second = Tensor(rows: 2, columns: 1, values: [7, 2])
    var table = RouteTable(rows: 2, width: 3)
    table.store(first, at: 0)
    table.store(second, at: 2)
    #expect(table.experts == [0, 3, 7, 1, 65_535, 2])
    let again = Tensor(rows: 2, columns: 2)
    table.load(0, into: again)
    #expect(again.values == first.values)
    var rows = table[1..<2]
    rows.append(table[0..<1])
    #expect(rows.experts == [1, 65_535, 2, 0, 3, 7])
  }
}

@Suite("Products of rows sorted by expert")
struct ExpertProductTests {
  static let (rowCount, inputs, outputs, experts, chosen) = (37, 21, 45, 5, 2)

  /// Expert 3 gets no row.
  static var choices: Tensor {
    let pairs: [[Float]] = [[0, 1], [1, 4], [0, 2], [2, 4], [0, 4]]
    return Tensor(
      rows: rowCount, columns: chosen, values: (0..<rowCount).flatMap { pairs[$0 * $0 % 5] })
  }
  static let rows = ExpertRows(choices: choices, expertCount: experts)

  static func matrices(_ stream: Int, rows: Int = outputs, columns: Int = inputs) -> [PackedMatrix]
  {
    (0..<experts).map {
      PackedMatrix(
        rows: rows, columns: columns,
        values: TestValues.normal(rows * columns, stream: stream + $0))
    }
  }

  static func normal(_ rows: Int, _ columns: Int, _ stream: Int) -> Tensor {
    Tensor(rows: rows, columns: columns, values: TestValues.normal(rows * columns, stream: stream))
  }

  @Test("sorts rows by expert, each expert's in order of their tokens")
  func sorting() {
    let rows = Self.rows
    #expect(rows.ranges.map(\.count).reduce(0, +) == Self.rowCount * 2 && rows.ranges[3].isEmpty)
    for (expert, range) in rows.ranges.enumerated() {
      let tokens = range.map { Int(rows.tokens[$0]) }
      #expect(tokens == tokens.sorted())
      for token in tokens {
        #expect(Self.choices.rows(token..<token + 1).values.contains(Float(expert)))
      }
    }
    for choice in 0..<Self.rowCount * 2 {
      #expect(Int(rows.tokens[Int(rows.places[choice])]) == choice / 2)
    }
  }

  /// A dense product for each expert's rows, one after the other.
  @Test("have the bits of a product for each expert", arguments: TestValues.instructionSets)
  func products(set: InstructionSet) {
    let rows = Self.rows
    let (x, dy) = (
      Self.normal(rows.count, Self.inputs, 70), Self.normal(rows.count, Self.outputs, 71)
    )
    let (weights, others) = (Self.matrices(80), Self.matrices(90))
    let biases = Self.normal(Self.experts, Self.outputs, 72)
    for threads in 1...3 {
      let compute = Compute(threads: threads, instructionSet: set)
      let (y, z) = (
        Tensor(rows: rows.count, columns: Self.outputs),
        Tensor(rows: rows.count, columns: Self.outputs)
      )
      let dx = Tensor(rows: rows.count, columns: Self.inputs)
      let layout = weights[0].layout
      let gradients = weights.map { _ in Tensor(TestValues.normal(layout.count, stream: 73)) }
      compute.multiply(
        x, rows,
        by: [
          ExpertProduct(weights, into: y, biases: biases),
          // Expert 1 has no second matrix: its rows stay as they are.
          ExpertProduct(others.enumerated().map { $0 == 1 ? nil : $1 }, into: z),
        ])
      compute.backpropagateInput(dy, rows, through: weights, into: dx, accumulating: false)
      compute.backpropagateInput(dy, rows, through: others, into: dx, accumulating: true)
      compute.accumulateWeightGradients(dy, x, rows, layout: layout, into: gradients)
      for (expert, range) in rows.ranges.enumerated() {
        let part = { Tensor(rows: range.count, columns: $0) }
        let (wantY, wantZ, wantX) = (part(Self.outputs), part(Self.outputs), part(Self.inputs))
        let wantW = Tensor(TestValues.normal(layout.count, stream: 73))
        compute.multiply(
          x.rows(range), by: weights[expert], into: wantY, bias: biases.rows(expert..<expert + 1))
        if expert != 1 { compute.multiply(x.rows(range), by: others[expert], into: wantZ) }
        compute.backpropagateInput(
          dy.rows(range), through: weights[expert], into: wantX, accumulating: false)
        compute.backpropagateInput(
          dy.rows(range), through: others[expert], into: wantX, accumulating: true)
        compute.accumulateWeightGradient(dy.rows(range), x.rows(range), layout: layout, into: wantW)
        #expect(y.rows(range).values.bits == wantY.values.bits)
        #expect(z.rows(range).values.bits == wantZ.values.bits)
        #expect(dx.rows(range).values.bits == wantX.values.bits)
        #expect(gradients[expert].values.bits == wantW.values.bits)
      }
    }
  }

  @Test(
    "gather, weigh and combine in order of a token's choices", arguments: TestValues.instructionSets
  )
  func combining(set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    let (rows, width) = (Self.rows, 19)
    let x = Self.normal(Self.rowCount, width, 74)
    let sorted = Tensor(rows: rows.count, columns: width)
    compute.gather(rows, of: x, into: sorted)
    let weights = Self.normal(Self.rowCount, Self.chosen, 75)
    compute.scale(sorted, rows, by: weights)
    let (residual, other) = (
      Self.normal(Self.rowCount, width, 76), Self.normal(Self.rowCount, width, 77)
    )
    let (y, plain) = (
      Tensor(rows: Self.rowCount, columns: width), Tensor(rows: Self.rowCount, columns: width)
    )
    compute.combine(rows, of: sorted, adding: other, to: residual, into: y)
    compute.combine(rows, of: sorted, into: plain)
    let weighed = Tensor(rows: Self.rowCount, columns: width)
    compute.combine(rows, of: sorted, weighed: weights, into: weighed)
    let dots = Tensor(rows: Self.rowCount, columns: Self.chosen)
    compute.dots(sorted, sorted, rows, into: dots)
    for row in 0..<Self.rowCount {
      for column in 0..<width {
        let sum = x[row, column] * weights[row, 0] + x[row, column] * weights[row, 1]
        #expect(plain[row, column] == sum)
        let again =
          x[row, column] * weights[row, 0] * weights[row, 0]
          + x[row, column] * weights[row, 1] * weights[row, 1]
        #expect(weighed[row, column] == again)
        #expect(y[row, column] == (sum + other[row, column]) + residual[row, column])
      }
      for choice in 0..<Self.chosen {
        let want = (0..<width).reduce(0.0) {
          let value = Double(x[row, $1] * weights[row, choice])
          return $0 + value * value
        }
        #expect(abs(Double(dots[row, choice]) - want) <= 1e-6 * want)
      }
    }
  }

  @Test("a gate of a row is the logistic function, with its gradient")
  func rowGates() {
    let compute = Compute(threads: 2)
    let (x, dy) = (Self.normal(9, 33, 78), Self.normal(9, 33, 79))
    let logits = TestValues.normal(9, stream: 80)
    let gate = Tensor(rows: 9, columns: 1, values: logits)
    compute.logistic(gate)
    let (y, dz) = (Tensor(rows: 9, columns: 33), Tensor(rows: 9, columns: 1))
    compute.scaleRows(x, by: gate, into: y)
    compute.gateBackward(dy, x, gate: gate, into: dz)
    for row in 0..<9 {
      let share = 1 / (1 + RoutingTests.exponential(-Double(logits[row])))
      #expect(abs(Double(gate[row, 0]) - share) < 1e-6)
      #expect((0..<33).allSatisfy { y[row, $0] == x[row, $0] * gate[row, 0] })
      let dot = (0..<33).reduce(0.0) { $0 + Double(x[row, $1]) * Double(dy[row, $1]) }
      #expect(abs(Double(dz[row, 0]) - dot * share * (1 - share)) < 1e-5)
    }
  }

  @Test("gpt-oss's unit is that of its equation, with the gradient of central differences")
  func clampedUnit() {
    let unit = ClampedUnit(alpha: 1.3, limit: 0.8)
    let compute = Compute(threads: 2)
    let (both, dh) = (Self.normal(7, 2 * 19, 81), Self.normal(7, 19, 82))
    let (h, dBoth) = (Tensor(rows: 7, columns: 19), Tensor(rows: 7, columns: 38))
    compute.clampedUnit(unit, both, into: h)
    compute.clampedUnitBackward(unit, dh, both, into: dBoth)
    func value(_ gate: Double, _ up: Double) -> Double {
      let (g, u) = (min(gate, 0.8), max(-0.8, min(up, 0.8)))
      return (u + 1) * g / (1 + RoutingTests.exponential(-1.3 * g))
    }
    for row in 0..<7 {
      for column in 0..<19 {
        let (gate, up) = (Double(both[row, 2 * column]), Double(both[row, 2 * column + 1]))
        #expect(abs(Double(h[row, column]) - value(gate, up)) < 1e-6)
        let d = Double(dh[row, column])
        let dGate = d * (value(gate + 1e-6, up) - value(gate - 1e-6, up)) / 2e-6
        let dUp = d * (value(gate, up + 1e-6) - value(gate, up - 1e-6)) / 2e-6
        #expect(abs(Double(dBoth[row, 2 * column]) - dGate) < 1e-5)
        #expect(abs(Double(dBoth[row, 2 * column + 1]) - dUp) < 1e-5)
      }
    }
  }

  @Test("a sink is one more key whose value is zero", arguments: TestValues.instructionSets)
  func sinks(set: InstructionSet) {
    let compute = Compute(threads: 2, instructionSet: set)
    let (rows, heads, size) = (5, 3, 7)
    let (out, dOut) = (Self.normal(rows, heads * size, 83), Self.normal(rows, heads * size, 84))
    let sums = Self.normal(rows, heads, 85)
    let sinks = TestValues.normal(heads, stream: 86)
    let (given, dGiven) = (out.values, dOut.values)
    compute.applySinks(Tensor(sinks), logSumExp: sums, to: out)
    let dSinks = Tensor(count: heads)
    compute.applySinksBackward(
      Tensor(sinks), logSumExp: sums, out: out, dOut: dOut, dSinks: dSinks)
    for head in 0..<heads {
      var gradient = 0.0
      for row in 0..<rows {
        func share(_ z: Double) -> Double {
          1 / (1 + RoutingTests.exponential(z - Double(sums[row, head])))
        }
        let z = Double(sinks[head])
        for column in head * size..<(head + 1) * size {
          let (o, d) = (
            Double(given[row * heads * size + column]), Double(dGiven[row * heads * size + column])
          )
          #expect(abs(Double(out[row, column]) - share(z) * o) < 1e-6)
          #expect(abs(Double(dOut[row, column]) - share(z) * d) < 1e-6)
          gradient += d * o * (share(z + 1e-6) - share(z - 1e-6)) / 2e-6
        }
      }
      #expect(abs(Double(dSinks[0, head]) - gradient) < 1e-5)
    }
  }
}
