import Rollouts
import Tensors

/// Where a parameter's numbers lie: a weight in panels, or a short vector as it is.
public enum ParameterStorage {
  case matrix(PackedMatrix)
  case vector(FloatBuffer)

  /// How many numbers it holds, panel padding not counted.
  public var count: Int {
    switch self {
    case .matrix(let matrix): return matrix.rows * matrix.columns
    case .vector(let vector): return vector.count
    }
  }

  /// How many floats its gradient takes: those of a weight lie in panels as the weight does.
  public var storedCount: Int {
    switch self {
    case .matrix(let matrix): return matrix.layout.count
    case .vector(let vector): return vector.count
    }
  }

  /// Copies numbers that lie as this parameter's do (its gradient, its moments) out in row-major order.
  public func unpack(
    _ stored: UnsafePointer<Float>, into destination: UnsafeMutablePointer<Float>
  ) {
    switch self {
    case .matrix(let matrix): matrix.layout.unpack(stored, into: destination)
    case .vector(let vector): destination.update(from: stored, count: vector.count)
    }
  }

  /// Copies row-major numbers to where they lie as this parameter's do.
  public func pack(_ plain: UnsafePointer<Float>, into stored: UnsafeMutablePointer<Float>) {
    switch self {
    case .matrix(let matrix): matrix.layout.pack(plain, into: stored)
    case .vector(let vector): stored.update(from: plain, count: vector.count)
    }
  }

  /// Copies the numbers out in row-major order.
  public func unpack(into destination: UnsafeMutablePointer<Float>) {
    switch self {
    case .matrix(let matrix): matrix.unpack(into: destination)
    case .vector(let vector): destination.update(from: vector.pointer, count: vector.count)
    }
  }

  /// Replaces the numbers by those of a row-major source.
  public func pack(from source: UnsafePointer<Float>) {
    switch self {
    case .matrix(let matrix): matrix.pack(from: source)
    case .vector(let vector): vector.pointer.update(from: source, count: vector.count)
    }
  }
}

/// One tensor of the model under its Hugging Face name.
public struct ParameterTensor {
  /// `model.layers.0.self_attn.q_proj.weight` and so on.
  public let name: String
  /// Rows and columns, or a length.
  public let shape: [Int]
  /// Its numbers.
  public let storage: ParameterStorage

  /// Its name and shape.
  public var specification: TensorSpecification { TensorSpecification(name, shape) }

  /// Makes a tensor of zeros; only a matrix may be held in another format than float32.
  init(zero specification: TensorSpecification, format: WeightFormat = .float32) {
    name = specification.name
    shape = specification.shape
    storage =
      shape.count == 2
      ? .matrix(PackedMatrix(rows: shape[0], columns: shape[1], format: format))
      : .vector(FloatBuffer(count: specification.count))
  }
}

/// The tensors of a model, in the fixed order of its configuration's layout, and those of its adapters.
///
/// A weight exists once, in the panels that the forward product reads; checkpoints unpack it. Either all
/// tensors are trained, in float32, or they are frozen, and what is trained is the adapters.
public final class Parameters {
  /// The shape of the model.
  public let configuration: ModelConfiguration
  /// Every tensor of the model without adapters, in layout order; a tied head is not listed twice.
  public let tensors: [ParameterTensor]
  /// The adapters' settings, where there are adapters.
  public let adapter: AdapterConfiguration?
  /// Whether the model's own tensors stay as they are.
  public let isFrozen: Bool
  /// What has gradients, moments and a place in checkpoints: every tensor, or the adapters' alone.
  public let trained: [ParameterTensor]
  let embedding: PackedMatrix
  let head: PackedMatrix
  let finalNorm: FloatBuffer
  let layers: [LayerParameters]

  /// The places of gradients of tensors that no layer owns; nil where they are frozen.
  let embeddingPlace: Int?
  let headPlace: Int?
  let finalNormPlace: Int?

  /// Makes parameters that are all zero and all trained.
  public convenience init(zero configuration: ModelConfiguration) {
    let tensors = configuration.tensorLayout.map { ParameterTensor(zero: $0) }
    self.init(configuration, tensors: tensors, trained: tensors, adapter: nil, isFrozen: false)
  }

  /// Makes a frozen model that is all zero, with adapters of zeros where they are asked for.
  /// - Parameter format: How the matrix of a name is held.
  public convenience init(
    frozen configuration: ModelConfiguration, adapter: AdapterConfiguration?,
    format: (_ name: String) -> WeightFormat
  ) {
    self.init(
      configuration,
      tensors: configuration.tensorLayout.map {
        ParameterTensor(zero: $0, format: format($0.name))
      },
      trained: adapter?.tensorLayout(for: configuration).map { ParameterTensor(zero: $0) } ?? [],
      adapter: adapter, isFrozen: true)
  }

  /// Makes a copy of what another model has trained; a frozen base is shared with it, not held twice.
  public convenience init(copying other: Parameters) {
    let trained = other.trained.map { ParameterTensor(zero: $0.specification) }
    self.init(
      other.configuration, tensors: other.isFrozen ? other.tensors : trained, trained: trained,
      adapter: other.adapter, isFrozen: other.isFrozen)
    copy(from: other)
  }

  private init(
    _ configuration: ModelConfiguration, tensors: [ParameterTensor], trained: [ParameterTensor],
    adapter: AdapterConfiguration?, isFrozen: Bool
  ) {
    self.isFrozen = isFrozen
    self.configuration = configuration
    self.tensors = tensors
    self.trained = trained
    self.adapter = adapter
    let lookup = TensorLookup(tensors, trained: trained, adapterScale: adapter?.scale)
    embedding = lookup.matrix("model.embed_tokens.weight")
    head = lookup.optionalMatrix("lm_head.weight") ?? embedding
    finalNorm = lookup.vector("model.norm.weight")
    layers = (0..<configuration.layerCount).map { LayerParameters(layer: $0, lookup) }
    embeddingPlace = lookup.place("model.embed_tokens.weight")
    headPlace = lookup.place("lm_head.weight") ?? embeddingPlace
    finalNormPlace = lookup.place("model.norm.weight")
  }

  /// How many numbers are trained.
  public var trainedCount: Int { trained.reduce(0) { $0 + $1.storage.count } }

  /// Whether the head is the embedding.
  public var tiesEmbeddings: Bool { head === embedding }

  /// Takes over what another model of the same shape has trained.
  public func copy(from other: Parameters) {
    precondition(
      other.trained.map(\.specification) == trained.map(\.specification),
      "models of different shape")
    for (mine, theirs) in zip(trained, other.trained) {
      mine.storage.pack(from: theirs.plainValues)
    }
  }
}

/// Finds the tensors of a layout by name; the layout is ours, so a missing name is our mistake.
struct TensorLookup {
  /// What adapters' output is multiplied by, where there are adapters.
  let adapterScale: Float?
  private let storages: [String: ParameterStorage]
  private let places: [String: Int]

  init(_ tensors: [ParameterTensor], trained: [ParameterTensor], adapterScale: Float?) {
    self.adapterScale = adapterScale
    storages = Dictionary(
      (tensors + trained).map { ($0.name, $0.storage) }, uniquingKeysWith: { first, _ in first })
    places = Dictionary(uniqueKeysWithValues: trained.enumerated().map { ($1.name, $0) })
  }

  /// Where a tensor's gradient lies; nil where it is frozen or there is none of the name.
  func place(_ name: String) -> Int? { places[name] }

  func optionalMatrix(_ name: String) -> PackedMatrix? {
    guard case .matrix(let matrix)? = storages[name] else { return nil }
    return matrix
  }

  func matrix(_ name: String) -> PackedMatrix {
    guard let matrix = optionalMatrix(name) else {
      preconditionFailure("\(name) is not a matrix in the layout")
    }
    return matrix
  }

  func optionalVector(_ name: String) -> FloatBuffer? {
    guard case .vector(let vector)? = storages[name] else { return nil }
    return vector
  }

  func vector(_ name: String) -> FloatBuffer {
    guard let vector = optionalVector(name) else {
      preconditionFailure("\(name) is not a vector in the layout")
    }
    return vector
  }
}

/// The parameters of one layer: two norms, an attention and a feed-forward part.
struct LayerParameters {
  let inputNorm: Vector
  let attention: GroupedQueryAttention
  let middleNorm: Vector
  let feedForward: GatedFeedForward

  init(layer: Int, _ lookup: TensorLookup) {
    let prefix = "model.layers.\(layer)."
    inputNorm = Vector(prefix + "input_layernorm.weight", lookup)
    attention = GroupedQueryAttention(prefix: prefix + "self_attn.", lookup)
    middleNorm = Vector(prefix + "post_attention_layernorm.weight", lookup)
    feedForward = GatedFeedForward(prefix: prefix + "mlp.", lookup)
  }
}

/// A vector of the layout, with the place of its gradient.
struct Vector {
  let values: FloatBuffer
  /// Nil where it is frozen.
  let place: Int?

  init(_ name: String, _ lookup: TensorLookup) {
    values = lookup.vector(name)
    place = lookup.place(name)
  }

  init?(optional name: String, _ lookup: TensorLookup) {
    guard lookup.optionalVector(name) != nil else { return nil }
    self.init(name, lookup)
  }
}

/// The gradient of every trained tensor, lying as the tensor does; backward passes add to it.
public final class Gradients {
  /// One buffer a trained tensor.
  public let buffers: [FloatBuffer]

  /// Makes gradients that are all zero.
  public init(of parameters: Parameters) {
    buffers = parameters.trained.map { FloatBuffer(count: $0.storage.storedCount) }
  }

  /// The gradient at a place; nil for a tensor that has none.
  func pointer(_ place: Int?) -> UnsafeMutablePointer<Float>? { place.map { buffers[$0].pointer } }

  /// Sets every gradient to zero.
  public func reset() {
    for buffer in buffers { buffer.pointer.update(repeating: 0, count: buffer.count) }
  }
}
