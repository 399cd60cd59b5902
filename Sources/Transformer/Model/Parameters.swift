import Rollouts
import Tensors

/// One tensor of the model under its Hugging Face name.
public struct ParameterTensor {
  /// `model.layers.0.self_attn.q_proj.weight` and so on.
  public let name: String
  /// Rows and columns as files have them, or a length.
  public let shape: [Int]
  /// What it is for.
  public let role: TensorRole
  /// Its numbers.
  public let storage: ParameterStorage

  /// Its name and shape.
  public let specification: TensorSpecification

  /// The numbers in row-major order.
  public var values: [Float] { storage.values }

  /// Makes a tensor of zeros; only a matrix may be held in another element type than float32.
  init(zero declaration: TensorDeclaration, element: ElementType = .float32) {
    specification = declaration.specification
    name = specification.name
    shape = specification.shape
    role = declaration.role
    storage = ParameterStorage(zero: shape, form: specification.form, element: element)
  }
}

/// The tensors of a model, in the order in which its parts declare them, and those of its adapters.
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
  /// Where gradients and moments of what is trained lie.
  public let arenaLayout: ArenaLayout

  let blueprint: Blueprint

  /// Makes parameters that are all zero and all trained.
  public convenience init(zero configuration: ModelConfiguration) {
    let blueprint = configuration.blueprint()
    let tensors = blueprint.tensors.map { ParameterTensor(zero: $0) }
    self.init(
      configuration, blueprint, tensors: tensors, trained: tensors, adapter: nil, isFrozen: false)
  }

  /// Makes a frozen model that is all zero, with adapters of zeros where they are asked for.
  /// - Parameter element: How the matrix of a name is held.
  public convenience init(
    frozen configuration: ModelConfiguration, adapter: AdapterConfiguration?,
    element: (_ name: String) -> ElementType
  ) {
    let blueprint = configuration.blueprint(adapter: adapter)
    self.init(
      configuration, blueprint,
      tensors: blueprint.tensors.map {
        ParameterTensor(zero: $0, element: element($0.specification.name))
      },
      trained: Self.adapters(of: blueprint), adapter: adapter, isFrozen: true)
  }

  /// Makes a copy of what another model has trained; a frozen base is shared with it, not held twice.
  public convenience init(copying other: Parameters, compute: Compute) {
    let trained =
      other.isFrozen
      ? Self.adapters(of: other.blueprint)
      : other.blueprint.tensors.map { ParameterTensor(zero: $0) }
    self.init(
      other.configuration, other.blueprint, tensors: other.isFrozen ? other.tensors : trained,
      trained: trained, adapter: other.adapter, isFrozen: other.isFrozen)
    move(towards: other, share: 1, compute)
  }

  private init(
    _ configuration: ModelConfiguration, _ blueprint: Blueprint, tensors: [ParameterTensor],
    trained: [ParameterTensor], adapter: AdapterConfiguration?, isFrozen: Bool
  ) {
    self.isFrozen = isFrozen
    self.configuration = configuration
    self.blueprint = blueprint
    self.tensors = tensors
    self.trained = trained
    self.adapter = adapter
    arenaLayout = ArenaLayout(trained.map(\.specification))
  }

  private static func adapters(of blueprint: Blueprint) -> [ParameterTensor] {
    blueprint.adapterTensors.map {
      ParameterTensor(zero: TensorDeclaration(specification: $0, role: .product))
    }
  }

  /// How many numbers are trained.
  public var trainedCount: Int { trained.reduce(0) { $0 + $1.storage.count } }

  /// Moves what is trained towards that of another model of the same shape: w ← (1 − share)·w + share·w'.
  ///
  /// A share of 1 copies it, bit for bit.
  public func move(towards other: Parameters, share: Double, _ compute: Compute) {
    precondition(
      other.trained.map(\.specification) == trained.map(\.specification),
      "models of different shape")
    for (mine, theirs) in zip(trained, other.trained) {
      if share < 1 {
        compute.move(mine.storage.stored, towards: theirs.storage.stored, share: share)
      } else {
        mine.storage.stored.fill(from: theirs.storage.stored)
      }
    }
  }

  // MARK: For the parts

  /// The place of a declared tensor among what is trained; nil where it is frozen.
  func place(_ id: ParameterID) -> Int? {
    switch id {
    case .model(let index): isFrozen ? nil : index
    case .adapter(let index): index
    }
  }

  /// The matrix that a part declared.
  func matrix(_ id: ParameterID) -> PackedMatrix {
    guard let matrix = storage(id).matrix else {
      preconditionFailure("\(id) was declared as a vector")
    }
    return matrix
  }

  /// The matrices of all experts that a part declared as one tensor.
  func stack(_ id: ParameterID) -> MatrixStack {
    guard case .stack(let stack) = storage(id) else {
      preconditionFailure("\(id) was not declared as a stack")
    }
    return stack
  }

  /// The vector that a part declared.
  func vector(_ id: ParameterID) -> Tensor {
    guard case .vector(let vector) = storage(id) else {
      preconditionFailure("\(id) was declared as a matrix")
    }
    return vector
  }

  private func storage(_ id: ParameterID) -> ParameterStorage {
    switch id {
    case .model(let index): tensors[index].storage
    case .adapter(let index): trained[index].storage
    }
  }
}
