import Foundation
import Rollouts
import Tensors

extension Parameters {
  /// Reads the weights of a model folder, widened to float32.
  /// - Throws: `ModelError` with every missing, unknown or misshapen tensor.
  public convenience init(
    folder: URL, configuration: ModelConfiguration
  ) throws(ModelError) {
    // The shapes are checked first: a configuration that lies must not make memory be taken.
    let files = try WeightFiles(folder: folder)
    try files.check(against: configuration)
    self.init(zero: configuration)
    try read(files)
  }

  /// Replaces the weights by those of a model folder of the same shape.
  /// - Throws: `ModelError` with every missing, unknown or misshapen tensor.
  public func read(folder: URL) throws(ModelError) {
    let files = try WeightFiles(folder: folder)
    try files.check(against: configuration)
    try read(files)
  }

  private func read(_ files: WeightFiles) throws(ModelError) {
    for tensor in tensors {
      let count = tensor.storage.count
      let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      defer { values.deallocate() }
      try files.read(tensor.name, into: values)
      if let start = values.baseAddress { tensor.storage.pack(from: start) }
    }
  }

  /// Makes weights of a new model: normal with a deviation, norms 1, biases 0.
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
      let count = tensor.storage.count
      let isResidual = ["o_proj.weight", "down_proj.weight"].contains(where: tensor.name.hasSuffix)
      let stream = Philox(seed: seed, purpose: .initialisation, step: index)
      let values: [Float]
      if tensor.shape.count == 2 {
        let scale = isResidual ? residual : base
        values = (0..<count).map { Float(stream.normal(at: $0) * scale) }
      } else {
        values = [Float](repeating: tensor.name.hasSuffix("norm.weight") ? 1 : 0, count: count)
      }
      tensor.storage.pack(from: values)
    }
  }

  /// Writes `model.safetensors`, durably, deterministic to the byte.
  public func write(
    to url: URL, elementType: ElementType = .float32
  ) throws(FileError) {
    var writer = try SafetensorsWriter(
      url, tensors: tensors.map { TensorSpecification($0.name, $0.shape) },
      elementType: elementType)
    for tensor in tensors { try writer.append(tensor.plainValues) }
    try writer.finish()
  }
}

extension ParameterTensor {
  /// The numbers in row-major order.
  public var plainValues: [Float] {
    [Float](unsafeUninitializedCapacity: storage.count) { buffer, count in
      if let start = buffer.baseAddress { storage.unpack(into: start) }
      count = storage.count
    }
  }
}
