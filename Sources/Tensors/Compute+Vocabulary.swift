// The softmax over the vocabulary, for sampler and trainer alike: z = logits · inverseTemperature.
//
// The vocabulary is reduced in blocks of 1024 ids, in each by 16 lanes, and the blocks are added in
// order in double precision: the result depends on neither rows nor threads.

import CKernels

/// The ids that truncated sampling left of the vocabulary, row by row, in ascending order.
public struct KeptSets: Equatable, Sendable {
  /// Row r's ids are `ids[starts[r]..<starts[r + 1]]`; none means the whole vocabulary.
  public private(set) var starts: [Int]
  /// The ids of all rows.
  public private(set) var ids: [Int32]

  /// No rows.
  public init() {
    starts = [0]
    ids = []
  }

  /// Sets of the given rows; nil means the whole vocabulary.
  public init(_ rows: [[Int32]?]) {
    self.init()
    for row in rows { append(row) }
  }

  /// Adds the set of the next row.
  public mutating func append(_ row: [Int32]?) {
    ids += row ?? []
    starts.append(ids.count)
  }

  /// How many rows there are.
  public var count: Int { starts.count - 1 }

  /// The ids of a row, or nil for the whole vocabulary.
  public subscript(row: Int) -> ArraySlice<Int32>? {
    starts[row] == starts[row + 1] ? nil : ids[starts[row]..<starts[row + 1]]
  }
}

extension Compute {
  /// Reduces rows of logits to log Σ e^z, the targets' log-probabilities and the entropies, in nats.
  ///
  /// log p_t = z_t − lse, from the lse in double precision (`normalizer`), as `logProbability(ofLogit:…)` gives it
  /// for a token that is drawn afterwards; H = lse − Σ p z, over the row's kept set where it has one. A target outside
  /// its kept set has log-probability −∞; a negative one is no target and gets 0.
  public func reduceVocabulary(
    _ logits: Rows, rows: Int, vocabulary: Int, inverseTemperature: Float,
    targets: UnsafePointer<Int32>? = nil, kept: KeptSets? = nil,
    logSumExp: UnsafeMutablePointer<Float>? = nil,
    logProbability: UnsafeMutablePointer<Float>? = nil,
    entropy: UnsafeMutablePointer<Float>? = nil,
    normalizer: UnsafeMutablePointer<Double>? = nil
  ) {
    parallelRanges(rows, cost: Double(vocabulary) * 0.6) { begin, end in
      for row in begin..<end {
        withKept(kept, row: row, vocabulary: vocabulary) { ids, count in
          var summary = VocabularySummary()
          kernels.pointee.summarize(
            logits[row], count, ids, inverseTemperature, targets?[row] ?? -1, &summary)
          logSumExp?[row] = summary.log_sum_exp
          logProbability?[row] = summary.log_probability
          entropy?[row] = summary.entropy
          normalizer?[row] = summary.normalizer
        }
      }
    }
  }

  /// log p of a token from its logit, with the bits that `reduceVocabulary` gives for it as a target.
  public static func logProbability(
    ofLogit logit: Float, inverseTemperature: Float, normalizer: Double
  ) -> Float {
    Float(Double(logit * inverseTemperature) - normalizer)
  }

  /// Turns logits into their gradients, in place.
  ///
  /// d logit_i = T⁻¹·(dLogProbability·(1[i = t] − p_i) − dEntropy·p_i·(log p_i + H)), and 0 outside
  /// the kept set. `logSumExp` and `entropy` are what `reduceVocabulary` gave.
  public func vocabularyGradient(
    _ logits: Rows, rows: Int, vocabulary: Int, inverseTemperature: Float,
    targets: UnsafePointer<Int32>, kept: KeptSets? = nil, logSumExp: UnsafePointer<Float>,
    entropy: UnsafePointer<Float>, dLogProbability: UnsafePointer<Float>,
    dEntropy: UnsafePointer<Float>? = nil
  ) {
    parallelRanges(rows, cost: Double(vocabulary) * 0.5) { begin, end in
      for row in begin..<end {
        withKept(kept, row: row, vocabulary: vocabulary) { ids, count in
          kernels.pointee.vocabulary_gradient(
            logits[row], vocabulary, count, ids, inverseTemperature, targets[row],
            logSumExp[row], entropy[row], dLogProbability[row], dEntropy?[row] ?? 0)
        }
      }
    }
  }

  /// Draws a token by the inverse of the cumulative distribution, in order of id.
  ///
  /// `logSumExp` is what `reduceVocabulary` gave for the row, `uniform` lies in [0, 1); with
  /// `kept`, ascending ids, only those can be drawn. Never a token whose probability is 0.
  public func drawToken(
    _ logits: UnsafePointer<Float>, vocabulary: Int, inverseTemperature: Float,
    logSumExp: Float, uniform: Double, kept: [Int32]? = nil
  ) -> Int32 {
    guard let kept, !kept.isEmpty else {
      return kernels.pointee.draw(
        logits, vocabulary, nil, inverseTemperature, logSumExp, uniform)
    }
    return kept.withUnsafeBufferPointer {
      kernels.pointee.draw(
        logits, $0.count, $0.baseAddress, inverseTemperature, logSumExp, uniform)
    }
  }

  /// Draws a token for each row, as `drawToken` does, from the row's own uniform number.
  public func drawTokens(
    _ logits: Rows, rows: Int, vocabulary: Int, inverseTemperature: Float,
    logSumExp: UnsafePointer<Float>, uniforms: UnsafePointer<Double>, kept: KeptSets? = nil,
    into tokens: UnsafeMutablePointer<Int32>
  ) {
    parallelRanges(rows, cost: Double(vocabulary) * 0.4) { begin, end in
      for row in begin..<end {
        withKept(kept, row: row, vocabulary: vocabulary) { ids, count in
          tokens[row] = kernels.pointee.draw(
            logits[row], count, ids, inverseTemperature, logSumExp[row], uniforms[row])
        }
      }
    }
  }

  private func withKept(
    _ kept: KeptSets?, row: Int, vocabulary: Int, _ body: (UnsafePointer<Int32>?, Int) -> Void
  ) {
    guard let slice = kept?[row] else {
      body(nil, vocabulary)
      return
    }
    slice.withUnsafeBufferPointer { body($0.baseAddress, $0.count) }
  }
}
