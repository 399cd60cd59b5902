import Foundation
import Rollouts
import Tensors

extension Parameters {
  /// Reads the weights of a model folder, widened to float32, all of them to be trained.
  /// - Throws: `ModelError` with every missing, unknown or misshapen tensor.
  public convenience init(
    folder: URL, configuration: ModelConfiguration
  ) throws(ModelError) {
    // The shapes are checked first: a configuration that lies must not make memory be taken.
    let files = try WeightFiles(folder: folder, for: configuration)
    try files.check(against: configuration)
    self.init(zero: configuration)
    try read(files)
  }

  /// Reads the weights of a model folder to stay as they are.
  ///
  /// What is stored as bfloat16 is held as bfloat16, the rest as float32. Adapters, where there are
  /// any, are zero.
  /// - Throws: `ModelError` with every missing, unknown or misshapen tensor.
  public convenience init(
    frozen folder: URL, configuration: ModelConfiguration, adapter: AdapterConfiguration? = nil
  ) throws(ModelError) {
    let files = try WeightFiles(folder: folder, for: configuration)
    try files.check(against: configuration)
    self.init(frozen: configuration, adapter: adapter, element: files.heldElement(of:))
    try read(files)
  }

  /// Replaces the weights of the model without adapters by those of a folder of the same shape.
  /// - Throws: `ModelError` with every missing, unknown or misshapen tensor.
  public func read(folder: URL) throws(ModelError) {
    let files = try WeightFiles(folder: folder, for: configuration)
    try files.check(against: configuration)
    try read(files)
  }

  private func read(_ files: WeightFiles) throws(ModelError) {
    for tensor in tensors {
      try tensor.read { (range) throws(ModelError) in try files.values(tensor.name, range) }
    }
  }

  /// The file that what is trained is written to: a model's weights, or an adapter's.
  public var trainedFile: String { adapter == nil ? "model.safetensors" : AdapterFolder.weights }

  /// Replaces what is trained by what a checkpoint's folder holds.
  /// - Throws: `ModelError` with every missing, unknown or misshapen tensor.
  public func readTrained(folder: URL) throws(ModelError) {
    guard adapter != nil else { return try read(folder: folder) }
    let file = try SafetensorsFile(folder.appendingPathComponent(trainedFile))
    try file.check(against: trained.map(\.specification))
    for tensor in trained {
      try tensor.read { (range) throws(ModelError) in try file.values(tensor.name, range) }
    }
  }

  /// Draws new adapters: A uniform in ±1/√inputs, B zero, so that the model starts as its base.
  ///
  /// PEFT's own distribution (`kaiming_uniform_` with a = √5); a function of the seed and the tensor's
  /// place alone.
  public func initializeAdapters(seed: UInt64) {
    for (index, tensor) in trained.enumerated() {
      let stream = Philox(seed: seed, purpose: .initialisation, step: index, draw: 1)
      let isA = tensor.name.hasSuffix(AdapterConfiguration.suffixA)
      let bound = isA ? 1 / Double(tensor.shape[1]).squareRoot() : 0
      tensor.storage.fill(from: stream.uniforms(tensor.storage.count, bound: bound))
    }
  }

  /// Makes randomly initialised weights: normal with a deviation, norms at what they begin at, biases 0.
  ///
  /// What is added to the residual stream (`o_proj`, `down_proj`) has the deviation divided by √(2L), so that
  /// the stream keeps its size over L layers (Radford et al. 2019, §2.3). A function of the seed and the tensor's
  /// place alone.
  /// - Parameter deviation: nil takes the configuration's `initializer_range`.
  public convenience init(
    initializing configuration: ModelConfiguration, seed: UInt64, deviation: Double? = nil
  ) {
    self.init(zero: configuration)
    let base = deviation ?? configuration.original["initializer_range"]?.double ?? 0.02
    let residual = base / (2 * Double(configuration.layerCount)).squareRoot()
    for (index, tensor) in tensors.enumerated() {
      let stream = Philox(seed: seed, purpose: .initialisation, step: index)
      let count = tensor.storage.count
      switch tensor.role {
      case .embedding, .product, .head, .router:
        tensor.storage.fill(from: stream.normals(count, deviation: base))
      case .stackedProducts(let areResidual):
        tensor.storage.fill(from: stream.normals(count, deviation: areResidual ? residual : base))
      case .residualProduct:
        tensor.storage.fill(from: stream.normals(count, deviation: residual))
      case .scale(let initial):
        tensor.storage.fill(from: [Float](repeating: initial, count: count))
      case .bias, .selectionBias, .sink: break
      }
    }
  }

  /// Writes what is trained as a safetensors file, durably, deterministic to the byte.
  public func write(
    to url: URL, elementType: ElementType = .float32
  ) throws(FileError) {
    var writer = try SafetensorsWriter(
      url, tensors: trained.map(\.specification), elementType: elementType)
    for tensor in trained { try writer.append(tensor.storage) }
    try writer.finish()
  }
}

extension SafetensorsWriter {
  /// Writes the next tensor from where it lies, about 4 MiB at a time.
  /// - Parameter stored: Numbers that lie as the parameter's do; nil for the parameter's own.
  public mutating func append(
    _ storage: ParameterStorage, stored: Tensor? = nil
  ) throws(FileError) {
    for piece in storage.pieces { try append(storage.values(of: piece, in: stored)) }
  }
}

extension WeightFiles {
  /// How a frozen tensor is held: a bfloat16 matrix as it is stored, all else as float32.
  public func heldElement(of name: String) -> ElementType {
    let isMatrix = specification(of: name)?.form != .plain
    return isMatrix && places[name]?.elementType == .bfloat16 ? .bfloat16 : .float32
  }
}

extension ParameterTensor {
  /// Fills the tensor from what `source` gives of a row-major tensor of the same shape.
  ///
  /// A matrix comes in pieces of whole panels, about 4 MiB each: no plain copy of it ever stands.
  func read(
    _ source: (_ elements: Range<Int>) throws(ModelError) -> [Float]
  ) throws(ModelError) {
    for piece in storage.pieces {
      storage.fill(piece, from: try source(storage.elements(of: piece)))
    }
  }
}
