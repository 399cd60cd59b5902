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
    let files = try WeightFiles(folder: folder)
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
    let files = try WeightFiles(folder: folder)
    try files.check(against: configuration)
    self.init(frozen: configuration, adapter: adapter, format: files.heldFormat(of:))
    try read(files)
  }

  /// Replaces the weights of the model without adapters by those of a folder of the same shape.
  /// - Throws: `ModelError` with every missing, unknown or misshapen tensor.
  public func read(folder: URL) throws(ModelError) {
    let files = try WeightFiles(folder: folder)
    try files.check(against: configuration)
    try read(files)
  }

  private func read(_ files: WeightFiles) throws(ModelError) {
    for tensor in tensors {
      try tensor.read { (first, values) throws(ModelError) in
        try files.read(tensor.name, from: first, into: values)
      }
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
      try tensor.read { (first, values) throws(ModelError) in
        try file.read(tensor.name, from: first, into: values)
      }
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
      let values = (0..<tensor.storage.count).map {
        Float((2 * stream.uniform(at: $0) - 1) * bound)
      }
      tensor.storage.pack(from: values)
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
    _ storage: ParameterStorage, stored: UnsafePointer<Float>? = nil
  ) throws(FileError) {
    switch storage {
    case .vector(let vector):
      try append(
        UnsafeBufferPointer(start: stored ?? UnsafePointer(vector.pointer), count: vector.count))
    case .matrix(let matrix):
      let rowsAtOnce = ParameterTensor.rowsAtOnce(columns: matrix.columns)
      let piece = UnsafeMutableBufferPointer<Float>.allocate(
        capacity: min(rowsAtOnce, matrix.rows) * matrix.columns)
      defer { piece.deallocate() }
      guard let start = piece.baseAddress else { return }
      for first in stride(from: 0, to: matrix.rows, by: rowsAtOnce) {
        let rows = first..<min(first + rowsAtOnce, matrix.rows)
        if let stored {
          matrix.layout.unpack(rows: rows, of: stored, into: start)
        } else {
          matrix.unpack(rows: rows, into: start)
        }
        try append(UnsafeBufferPointer(start: start, count: rows.count * matrix.columns))
      }
    }
  }
}

extension WeightFiles {
  /// How a frozen tensor is held: a bfloat16 matrix as it is stored, all else as float32.
  public func heldFormat(of name: String) -> WeightFormat {
    let isMatrix = specification(of: name)?.shape.count == 2
    return isMatrix && file(of: name)?.elementType(of: name) == .bfloat16 ? .bfloat16 : .float32
  }
}

extension ParameterTensor {
  /// Fills the tensor from what `source` copies out of a row-major tensor of the same shape, from an element on.
  ///
  /// A matrix comes in pieces of whole panels, about 4 MiB each: no plain copy of it ever stands.
  func read(
    _ source: (_ first: Int, UnsafeMutableBufferPointer<Float>) throws(ModelError) -> Void
  ) throws(ModelError) {
    let columns = shape.count == 2 ? shape[1] : 1
    let rowsAtOnce =
      shape.count == 2 ? min(shape[0], Self.rowsAtOnce(columns: columns)) : shape[0]
    let piece = UnsafeMutableBufferPointer<Float>.allocate(capacity: rowsAtOnce * columns)
    defer { piece.deallocate() }
    guard let start = piece.baseAddress else { return }
    for first in stride(from: 0, to: shape[0], by: rowsAtOnce) {
      let end = min(first + rowsAtOnce, shape[0])
      let values = UnsafeMutableBufferPointer(rebasing: piece[..<((end - first) * columns)])
      try source(first * columns, values)
      switch storage {
      case .matrix(let matrix): matrix.pack(rows: first..<end, from: start)
      case .vector(let vector): vector.pointer.update(from: start, count: vector.count)
      }
    }
  }

  /// The rows of a matrix that pass at once between its panels and a file: whole panels, about 4 MiB.
  static func rowsAtOnce(columns: Int) -> Int {
    let width = PackedLayout.panelWidth
    return max(1, (1 << 20) / (columns * width)) * width
  }

  /// The numbers in row-major order.
  public var plainValues: [Float] {
    [Float](unsafeUninitializedCapacity: storage.count) { buffer, count in
      if let start = buffer.baseAddress { storage.unpack(into: start) }
      count = storage.count
    }
  }
}
