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
}

/// All tensors of a model, in the fixed order of its configuration's layout.
///
/// A weight exists once, in the panels that the forward product reads; checkpoints unpack it.
public final class Parameters {
  /// The shape of the model.
  public let configuration: ModelConfiguration
  /// Every tensor, in layout order; a tied head is not listed twice.
  public let tensors: [ParameterTensor]
  let embedding: PackedMatrix
  let head: PackedMatrix
  let finalNorm: FloatBuffer
  let layers: [LayerParameters]

  /// Makes parameters that are all zero.
  public init(zero configuration: ModelConfiguration) {
    self.configuration = configuration
    tensors = configuration.tensorLayout.map { specification in
      let shape = specification.shape
      let storage: ParameterStorage =
        shape.count == 2
        ? .matrix(PackedMatrix(rows: shape[0], columns: shape[1], format: .float32))
        : .vector(FloatBuffer(count: shape.reduce(1, *)))
      return ParameterTensor(name: specification.name, shape: shape, storage: storage)
    }
    let lookup = TensorLookup(tensors)
    embedding = lookup.matrix("model.embed_tokens.weight")
    head = lookup.optionalMatrix("lm_head.weight") ?? embedding
    finalNorm = lookup.vector("model.norm.weight")
    layers = (0..<configuration.layerCount).map { LayerParameters(layer: $0, lookup) }
    embeddingIndex = lookup.index("model.embed_tokens.weight")
    headIndex = lookup.indexByName["lm_head.weight"] ?? embeddingIndex
    finalNormIndex = lookup.index("model.norm.weight")
  }

  /// How many numbers are trained.
  public var count: Int { tensors.reduce(0) { $0 + $1.storage.count } }

  /// Whether the head is the embedding.
  public var tiesEmbeddings: Bool { head === embedding }

  /// The places in `tensors` of those that no layer owns.
  let embeddingIndex: Int
  let headIndex: Int
  let finalNormIndex: Int

  /// Takes over another model's numbers.
  public func copy(from other: Parameters) {
    precondition(other.tensors.count == tensors.count, "models of different shape")
    var scratch = [Float]()
    for (mine, theirs) in zip(tensors, other.tensors) {
      scratch = [Float](unsafeUninitializedCapacity: theirs.storage.count) { buffer, count in
        if let base = buffer.baseAddress { theirs.storage.unpack(into: base) }
        count = theirs.storage.count
      }
      mine.storage.pack(from: scratch)
    }
  }
}

/// Finds the tensors of a layout by name; the layout is ours, so a missing name is our mistake.
struct TensorLookup {
  let indexByName: [String: Int]
  private let tensors: [ParameterTensor]

  init(_ tensors: [ParameterTensor]) {
    self.tensors = tensors
    indexByName = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  func index(_ name: String) -> Int {
    guard let index = indexByName[name] else {
      preconditionFailure("the tensor layout lacks \(name)")
    }
    return index
  }

  func optionalMatrix(_ name: String) -> PackedMatrix? {
    guard let index = indexByName[name], case .matrix(let matrix) = tensors[index].storage else {
      return nil
    }
    return matrix
  }

  func matrix(_ name: String) -> PackedMatrix {
    guard case .matrix(let matrix) = tensors[index(name)].storage else {
      preconditionFailure("\(name) is not a matrix in the layout")
    }
    return matrix
  }

  func optionalVector(_ name: String) -> FloatBuffer? {
    guard let index = indexByName[name], case .vector(let vector) = tensors[index].storage else {
      return nil
    }
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

/// A linear map y = x Wᵀ + b of the layout, with the places of its gradients.
struct Linear {
  let weight: PackedMatrix
  let bias: FloatBuffer?
  let weightIndex: Int
  let biasIndex: Int?

  init(_ name: String, _ lookup: TensorLookup) {
    weight = lookup.matrix(name + ".weight")
    weightIndex = lookup.index(name + ".weight")
    bias = lookup.optionalVector(name + ".bias")
    biasIndex = lookup.indexByName[name + ".bias"]
  }

  var outputs: Int { weight.rows }
  var inputs: Int { weight.columns }
}

/// A vector of the layout, with the place of its gradient.
struct Vector {
  let values: FloatBuffer
  let index: Int

  init(_ name: String, _ lookup: TensorLookup) {
    values = lookup.vector(name)
    index = lookup.index(name)
  }

  init?(optional name: String, _ lookup: TensorLookup) {
    guard lookup.indexByName[name] != nil else { return nil }
    self.init(name, lookup)
  }
}

/// The gradient of every tensor, lying as the tensor does, in layout order; backward passes add to it.
public final class Gradients {
  /// One buffer a tensor.
  public let buffers: [FloatBuffer]

  /// Makes gradients that are all zero.
  public init(of parameters: Parameters) {
    buffers = parameters.tensors.map { FloatBuffer(count: $0.storage.storedCount) }
  }

  /// Sets every gradient to zero.
  public func reset() {
    for buffer in buffers { buffer.pointer.update(repeating: 0, count: buffer.count) }
  }
}
