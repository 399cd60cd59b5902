import Rollouts
import Tensors

/// What the policy says of tokens: natural logarithms and nats, under the distribution they were
/// drawn from.
public struct TokenStatistics: Sendable {
  /// log π(token), one per token.
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
///     z = cap(t · norm(x) W_headᵀ) / T,   log π(y) = z_y − log Σ exp z,   H = log Σ exp z − Σ p z
///     dz = dlog π (1_y − p) − dH p (z − log Σ exp z + H), times the cap's 1 − (z T / c)² where there is one
///
/// Targets are taken in chunks, so that logits never stand for a whole batch; a single chunk is kept
/// for the backward pass, several are computed again. Chunks change no bits: rows are independent.
public final class VocabularyHead {
  /// The greatest number of logits held at a time: 64 MiB of them.
  public static let chunkLogits = 16 << 20

  private let model: LanguageModel
  private let gathered = TensorScratch()
  private let normed = TensorScratch()
  private let normStatistics = TensorScratch()
  private let logits = TensorScratch()
  /// Capped logits while their gradients take their place.
  private let capped = TensorScratch()
  private let dNormed = TensorScratch()
  private let dGathered = TensorScratch()
  private var statistics = LogitStatistics()
  private var heldTargets = 0

  init(_ model: LanguageModel) { self.model = model }

  private var blueprint: Blueprint { model.blueprint }
  private var head: PackedMatrix { model.parameters.matrix(blueprint.head) }
  private var logitScale: Float { blueprint.design.logitScale }
  private var logitCap: Float? { blueprint.design.logitCap }
  private var width: Int { model.configuration.hiddenSize }
  private var rowsPerChunk: Int {
    max(2, Self.chunkLogits / model.configuration.vocabularySize)
  }

  /// The logits of rows of the stream, [rows, V], valid until the next call.
  func logits(of rows: [Int], in stream: Tensor) -> Tensor {
    norm(rows, in: stream)
    return product(0..<rows.count)
  }

  /// The statistics of targets, given the residual stream after the last layer, [R, C].
  func forward(
    _ targets: [PackedBatch.Target], stream: Tensor, under distribution: Distribution
  ) -> TokenStatistics {
    norm(targets.map(\.row), in: stream)
    statistics = LogitStatistics()
    for chunk in chunks(of: targets.count) {
      let z = product(chunk, masked: distribution)
      statistics.append(
        model.compute.reduceVocabulary(
          z, inverseTemperature: 1 / distribution.temperature,
          targets: targets[chunk].map(\.token)))
    }
    heldTargets = targets.count <= rowsPerChunk ? targets.count : 0
    return TokenStatistics(
      logProbabilities: statistics.logProbabilities, entropies: statistics.entropies)
  }

  /// The gradient of the stream, and of the head and final norm, after `forward` on the same targets.
  /// - Parameters:
  ///   - segments: Where each group's targets begin.
  ///   - dLogProbability: Gradient of each target's log-probability.
  ///   - dEntropy: Gradient of each entropy; empty for none.
  ///   - dStream: Gradient of the residual stream, [R, C]; added to.
  func backward(
    _ targets: [PackedBatch.Target], segments: [Int], stream: Tensor,
    under distribution: Distribution, dLogProbability: [Float], dEntropy: [Float],
    into dStream: Tensor, gradients: Gradients
  ) {
    let compute = model.compute
    let dx = dNormed.reserve(rows: targets.count, columns: width)
    for chunk in chunks(of: targets.count, segments: segments) {
      let z = heldTargets == targets.count ? logits.tensor : product(chunk, masked: distribution)
      let y = logitCap.map { _ in copy(z) }
      compute.vocabularyGradient(
        z, inverseTemperature: 1 / distribution.temperature,
        targets: targets[chunk].map(\.token), statistics: statistics[chunk],
        dLogProbability: Array(dLogProbability[chunk]),
        dEntropy: dEntropy.isEmpty ? [] : Array(dEntropy[chunk]))
      if let logitCap, let y { compute.softCapBackward(z, capped: y, at: logitCap) }
      if logitScale != 1 { compute.scale(z, by: logitScale) }
      if let dHead = gradients.tensor(blueprint.head) {
        let begun = segments.filter { chunk.lowerBound < $0 && $0 < chunk.upperBound }
        compute.accumulateWeightGradient(
          z, normed.tensor.rows(chunk), layout: head.layout,
          segments: [0] + begun.map { $0 - chunk.lowerBound }, into: dHead)
      }
      compute.backpropagateInput(
        z, through: head, into: dx.rows(chunk), accumulating: false, spending: true)
    }
    heldTargets = 0
    let dRows = dGathered.reserve(rows: targets.count, columns: width)
    blueprint.finalNorm.backward(
      dx, x: gathered.tensor, statistics: normStatistics.tensor, into: dRows, accumulating: false,
      model, gradients)
    // One row may serve several targets: a prompt's last, all first tokens.
    compute.addRows(dRows, to: targets.map(\.row), of: dStream)
  }

  /// Norms rows of the stream for the head.
  private func norm(_ rows: [Int], in stream: Tensor) {
    let x = gathered.reserve(rows: rows.count, columns: width)
    model.compute.gatherRows(rows, of: stream, into: x)
    blueprint.finalNorm.forward(
      x, into: normed.reserve(rows: rows.count, columns: width),
      statistics: normStatistics.reserve(
        rows: rows.count, columns: blueprint.finalNorm.statisticsCount), model)
  }

  private func product(_ chunk: Range<Int>) -> Tensor {
    let z = logits.reserve(rows: chunk.count, columns: model.configuration.vocabularySize)
    model.compute.multiply(normed.tensor.rows(chunk), by: head, into: z)
    if logitScale != 1 { model.compute.scale(z, by: logitScale) }
    if let logitCap { model.compute.softCap(z, at: logitCap) }
    return z
  }

  private func copy(_ z: Tensor) -> Tensor {
    let y = capped.reserve(rows: z.rows, columns: z.columns)
    y.fill(from: z)
    return y
  }

  private func product(_ chunk: Range<Int>, masked distribution: Distribution) -> Tensor {
    let z = product(chunk)
    guard !distribution.keptSets.isEmpty else { return z }
    for (row, target) in chunk.enumerated() {
      if let set = distribution.keptSets[target] {
        model.compute.mask(z, row: row, keeping: set)
      }
    }
    return z
  }

  private func chunks(of count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: rowsPerChunk).map { $0..<min($0 + rowsPerChunk, count) }
  }

  /// Chunks that part no pair of a segment: its targets are paired from its first on, wherever it lies in the batch.
  private func chunks(of count: Int, segments: [Int]) -> [Range<Int>] {
    var chunks: [Range<Int>] = []
    while (chunks.last?.upperBound ?? 0) < count {
      let start = chunks.last?.upperBound ?? 0
      var end = min(start + rowsPerChunk, count)
      let segment = segments.last { $0 < end } ?? 0
      let isInside = end < count && !segments.contains(end)
      if isInside, (end - segment) % 2 != 0 { end -= 1 }
      chunks.append(start..<end)
    }
    return chunks
  }
}
