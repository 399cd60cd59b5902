import Rollouts
import Tensors

/// Scratch of a backward pass, shared by all layers.
final class BackwardScratch {
  let dStream = FloatScratch()
  let normed = FloatScratch()
  let dNormed = FloatScratch()
  let dAttended = FloatScratch()
  let dQuery = FloatScratch()
  let dKey = FloatScratch()
  let dValue = FloatScratch()
  let dRawKey = FloatScratch()
  let hidden = FloatScratch()
  let dHidden = FloatScratch()
  let dReduced = FloatScratch()
}

/// A forward pass that remembers, and the backward pass that follows it.
///
/// Gradients add up over passes until they are reset: a micro-batch is one forward and one backward.
/// Memory: about R·(2C + (2H + 2K)D + 2F)·L floats for R rows; R·C·L and one layer's where a layer keeps
/// its input alone and the backward pass runs it again (Chen et al. 2016, arXiv 1604.06174): about a
/// third more arithmetic, the same bits.
public final class TrainingPass {
  /// The gradients that backward passes add to.
  public let gradients: Gradients
  private let model: LanguageModel
  private let head: VocabularyHead
  private let layers: [LayerActivations]
  private let recomputesActivations: Bool
  private let stream = FloatScratch()
  private let scratch = BackwardScratch()
  private var blocks: KeyValueBlocks?
  private var blockCapacity = 0
  private var current: (batch: PackedBatch, distribution: Distribution)?

  /// Makes a pass of a model, with gradients of its own.
  /// - Parameter recomputesActivations: Whether layers keep their input alone.
  public init(_ model: LanguageModel, recomputesActivations: Bool = false) {
    self.model = model
    self.recomputesActivations = recomputesActivations
    gradients = Gradients(of: model.parameters)
    head = VocabularyHead(model)
    let first = LayerActivations()
    layers = model.parameters.layers.indices.map { index in
      if index == 0 { return first }
      return recomputesActivations ? LayerActivations(sharing: first) : LayerActivations()
    }
  }

  /// The statistics of the batch's targets under the current weights.
  public func forward(
    _ batch: PackedBatch, under distribution: Distribution = Distribution()
  ) -> TokenStatistics {
    let blocks = reserveBlocks(batch.blockCount)
    model.runLayers(
      tokens: batch.tokens, positions: batch.positions, plan: batch.plan, blocks: [blocks],
      keeping: layers, into: stream)
    current = (batch, distribution)
    return head.forward(batch.targets, stream: stream.pointer, under: distribution)
  }

  /// Adds the gradient of a scalar whose derivatives by the last forward's statistics are given.
  /// - Parameters:
  ///   - dLogProbability: d loss / d log π of each target.
  ///   - dEntropy: d loss / d H of each target; empty for none.
  public func backward(dLogProbability: [Float], dEntropy: [Float] = []) {
    guard let (batch, distribution) = current else {
      preconditionFailure("a backward pass follows a forward pass")
    }
    current = nil
    guard !batch.targets.isEmpty else { return }
    let rows = batch.rowCount
    let width = model.configuration.hiddenSize
    let dStream = scratch.dStream.reserve(rows * width)
    dStream.update(repeating: 0, count: rows * width)
    let noEntropy = dEntropy.isEmpty ? [Float](repeating: 0, count: batch.targets.count) : dEntropy
    head.backward(
      batch.targets, stream: stream.pointer, under: distribution,
      dLogProbability: dLogProbability, dEntropy: noEntropy, into: dStream, gradients: gradients)
    batch.positions.withUnsafeBufferPointer { positions in
      guard let positions = positions.baseAddress else { return }
      for index in layers.indices.reversed() {
        // The last layer's activations still stand.
        if recomputesActivations, index < layers.count - 1, let blocks {
          model.recompute(
            layer: index, of: batch, positions: positions, blocks: blocks, saved: layers[index])
        }
        backward(index, batch: batch, positions: positions, dStream: dStream)
      }
    }
    guard let dEmbedding = gradients.pointer(model.parameters.embeddingPlace) else { return }
    model.compute.scatterEmbeddingGradient(
      batch.tokens, Rows(dStream, stride: width), layout: model.parameters.embedding.layout,
      into: dEmbedding)
  }

  /// Turns the gradient of the stream after a layer into that before it, in place.
  private func backward(
    _ index: Int, batch: PackedBatch, positions: UnsafePointer<Int32>,
    dStream: UnsafeMutablePointer<Float>
  ) {
    let layer = model.parameters.layers[index]
    let saved = layers[index]
    let rows = batch.rowCount
    let width = model.configuration.hiddenSize
    let normed = scratch.normed.reserve(rows * width)
    let dNormed = scratch.dNormed.reserve(rows * width)

    renorm(saved.middle, layer.middleNorm, saved.middleInverseRMS, rows, into: normed)
    layer.feedForward.backward(
      dStream, x: normed, into: dNormed, rows: rows, model: model, saved: saved.feedForward,
      gradients: gradients, scratch: scratch)
    normBackward(dNormed, saved.middle, layer.middleNorm, saved.middleInverseRMS, rows, dStream)

    renorm(saved.input, layer.inputNorm, saved.inputInverseRMS, rows, into: normed)
    layer.attention.backward(
      dStream, x: normed, into: dNormed, batch: batch, layer: index, model: model,
      positions: positions, saved: saved.attention, gradients: gradients, scratch: scratch)
    normBackward(dNormed, saved.input, layer.inputNorm, saved.inputInverseRMS, rows, dStream)
  }

  /// Computes a norm's output again from its input.
  private func renorm(
    _ x: FloatScratch, _ weight: Vector, _ inverseRMS: FloatScratch, _ rows: Int,
    into normed: UnsafeMutablePointer<Float>
  ) {
    let width = model.configuration.hiddenSize
    model.compute.rmsNorm(
      x.rows(width), rows: rows, columns: width, weight: weight.values.pointer,
      epsilon: model.configuration.normEpsilon, into: Rows(normed, stride: width),
      inverseRMS: inverseRMS.pointer)
  }

  /// Adds the gradient through a norm to the residual path's.
  private func normBackward(
    _ dy: UnsafeMutablePointer<Float>, _ x: FloatScratch, _ weight: Vector,
    _ inverseRMS: FloatScratch,
    _ rows: Int, _ dStream: UnsafeMutablePointer<Float>
  ) {
    let width = model.configuration.hiddenSize
    model.compute.rmsNormBackward(
      Rows(dy, stride: width), x: x.rows(width), rows: rows, columns: width,
      weight: weight.values.pointer, inverseRMS: inverseRMS.pointer,
      into: Rows(dStream, stride: width), accumulating: true,
      dWeight: gradients.pointer(weight.place))
  }

  private func reserveBlocks(_ count: Int) -> KeyValueBlocks {
    if let blocks, blockCapacity >= count { return blocks }
    blocks = nil
    blockCapacity = count
    let fresh = KeyValueBlocks(
      blockCount: count, kvHeads: model.configuration.keyValueHeadCount,
      headSize: model.configuration.headSize)
    blocks = fresh
    return fresh
  }
}
