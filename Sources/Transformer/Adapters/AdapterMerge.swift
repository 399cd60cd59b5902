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
    weights = try WeightFiles(folder: source.base, for: source.configuration)
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
      var values = try weights.values(tensor.name)
      let layer = String(tensor.name.dropLast(".weight".count))
      if changes.specification(of: AdapterConfiguration.tensorA(of: layer)) != nil {
        Compute.merge(
          a: try changes.values(AdapterConfiguration.tensorA(of: layer)),
          b: try changes.values(AdapterConfiguration.tensorB(of: layer)), rank: adapter.rank,
          scale: adapter.scale, isTransposed: tensor.isTransposed, into: &values)
      }
      try writer.append(values)
    }
    try writer.finish()
  }
}
