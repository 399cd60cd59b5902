// W' = W + s B A, an element at a time in double precision, rounded once to how it is stored.
//
// The merged model is an ordinary Hugging Face folder. Its log-probabilities differ from the adapter's by
// rounding: x (W + s B A)ᵀ is another chain of sums than x Wᵀ + s (x Aᵀ) Bᵀ.

import Foundation
import Rollouts
import Tensors

/// Writes a base model with an adapter merged into its weights.
public enum AdapterMerge {
  /// Writes the merged model's folder, whole: config, weights, tokenizer.
  ///
  /// One tensor is held at a time. Time: one multiplication and addition for each weight and rank.
  /// - Parameters:
  ///   - source: An adapter with its base.
  ///   - elementType: How the weights are stored; nil takes the base's own.
  ///   - target: The folder to make; one that is there is replaced.
  /// - Throws: `ModelError` where the source is no adapter or can't be read, `FileError` where writing fails.
  public static func write(
    _ source: ModelSource, elementType: ElementType? = nil, to target: URL
  ) throws {
    guard let adapter = source.adapter else {
      throw ModelError(
        .invalid, path: source.folder.path, "is a whole model: there is nothing to merge",
        remedy: "name a folder with \(AdapterFolder.configuration)")
    }
    let weights = try WeightFiles(folder: source.base)
    try weights.check(against: source.configuration)
    let layout = adapter.adapter.tensorLayout(for: source.configuration)
    let changes = try SafetensorsFile(
      adapter.folder.appendingPathComponent(AdapterFolder.weights))
    try changes.check(against: layout)
    let type = elementType ?? weights.elementType
    try FolderPublisher.publish(to: target, replacing: true) { aside in
      try ModelWriter.write(source.configuration, elementType: type, to: aside)
      try ModelWriter.copyTokenizer(from: source.tokenizerFolder, to: aside)
      let tensors = source.configuration.tensorLayout
      var writer = try SafetensorsWriter(
        aside.appendingPathComponent("model.safetensors"), tensors: tensors, elementType: type)
      for tensor in tensors {
        var values = try read(tensor) { try weights.read(tensor.name, into: $0) }
        let layer = String(tensor.name.dropLast(".weight".count))
        if changes.specification(of: AdapterConfiguration.tensorA(of: layer)) != nil {
          try add(adapter.adapter, of: layer, in: changes, to: &values, shape: tensor.shape)
        }
        try writer.append(values)
      }
      try writer.finish()
    }
  }

  /// W += s B A.
  private static func add(
    _ adapter: AdapterConfiguration, of layer: String, in file: SafetensorsFile,
    to values: inout [Float], shape: [Int]
  ) throws {
    let (outputs, inputs) = (shape[0], shape[1])
    let specificationA = TensorSpecification(
      AdapterConfiguration.tensorA(of: layer), [adapter.rank, inputs])
    let specificationB = TensorSpecification(
      AdapterConfiguration.tensorB(of: layer), [outputs, adapter.rank])
    let a = try read(specificationA) { try file.read(specificationA.name, into: $0) }
    let b = try read(specificationB) { try file.read(specificationB.name, into: $0) }
    let scale = Double(adapter.scale)
    var row = [Double](repeating: 0, count: inputs)
    for output in 0..<outputs {
      for column in 0..<inputs { row[column] = 0 }
      for rank in 0..<adapter.rank {
        let factor = scale * Double(b[output * adapter.rank + rank])
        let start = rank * inputs
        for column in 0..<inputs { row[column] += factor * Double(a[start + column]) }
      }
      let start = output * inputs
      for column in 0..<inputs {
        values[start + column] = Float(Double(values[start + column]) + row[column])
      }
    }
  }

  private static func read(
    _ tensor: TensorSpecification, _ body: (UnsafeMutableBufferPointer<Float>) throws -> Void
  ) throws -> [Float] {
    var values = [Float](repeating: 0, count: tensor.count)
    try values.withUnsafeMutableBufferPointer { try body($0) }
    return values
  }
}
