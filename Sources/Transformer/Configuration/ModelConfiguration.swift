import Foundation
import Rollouts
import Tensors

/// What a model is made of: the checked content of a Hugging Face folder's config.json and
/// generation_config.json.
///
/// A value that exists is sound: counts are positive and bounded, heads divide evenly, the parts
/// are ones that are implemented.
public struct ModelConfiguration: Sendable {
  /// The family, by Hugging Face's `model_type`.
  public let modelType: String
  /// The class name that transformers writes under `architectures`.
  public let className: String
  /// The parts that the family chose.
  let design: ModelDesign
  /// The token that begins a text, if any.
  public let beginTokenID: TokenID?
  /// The token that pads a batch, if any; nothing here pads, it is kept for others.
  public let padTokenID: TokenID?
  /// The tokens that end a completion: generation_config.json's, then config.json's.
  public let endTokenIDs: [TokenID]
  /// The whole of config.json, keys unknown here included, as it is written again.
  public let original: JSONObject
  /// The whole of generation_config.json, where there is one.
  public let generation: JSONObject?

  /// C, the size of a token's state.
  public var hiddenSize: Int { design.hiddenSize }
  /// The number of layers.
  public var layerCount: Int { design.layers.count }
  /// The number of rows of the embedding.
  public var vocabularySize: Int { design.vocabularySize }
  /// Whether logits are softly capped.
  public var capsLogits: Bool { design.logitCap != nil }
  /// The longest sequence, in tokens.
  public var maximumPositions: Int { design.maximumPositions }
  /// Whether the head is the embedding's own matrix.
  public var tiesEmbeddings: Bool { design.tiesEmbeddings }

  init(
    family: any ModelFamily.Type, design: ModelDesign, beginTokenID: TokenID?,
    padTokenID: TokenID?, endTokenIDs: [TokenID], original: JSONObject, generation: JSONObject?
  ) {
    modelType = family.modelType
    className = family.className
    self.design = design
    self.beginTokenID = beginTokenID
    self.padTokenID = padTokenID
    self.endTokenIDs = endTokenIDs
    self.original = original
    self.generation = generation
  }
}

extension ModelConfiguration: Equatable {
  /// Whether both were read from the same files.
  public static func == (a: ModelConfiguration, b: ModelConfiguration) -> Bool {
    a.modelType == b.modelType && a.original == b.original && a.generation == b.generation
  }
}

// What follows from the parts.
extension ModelConfiguration {
  /// The parts as they run, with adapters on some of their maps.
  func blueprint(adapter: AdapterConfiguration? = nil) -> Blueprint {
    Blueprint(design, adapter: adapter)
  }

  /// Every tensor with what it is for, from the embedding up, in a fixed order; a tied head is the embedding and is
  /// not listed.
  public var tensorDeclarations: [TensorDeclaration] { blueprint().tensors }

  /// The name and shape of every tensor.
  public var tensorLayout: [TensorSpecification] { tensorDeclarations.map(\.specification) }

  /// The number of trained values, shared ones once.
  public var parameterCount: Int { tensorLayout.map(\.count).saturatingSum }

  /// The linear maps that can be adapted, by name without `.weight`, with their weights' shapes.
  public var linearLayers: [TensorSpecification] {
    tensorDeclarations.filter(\.role.isAdaptable).map {
      TensorSpecification(
        String($0.specification.name.dropLast(".weight".count)), $0.specification.shape,
        isTransposed: $0.specification.isTransposed)
    }
  }

  /// Floating-point operations of a token's forward pass that sees `context` positions.
  /// - Parameter meetsVocabulary: Whether its logits are computed.
  public func flops(context: Int, meetsVocabulary: Bool = true) -> Int {
    blueprint().flops(context: context) + (meetsVocabulary ? 2 * hiddenSize * vocabularySize : 0)
  }

  /// What is cached of a token while completions are generated, in bytes, all layers together.
  public func cacheBytesPerToken(_ element: ElementType = .float32) -> Int {
    cacheBytesPerBlock(element) / KeyValueBlocks.positions
  }
}
