import Rollouts
import Tensors

/// A tensor's name and shape.
public struct TensorSpecification: Sendable, Hashable {
  /// Hugging Face's name: "model.layers.0.self_attn.q_proj.weight".
  public var name: String
  /// The sizes, the slowest first; a matrix is [outputs, inputs], or [inputs, outputs] where it is transposed.
  public var shape: [Int]
  /// Whether files keep the transpose of what products multiply by (GPT-2's `Conv1D`).
  public var isTransposed = false
  /// Whether it lies in memory as in files, whatever its sizes: a row of biases for each expert.
  public var isPlain = false

  /// Makes a specification.
  public init(_ name: String, _ shape: [Int], isTransposed: Bool = false) {
    self.name = name
    self.shape = shape
    self.isTransposed = isTransposed
  }

  /// The number of elements.
  public var count: Int { shape.saturatingProduct }

  /// How its numbers lie in memory.
  public var form: StorageForm {
    switch shape.count {
    case 2 where !isPlain: isTransposed ? .transposed : .matrix
    case 3: .transposedStack
    default: .plain
    }
  }

  /// The number of floats that its values, gradient or moments take in memory.
  public var storedCount: Int { form.storedCount(shape) }
}

/// What a tensor is for.
///
/// How it begins, whether weight decay shrinks it and whether LoRA may adapt it follow from this and are written
/// nowhere else.
public enum TensorRole: Sendable, Hashable {
  /// A row for each token.
  case embedding
  /// A linear map.
  case product
  /// A linear map whose result is added to the residual stream.
  case residualProduct
  /// The map to the vocabulary.
  case head
  /// A norm's factors, which begin at a value.
  case scale(initially: Float)
  /// The linear maps of all experts of a layer in one tensor, transposed.
  case stackedProducts(areResidual: Bool)
  /// What is added to a product; a row for each expert where they are stacked.
  case bias
  /// A matrix whose outputs are gates or choices, which LoRA leaves alone.
  case router
  /// What takes a share of attention and gives nothing, a number for each head.
  case sink
  /// What is added to experts' scores where they are chosen: no gradient reaches it.
  case selectionBias

  /// Whether weight decay shrinks it: matrices, as the field does it, and no norms and biases.
  public var decays: Bool {
    switch self {
    case .embedding, .product, .residualProduct, .head, .router, .stackedProducts: true
    case .scale, .bias, .selectionBias, .sink: false
    }
  }

  /// Whether layers multiply by it in the run's precision.
  var isProduct: Bool {
    switch self {
    case .product, .residualProduct, .stackedProducts: true
    default: false
    }
  }

  /// Whether LoRA may adapt it.
  public var isAdaptable: Bool { self == .product || self == .residualProduct }
}

/// A tensor that a part declares.
public struct TensorDeclaration: Sendable, Hashable {
  /// Its name and shape.
  public var specification: TensorSpecification
  /// What it is for.
  public var role: TensorRole
}

/// A declared tensor by its place: among the model's own, or among the adapters'.
enum ParameterID: Sendable, Hashable {
  case model(Int)
  case adapter(Int)
}
