import Foundation
import Rollouts
import Tensors

extension WeightFiles {
  /// Checks that the folder has exactly the tensors that the configuration calls for.
  ///
  /// A tied head may be stored too, if it equals the embedding. What the family passes over may be there.
  /// - Throws: `ModelError` with every missing, unknown, wrongly shaped or unreadable tensor.
  public func check(against configuration: ModelConfiguration) throws(ModelError) {
    let layout = configuration.tensorLayout
    try checkTypes(of: layout)
    var faults: [ModelError.Fault] = []
    for wanted in layout {
      if let fault = fault(of: wanted) { faults.append(fault) }
    }
    let known = Set(layout.map(\.name))
    for name in names
    where !known.contains(name) && !configuration.design.passedOver.contains(name) {
      if name == Self.headName, configuration.tiesEmbeddings {
        let embedding = configuration.design.embedding + ".weight"
        if faults.isEmpty, try !headEquals(embedding) {
          faults.append(
            ModelError.Fault(
              "tensor \(quoted(name))",
              "differs from \(embedding), but tie_word_embeddings is true"))
        }
      } else {
        faults.append(
          ModelError.Fault(
            "tensor \(quoted(name))",
            "is unknown: a \(configuration.modelType) model with this config.json has "
              + "none of the name"))
      }
    }
    if !faults.isEmpty {
      throw ModelError(
        .invalid, path: folder.path, faults: faults,
        remedy: "config.json and the weights are not of one model: download both again")
    }
  }

  /// Checks that the tensors that are there can be read; a quantised model is no damaged one.
  private func checkTypes(of layout: [TensorSpecification]) throws(ModelError) {
    let faults = layout.compactMap { wanted -> ModelError.Fault? in
      guard let place = places[wanted.name], place.elementType == nil,
        let typeName = place.file.typeName(of: place.name)
      else { return nil }
      return ModelError.Fault(
        "tensor \(quoted(wanted.name))", ElementType.unreadableReason(typeName))
    }
    if !faults.isEmpty {
      throw ModelError(
        .unsupported, path: folder.path, faults: faults, remedy: ElementType.unreadableRemedy)
    }
  }

  private static let headName = "lm_head.weight"

  private func fault(of wanted: TensorSpecification) -> ModelError.Fault? {
    let subject = "tensor \(quoted(wanted.name))"
    guard let found = specification(of: wanted.name) else {
      let hint =
        wanted.name == Self.headName ? " (tie_word_embeddings: true shares the embedding)" : ""
      return ModelError.Fault(subject, "is missing, expected shape \(wanted.shape)\(hint)")
    }
    if found.shape != wanted.shape {
      return ModelError.Fault(
        subject, "has shape \(found.shape), expected \(wanted.shape)")
    }
    return nil
  }

  /// Whether the stored head has the values of the embedding, compared in pieces.
  private func headEquals(_ embeddingName: String) throws(ModelError) -> Bool {
    guard let shape = specification(of: Self.headName),
      shape.shape == specification(of: embeddingName)?.shape
    else { return false }
    let piece = 1 << 18
    var first = 0
    while first < shape.count {
      let count = min(piece, shape.count - first)
      let here = try values(Self.headName, first..<first + count)
      let there = try values(embeddingName, first..<first + count)
      // By bits: a NaN in both is no difference.
      if zip(here, there).contains(where: { $0.bitPattern != $1.bitPattern }) { return false }
      first += count
    }
    return true
  }
}

extension SafetensorsFile {
  /// Checks that the file has exactly the tensors of a layout.
  /// - Throws: `ModelError` with every missing, unknown, wrongly shaped or unreadable tensor.
  func check(against layout: [TensorSpecification]) throws(ModelError) {
    var faults: [ModelError.Fault] = []
    for wanted in layout {
      let subject = "tensor \(quoted(wanted.name))"
      guard let found = specification(of: wanted.name) else {
        faults.append(ModelError.Fault(subject, "is missing, expected shape \(wanted.shape)"))
        continue
      }
      if found.shape != wanted.shape {
        faults.append(
          ModelError.Fault(subject, "has shape \(found.shape), expected \(wanted.shape)"))
      } else if elementType(of: wanted.name) == nil {
        faults.append(
          ModelError.Fault(
            subject, ElementType.unreadableReason(typeName(of: wanted.name) ?? "?")))
      }
    }
    let known = Set(layout.map(\.name))
    faults += names.filter { !known.contains($0) }.map {
      ModelError.Fault("tensor \(quoted($0))", "is unknown to the model that it is meant for")
    }
    if !faults.isEmpty { throw ModelError(.invalid, path: url.path, faults: faults) }
  }
}
