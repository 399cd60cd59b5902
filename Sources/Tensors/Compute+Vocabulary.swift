// The softmax over the vocabulary, for sampler and trainer alike: z = logits · inverseTemperature.
//
// The vocabulary is reduced in blocks of 1024 ids, in each by 16 lanes, and the blocks are added in
// order in double precision: the result depends on neither rows nor threads.

import CKernels

/// What the softmax of rows of logits comes to, a value per row.
public struct LogitStatistics: Equatable, Sendable {
  /// log Σ e^z.
  public var logSumExp: [Float] = []
  /// log Σ e^z before it is rounded.
  public var normalizers: [Double] = []
  /// log p of each row's target; 0 where it has none.
  public var logProbabilities: [Float] = []
  /// −Σ p log p, in nats.
  public var entropies: [Float] = []

  /// No rows.
  public init() {}

  init(_ summaries: [VocabularySummary]) {
    logSumExp = summaries.map(\.log_sum_exp)
    normalizers = summaries.map(\.normalizer)
    logProbabilities = summaries.map(\.log_probability)
    entropies = summaries.map(\.entropy)
  }

  /// Adds the rows of others behind these.
  public mutating func append(_ others: LogitStatistics) {
    logSumExp += others.logSumExp
    normalizers += others.normalizers
    logProbabilities += others.logProbabilities
    entropies += others.entropies
  }

  /// Some of the rows.
  public subscript(rows: Range<Int>) -> LogitStatistics {
    var part = LogitStatistics()
    part.logSumExp = Array(logSumExp[rows])
    part.normalizers = Array(normalizers[rows])
    part.logProbabilities = Array(logProbabilities[rows])
    part.entropies = Array(entropies[rows])
    return part
  }
}

extension Compute {
  /// Reduces rows of logits to log Σ e^z, the targets' log-probabilities and the entropies, in nats.
  ///
  /// log p_t = z_t − lse, from the lse in double precision, as `logProbability(ofLogit:…)` gives it for a token that is
  /// drawn afterwards; H = lse − Σ p z. A negative target is none.
  /// Shapes: logits [R, V], targets [R] or none.
  /// Complexity: an exponential for each logit, two passes.
  public func reduceVocabulary(
    _ logits: Tensor, inverseTemperature: Float, targets: [Int32] = []
  ) -> LogitStatistics {
    precondition(targets.isEmpty || targets.count == logits.rows, "a target for each row, or none")
    precondition(targets.allSatisfy { Int($0) < logits.columns }, "a target is in the vocabulary")
    var summaries = [VocabularySummary](repeating: VocabularySummary(), count: logits.rows)
    let start = logits.start
    summaries.withUnsafeMutableBufferPointer { summaries in
      guard let first = summaries.baseAddress else { return }
      parallelRanges(logits.rows, cost: Double(logits.columns) * 0.6) { begin, end in
        for row in begin..<end {
          kernels.pointee.summarize(
            start + row * logits.stride, logits.columns, inverseTemperature,
            targets.isEmpty ? -1 : targets[row], first + row)
        }
      }
    }
    return LogitStatistics(summaries)
  }

  /// log p of a token from its logit, with the bits that `reduceVocabulary` gives for it as a target.
  public static func logProbability(
    ofLogit logit: Float, inverseTemperature: Float, normalizer: Double
  ) -> Float {
    Float(Double(logit * inverseTemperature) - normalizer)
  }

  /// Turns logits into their gradients, in place.
  ///
  /// d logit_i = T⁻¹·(dLogProbability·(1[i = t] − p_i) − dEntropy·p_i·(log p_i + H)). `statistics` is what
  /// `reduceVocabulary` gave.
  /// Shapes: logits [R, V]; targets, dLogProbability and dEntropy [R], the last one or none.
  /// Complexity: an exponential for each logit.
  public func vocabularyGradient(
    _ logits: Tensor, inverseTemperature: Float, targets: [Int32], statistics: LogitStatistics,
    dLogProbability: [Float], dEntropy: [Float] = []
  ) {
    precondition(
      targets.count == logits.rows && dLogProbability.count == logits.rows
        && statistics.logSumExp.count == logits.rows
        && (dEntropy.isEmpty || dEntropy.count == logits.rows), "a value for each row")
    let start = logits.start
    parallelRanges(logits.rows, cost: Double(logits.columns) * 0.5) { begin, end in
      for row in begin..<end {
        kernels.pointee.vocabulary_gradient(
          start + row * logits.stride, logits.columns, inverseTemperature, targets[row],
          statistics.logSumExp[row], statistics.entropies[row], dLogProbability[row],
          dEntropy.isEmpty ? 0 : dEntropy[row])
      }
    }
  }

  /// Draws tokens by the inverse of their cumulative distribution, in order of id; never one whose probability is 0.
  ///
  /// `statistics` is what `reduceVocabulary` gave for the rows; a draw names its row, and rows may serve several.
  /// Shapes: logits [R, V]; rows and uniforms, which lie in [0, 1), one a draw.
  /// Complexity: an exponential for each logit and draw.
  public func drawTokens(
    _ logits: Tensor, rows: [Int], uniforms: [Double], inverseTemperature: Float,
    statistics: LogitStatistics
  ) -> [Int32] {
    precondition(rows.count == uniforms.count, "a number for each draw")
    let start = logits.start
    return [Int32](unsafeUninitializedCapacity: rows.count) { tokens, count in
      if let first = tokens.baseAddress {
        parallelRanges(rows.count, cost: Double(logits.columns) * 0.4) { begin, end in
          for draw in begin..<end {
            let row = rows[draw]
            first[draw] = kernels.pointee.draw(
              start + row * logits.stride, logits.columns, inverseTemperature,
              statistics.logSumExp[row], uniforms[draw])
          }
        }
      }
      count = rows.count
    }
  }

  /// The likeliest token of a row of logits, the first of equals.
  ///
  /// Complexity: one pass over the row.
  public func likeliestToken(_ logits: Tensor, row: Int) -> Int32 {
    let values = logits[row: row]
    var best = 0
    for id in 1..<max(logits.columns, 1) where values[id] > values[best] { best = id }
    return Int32(best)
  }
}
