// W' = W + s B A, an element at a time in double precision, rounded once to how it is stored.
//
// The merged model is an ordinary Hugging Face folder. Its log-probabilities differ from the adapter's by
// rounding: x (W + s B A)ᵀ is another chain of sums than x Wᵀ + s (x Aᵀ) Bᵀ.

import Foundation
import Rollouts
import Tensors

/// A base model's weights with an adapter merged into them.
public struct AdapterMerge {
  private let adapter: AdapterConfiguration
  private let layout: [TensorSpecification]
  private let weights: WeightFiles
  private let changes: SafetensorsFile

  /// Opens both and checks every tensor's shape; no weight is read.
  /// - Throws: `ModelError` where the source is no adapter, or its files don't fit its base.
  public init(_ source: ModelSource) throws(ModelError) {
    guard let found = source.adapter else {
      throw ModelError(
        .invalid, path: source.folder.path, "is a whole model: there is nothing to merge",
        remedy: "name a folder with \(AdapterFolder.configuration)")
    }
    adapter = found.adapter
    layout = source.configuration.tensorLayout
    weights = try WeightFiles(folder: source.base)
    try weights.check(against: source.configuration)
    changes = try SafetensorsFile(found.folder.appendingPathComponent(AdapterFolder.weights))
    try changes.check(against: adapter.tensorLayout(for: source.configuration))
  }

  /// Writes the merged weights as one safetensors file.
  ///
  /// One tensor is held at a time. Time: a multiplication and an addition for each weight and rank.
  /// - Throws: `ModelError` where reading fails, `FileError` where writing does.
  public func write(to url: URL, elementType: ElementType) throws {
    var writer = try SafetensorsWriter(url, tensors: layout, elementType: elementType)
    for tensor in layout {
      var values = try read(tensor) { try weights.read(tensor.name, into: $0) }
      let layer = String(tensor.name.dropLast(".weight".count))
      if changes.specification(of: AdapterConfiguration.tensorA(of: layer)) != nil {
        try add(to: &values, of: layer, shape: tensor.shape)
      }
      try writer.append(values)
    }
    try writer.finish()
  }

  /// W += s B A.
  private func add(to values: inout [Float], of layer: String, shape: [Int]) throws {
    let (outputs, inputs) = (shape[0], shape[1])
    let specificationA = TensorSpecification(
      AdapterConfiguration.tensorA(of: layer), [adapter.rank, inputs])
    let specificationB = TensorSpecification(
      AdapterConfiguration.tensorB(of: layer), [outputs, adapter.rank])
    let a = try read(specificationA) { try changes.read(specificationA.name, into: $0) }
    let b = try read(specificationB) { try changes.read(specificationB.name, into: $0) }
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

  private func read(
    _ tensor: TensorSpecification, _ body: (UnsafeMutableBufferPointer<Float>) throws -> Void
  ) throws -> [Float] {
    var values = [Float](repeating: 0, count: tensor.count)
    try values.withUnsafeMutableBufferPointer { try body($0) }
    return values
  }
}
