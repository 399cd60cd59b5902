import Foundation
import Rollouts
import Tensors

/// A decoder-only transformer: embedding, layers of attention and feed-forward, final norm, head.
///
///     x₀ = E[token]
///     x  = x + Attention(norm(x)),  x = x + FeedForward(norm(x))     for each layer
///     logits = norm(x_L) W_headᵀ
///
/// One forward serves sampling, scoring and training: the same kernels, so the same bits for the same
/// tokens, whatever rows stand beside them.
public final class LanguageModel {
  /// The shape of the model.
  public let configuration: ModelConfiguration
  /// The weights.
  public let parameters: Parameters
  /// Where the arithmetic is done.
  public let compute: Compute
  /// Whether adapters take part; without them the model is its frozen base.
  public let appliesAdapter: Bool
  let attentionScale: Float
  private let rotary: RotaryTables
  private let shared = SharedScratch()

  /// Makes a model of parameters, with their adapters on or off.
  public init(_ parameters: Parameters, compute: Compute, appliesAdapter: Bool = true) {
    self.parameters = parameters
    self.appliesAdapter = appliesAdapter
    self.compute = compute
    configuration = parameters.configuration
    attentionScale = 1 / Float(configuration.headSize).squareRoot()
    rotary = RotaryTables(configuration)
  }

  /// Scratch that a forward pass needs whoever runs it.
  private final class SharedScratch {
    let normed = FloatScratch()
    let hidden = FloatScratch()
  }

  /// Makes room for positions below `count`; called before rows with such positions are run.
  func prepare(positions count: Int) { rotary.reserve(count) }

  /// Rotates each head by its row's position, in place; `inverse` is the backward pass.
  func rotate(
    _ x: UnsafeMutablePointer<Float>, rows: Int, heads: Int, positions: UnsafePointer<Int32>,
    inverse: Bool = false
  ) {
    let size = configuration.headSize
    compute.rotate(
      Rows(x, stride: heads * size), rows: rows, heads: heads, headSize: size, positions: positions,
      cosines: rotary.cosines, sines: rotary.sines, inverse: inverse)
  }

  /// Runs rows of tokens through all layers.
  /// - Parameters:
  ///   - plan: Which rows attend to which blocks.
  ///   - blocks: The keys and values of each layer; one entry where all layers share scratch.
  ///   - kept: The activations of each layer; one entry where nothing is kept.
  ///   - stream: The residual stream after the last layer, [R, C].
  func runLayers(
    tokens: [TokenID], positions: [Int32], plan: AttentionPlan, blocks: [KeyValueBlocks],
    keeping kept: [LayerActivations], into stream: FloatScratch
  ) {
    let rows = tokens.count
    let width = configuration.hiddenSize
    let shares = kept.count == 1
    prepare(positions: Int(positions.max() ?? 0) + 1)
    compute.gatherEmbedding(
      tokens, from: parameters.embedding,
      into: Rows(kept[0].input.reserve(rows * width), stride: width))
    for (index, layer) in parameters.layers.enumerated() {
      let saved = kept[shares ? 0 : index]
      let isLast = index == parameters.layers.count - 1
      let next = isLast ? stream : kept[shares ? 0 : index + 1].input
      positions.withUnsafeBufferPointer { positions in
        guard let positions = positions.baseAddress else { return }
        run(
          layer, index: index, rows: rows, positions: positions, plan: plan,
          blocks: blocks[blocks.count == 1 ? 0 : index], saved: saved,
          into: next.reserve(rows * width))
      }
    }
  }

  private func run(
    _ layer: LayerParameters, index: Int, rows: Int, positions: UnsafePointer<Int32>,
    plan: AttentionPlan, blocks: KeyValueBlocks, saved: LayerActivations,
    into result: UnsafeMutablePointer<Float>
  ) {
    let normed = attend(
      layer, index: index, rows: rows, positions: positions, plan: plan, blocks: blocks,
      saved: saved)
    layer.feedForward.forward(
      normed, residual: saved.middle.pointer, into: result, rows: rows, model: self,
      hidden: shared.hidden, saving: saved.feedForward)
  }

  /// Computes again what a layer keeps, from the input that it kept: the same operations on the same
  /// numbers as in `runLayers`, so the same bits.
  ///
  /// What only the next layer needs is left out.
  func recompute(
    layer index: Int, of batch: PackedBatch, positions: UnsafePointer<Int32>,
    blocks: KeyValueBlocks, saved: LayerActivations
  ) {
    let layer = parameters.layers[index]
    let normed = attend(
      layer, index: index, rows: batch.rowCount, positions: positions, plan: batch.plan,
      blocks: blocks, saved: saved)
    layer.feedForward.recompute(
      normed, rows: batch.rowCount, model: self, hidden: shared.hidden, saving: saved.feedForward)
  }

  /// The first half of a layer.
  /// - Returns: The second half's normed input, [R, C].
  private func attend(
    _ layer: LayerParameters, index: Int, rows: Int, positions: UnsafePointer<Int32>,
    plan: AttentionPlan, blocks: KeyValueBlocks, saved: LayerActivations
  ) -> UnsafeMutablePointer<Float> {
    let width = configuration.hiddenSize
    let normed = shared.normed.reserve(rows * width)
    norm(saved.input.pointer, layer.inputNorm, rows, normed, saved.inputInverseRMS)
    let middle = saved.middle.reserve(rows * width)
    layer.attention.forward(
      normed, residual: saved.input.pointer, into: middle, rows: rows, layer: index, model: self,
      plan: plan, positions: positions, blocks: blocks, saving: saved.attention)
    norm(middle, layer.middleNorm, rows, normed, saved.middleInverseRMS)
    return normed
  }

  private func norm(
    _ x: UnsafeMutablePointer<Float>, _ weight: Vector, _ rows: Int,
    _ normed: UnsafeMutablePointer<Float>, _ inverseRMS: FloatScratch
  ) {
    let width = configuration.hiddenSize
    compute.rmsNorm(
      Rows(x, stride: width), rows: rows, columns: width, weight: weight.values.pointer,
      epsilon: configuration.normEpsilon, into: Rows(normed, stride: width),
      inverseRMS: inverseRMS.reserve(rows))
  }
}

/// Cosines and sines of each position's angles, [positions, D/2], in float32 from double angles.
private final class RotaryTables {
  private let frequencies: [Double]
  private var count = 0
  private let cosineScratch = FloatScratch()
  private let sineScratch = FloatScratch()

  init(_ configuration: ModelConfiguration) {
    frequencies = configuration.rope.inverseFrequencies(headSize: configuration.headSize)
  }

  var cosines: UnsafePointer<Float> { UnsafePointer(cosineScratch.pointer) }
  var sines: UnsafePointer<Float> { UnsafePointer(sineScratch.pointer) }

  func reserve(_ positions: Int) {
    guard positions > count else { return }
    count = max(positions, 2 * count, 256)
    let half = frequencies.count
    let cosines = cosineScratch.reserve(count * half)
    let sines = sineScratch.reserve(count * half)
    for position in 0..<count {
      for (index, frequency) in frequencies.enumerated() {
        let angle = Double(position) * frequency
        cosines[position * half + index] = Float(cos(angle))
        sines[position * half + index] = Float(sin(angle))
      }
    }
  }
}
