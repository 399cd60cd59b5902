import Rollouts
import Tensors

/// What the policy says of tokens: natural logarithms and nats, under the distribution they were
/// drawn from.
public struct TokenStatistics: Sendable {
  /// log π(token), one a token.
  public var logProbabilities: [Float]
  /// Entropy of the distribution before the token, nats.
  public var entropies: [Float]

  /// Makes statistics of tokens.
  public init(logProbabilities: [Float] = [], entropies: [Float] = []) {
    self.logProbabilities = logProbabilities
    self.entropies = entropies
  }
}

/// The distribution that tokens are scored under: the temperature, and what truncation left.
public struct Distribution: Sendable {
  /// Logits are divided by it; above 0.
  public var temperature: Float
  /// For each target its kept set, nil for the whole vocabulary; empty where no target has one.
  public var keptSets: [KeptSet?]

  /// Makes a distribution.
  public init(temperature: Float = 1, keptSets: [KeptSet?] = []) {
    self.temperature = temperature
    self.keptSets = keptSets
  }
}

/// The final norm and the head: the only place where rows meet the vocabulary.
///
///     z = norm(x) W_headᵀ / T,   log π(y) = z_y − log Σ exp z,   H = log Σ exp z − Σ p z
///     dz = dlog π (1_y − p) − dH p (z − log Σ exp z + H)
///
/// Targets are taken in chunks, so that logits never stand for a whole batch; a single chunk is kept
/// for the backward pass, several are computed again. Chunks change no bits: rows are independent.
public final class VocabularyHead {
  /// The greatest number of logits held at a time: 64 MiB of them.
  public static let chunkLogits = 16 << 20

  private let model: LanguageModel
  private let gathered = FloatScratch()
  private let normed = FloatScratch()
  private let inverseRMS = FloatScratch()
  private let logits = FloatScratch()
  private let logSumExp = FloatScratch()
  private let statistics = FloatScratch()
  private let dNormed = FloatScratch()
  private let dGathered = FloatScratch()
  private var heldTargets = 0

  init(_ model: LanguageModel) { self.model = model }

  private var vocabulary: Int { model.configuration.vocabularySize }
  private var width: Int { model.configuration.hiddenSize }
  private var rowsPerChunk: Int { max(1, Self.chunkLogits / vocabulary) }

  /// The logits of rows of the stream, [rows, V], valid until the next call.
  func logits(of rows: [Int], in stream: UnsafePointer<Float>) -> UnsafeMutablePointer<Float> {
    norm(rows, in: stream)
    return product(0..<rows.count)
  }

  /// The statistics of targets, given the residual stream after the last layer.
  func forward(
    _ targets: [PackedBatch.Target], stream: UnsafePointer<Float>, under distribution: Distribution
  ) -> TokenStatistics {
    let count = targets.count
    norm(targets.map(\.row), in: stream)
    let sums = logSumExp.reserve(count)
    let results = statistics.reserve(2 * count)
    let tokens = targets.map(\.token)
    for chunk in chunks(of: count) {
      let z = product(chunk, masked: distribution)
      model.compute.reduceVocabulary(
        Rows(z, stride: vocabulary), rows: chunk.count, vocabulary: vocabulary,
        inverseTemperature: 1 / distribution.temperature, targets: Array(tokens[chunk]),
        logSumExp: sums + chunk.lowerBound,
        logProbability: results + chunk.lowerBound, entropy: results + count + chunk.lowerBound)
    }
    heldTargets = count <= rowsPerChunk ? count : 0
    return TokenStatistics(
      logProbabilities: Array(UnsafeBufferPointer(start: results, count: count)),
      entropies: Array(UnsafeBufferPointer(start: results + count, count: count)))
  }

  /// The gradient of the stream, and of the head and final norm, after `forward` on the same targets.
  /// - Parameters:
  ///   - dLogProbability: Gradient of each target's log-probability.
  ///   - dEntropy: Gradient of each entropy.
  ///   - dStream: Gradient of the residual stream, [R, C]; added to.
  func backward(
    _ targets: [PackedBatch.Target], stream: UnsafePointer<Float>,
    under distribution: Distribution, dLogProbability: [Float], dEntropy: [Float],
    into dStream: UnsafeMutablePointer<Float>, gradients: Gradients
  ) {
    let count = targets.count
    let parameters = model.parameters
    let headGradient = gradients.pointer(parameters.headPlace)
    let tokens = targets.map(\.token)
    let dx = dNormed.reserve(count * width)
    for chunk in chunks(of: count) {
      let z = heldTargets == count ? logits.pointer : product(chunk, masked: distribution)
      let dz = Rows(z, stride: vocabulary)
      model.compute.vocabularyGradient(
        dz, rows: chunk.count, vocabulary: vocabulary,
        inverseTemperature: 1 / distribution.temperature, targets: Array(tokens[chunk]),
        logSumExp: logSumExp.pointer + chunk.lowerBound,
        entropy: statistics.pointer + count + chunk.lowerBound,
        dLogProbability: Array(dLogProbability[chunk]), dEntropy: Array(dEntropy[chunk]))
      if let headGradient {
        model.compute.accumulateWeightGradient(
          dz, normed.rows(width).from(row: chunk.lowerBound), rows: chunk.count,
          layout: parameters.head.layout, into: headGradient)
      }
      model.compute.backpropagateInput(
        dz, rows: chunk.count, through: parameters.head,
        into: Rows(dx + chunk.lowerBound * width, stride: width), accumulating: false)
    }
    heldTargets = 0
    backwardNorm(targets, dx: dx, into: dStream, gradients: gradients)
  }

  private func backwardNorm(
    _ targets: [PackedBatch.Target], dx: UnsafeMutablePointer<Float>,
    into dStream: UnsafeMutablePointer<Float>, gradients: Gradients
  ) {
    let dRows = dGathered.reserve(targets.count * width)
    model.compute.rmsNormBackward(
      Rows(dx, stride: width), x: gathered.rows(width), rows: targets.count, columns: width,
      weight: model.parameters.finalNorm.pointer, inverseRMS: inverseRMS.pointer,
      into: Rows(dRows, stride: width), accumulating: false,
      dWeight: gradients.pointer(model.parameters.finalNormPlace))
    // One row may serve several targets (a prompt's last, all first tokens): in order, on one thread.
    for (index, target) in targets.enumerated() {
      let from = dRows + index * width
      let to = dStream + target.row * width
      for column in 0..<width { to[column] += from[column] }
    }
  }

  private func norm(_ rows: [Int], in stream: UnsafePointer<Float>) {
    let x = gathered.reserve(rows.count * width)
    for (index, row) in rows.enumerated() {
      (x + index * width).update(from: stream + row * width, count: width)
    }
    model.compute.rmsNorm(
      Rows(x, stride: width), rows: rows.count, columns: width,
      weight: model.parameters.finalNorm.pointer, epsilon: model.configuration.normEpsilon,
      into: Rows(normed.reserve(rows.count * width), stride: width),
      inverseRMS: inverseRMS.reserve(rows.count))
  }

  private func product(_ chunk: Range<Int>) -> UnsafeMutablePointer<Float> {
    let z = logits.reserve(chunk.count * vocabulary)
    model.compute.multiply(
      normed.rows(width).from(row: chunk.lowerBound), rows: chunk.count,
      by: model.parameters.head, into: Rows(z, stride: vocabulary))
    return z
  }

  private func product(
    _ chunk: Range<Int>, masked distribution: Distribution
  ) -> UnsafeMutablePointer<Float> {
    let z = product(chunk)
    guard !distribution.keptSets.isEmpty else { return z }
    for (row, target) in chunk.enumerated() {
      distribution.keptSets[target]?.mask(z + row * vocabulary, vocabulary: vocabulary)
    }
    return z
  }

  private func chunks(of count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: rowsPerChunk).map { $0..<min($0 + rowsPerChunk, count) }
  }
}
