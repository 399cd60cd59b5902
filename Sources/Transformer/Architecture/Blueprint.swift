// Everything that follows from a model's design: its tensors, what a layer keeps and what layers share, what is cached
// of a token, which maps are adapted, what a token costs. All of it is what the parts declared.

import Tensors

/// A model's parts, made from its design, and the sum of what they declare; it holds no memory.
struct Blueprint: Sendable {
  /// A layer as it runs.
  struct Layer: Sendable {
    /// Attention, then the feed-forward part.
    let blocks: [ResidualBlock]
    let attention: any AttentionPart
    /// The columns of its saved slots; the first is its input.
    let savedColumns: [Int]
    /// Which of them hold operands.
    let operandSlots: Set<Int>
  }

  let design: ModelDesign
  /// Every tensor, from the embedding up, in a fixed order; a tied head is not listed twice.
  let tensors: [TensorDeclaration]
  /// The adapters' tensors: of each adapted map A [r, inputs], then B [outputs, r].
  let adapterTensors: [TensorSpecification]
  /// Scratch that layers share.
  let scratch: [ScratchDeclaration]
  /// The rotations of all layers.
  let rotations: [Rotation]
  /// The routers of the layers that have experts, from the first up.
  let routers: [ExpertRouting]
  let layers: [Layer]
  let embedding: ParameterID
  /// The embedding of positions, where they are learned.
  let positions: ParameterID?
  let finalNorm: Norm
  let finalNormTensors: [ParameterID]
  /// The head, or the embedding where they are one.
  let head: ParameterID

  init(_ design: ModelDesign, adapter: AdapterConfiguration? = nil) {
    self.design = design
    var declaration = Declaration(adapter: adapter)
    let table = [design.vocabularySize, design.hiddenSize]
    embedding = declaration.tensor(design.embedding + ".weight", table, .embedding)
    positions = design.positionEmbedding.map {
      declaration.tensor(
        $0 + ".weight", [design.maximumPositions, design.hiddenSize], .embedding)
    }
    layers = design.layers.map { Self.layer($0, hiddenSize: design.hiddenSize, &declaration) }
    declaration.prefix = ""
    let first = declaration.tensors.count
    finalNorm = declaration.norm(design.finalNorm)
    finalNormTensors = (first..<declaration.tensors.count).map(ParameterID.model)
    head =
      design.tiesEmbeddings
      ? embedding : declaration.tensor(design.head + ".weight", table, .head)
    tensors = declaration.tensors
    adapterTensors = declaration.adapterTensors
    scratch = declaration.scratch
    rotations = declaration.rotations
    routers = declaration.routers
  }

  private static func layer(
    _ design: LayerDesign, hiddenSize: Int, _ declaration: inout Declaration
  ) -> Layer {
    declaration.beginLayer()
    declaration.prefix = design.prefix
    var made: (any AttentionPart)?
    let attention = ResidualBlock(design.aroundAttention, hiddenSize: hiddenSize, &declaration) {
      let part = design.attention.part(&$0)
      made = part
      return part
    }
    let feedForward = ResidualBlock(
      design.aroundFeedForward, hiddenSize: hiddenSize, &declaration
    ) { design.feedForward.part(&$0) }
    guard let made else { preconditionFailure("a block makes its part") }
    return Layer(
      blocks: [attention, feedForward], attention: made, savedColumns: declaration.savedColumns,
      operandSlots: declaration.operandSlots)
  }

  /// How many experts a token is sent to, all layers together.
  var routeWidth: Int { routers.reduce(0) { $0 + $1.chosenCount } }

  /// The matrices of the layers' products.
  var layerTensors: [TensorSpecification] {
    tensors.filter(\.role.isProduct).map(\.specification)
  }

  /// The matrix of the head.
  var headTensor: TensorSpecification {
    guard case .model(let index) = head else { preconditionFailure("the head is the model's own") }
    return tensors[index].specification
  }

  /// Floating-point operations of a token's forward pass that sees `context` positions, the head aside.
  func flops(context: Int) -> Int {
    layers.reduce(0) { sum, layer in
      layer.blocks.reduce(sum) { $0 + $1.part.flops(context: context) }
    }
  }
}
