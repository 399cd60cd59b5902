import Foundation
import PolicyOptimization
import Rollouts
import Tensors
import Tokenizers
import Transformer

/// Writes and reads checkpoints: Hugging Face model folders, or PEFT's of an adapter, with the optimiser's
/// state beside.
///
/// A folder appears whole (written aside, synced, renamed), its manifest last.
struct CheckpointFiles {
  /// Where tokenizer files come from; nil where the model has none.
  var tokenizerFolder: URL?
  /// The chat template that the run was given in place of the tokenizer's: the folder carries it, since what
  /// was learnt in one template is asked in the same.
  var chatTemplate: ChatTemplate?
  /// What an adapter's files call the model that it belongs to.
  var baseModel = ""
  /// The run's folder, where the model that adapters belong to is the run's own: it is named by the way
  /// to it, so that runs can be moved, and are equal wherever they are.
  var ownBase: RunFolder?
  /// How the weights are stored; float32 wherever training goes on from them.
  var elementType: ElementType = .float32

  static let optimizerFile = "optimizer.safetensors"
  static let referenceFolder = "reference"

  /// Writes a checkpoint: model, optimiser, the reference where it was moved, manifest.
  func write(
    _ model: LanguageModel, optimizer: ParameterOptimizer, reference: Parameters?,
    manifest: (_ files: [String: String]) -> CheckpointManifest, to folder: URL
  ) throws {
    try FolderPublisher.publish(to: folder, replacing: true) { aside in
      try writeModel(model.parameters, elementType: .float32, to: aside)
      CrashPoint.checkpointing.reach()
      try writeState(
        optimizer, of: model.parameters, to: aside.appendingPathComponent(Self.optimizerFile))
      if let reference {
        let inner = aside.appendingPathComponent(Self.referenceFolder)
        try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: false)
        try reference.write(to: inner.appendingPathComponent(reference.trainedFile))
      }
      let data = try manifest(CheckpointManifest.hashes(of: aside)).sealed()
      try data.write(to: aside.appendingPathComponent(CheckpointManifest.name))
      CrashPoint.renaming.reach()
    }
  }

  /// Writes a model folder that other tools load, with what made it beside.
  func writeFinal(_ parameters: Parameters, provenance: JSONObject, to folder: URL) throws {
    try FolderPublisher.publish(to: folder, replacing: true) { aside in
      try writeModel(parameters, elementType: elementType, to: aside)
      try Provenance.write(provenance, to: aside)
    }
  }

  private func writeModel(
    _ parameters: Parameters, elementType: ElementType, to folder: URL
  ) throws {
    if parameters.adapter != nil {
      try AdapterFolder.write(
        parameters, baseModel: baseName(from: folder), elementType: elementType, to: folder)
    } else {
      try ModelWriter.write(parameters.configuration, elementType: elementType, to: folder)
      try parameters.write(
        to: folder.appendingPathComponent(parameters.trainedFile), elementType: elementType)
    }
    if let tokenizerFolder {
      try ModelWriter.copyTokenizer(from: tokenizerFolder, to: folder)
      if let chatTemplate {
        try AtomicFile.write(
          chatTemplate.source, to: folder.appendingPathComponent(ChatTemplate.fileName))
      }
    }
  }

  /// The name of an adapter's base in a folder of the run.
  private func baseName(from folder: URL) -> String {
    guard let run = ownBase else { return baseModel }
    let depth = folder.pathComponents.count - run.url.pathComponents.count
    return String(repeating: "../", count: max(0, depth)) + run.initial.lastPathComponent
  }

  private func writeState(
    _ optimizer: ParameterOptimizer, of parameters: Parameters, to url: URL
  ) throws {
    let state = optimizer.state
    var writer = try SafetensorsWriter(
      url, tensors: state.map { TensorSpecification($0.name, parameters.trained[$0.tensor].shape) })
    for entry in state {
      try writer.append(
        parameters.trained[entry.tensor].storage, stored: entry.values)
    }
    try writer.finish()
  }

  /// Reads weights and optimiser back from a checkpoint that was verified.
  static func read(
    _ folder: URL, into model: LanguageModel, optimizer: ParameterOptimizer,
    manifest: CheckpointManifest
  ) throws {
    try model.parameters.readTrained(folder: folder)
    let file = try SafetensorsFile(folder.appendingPathComponent(optimizerFile))
    for entry in optimizer.state {
      model.parameters.trained[entry.tensor].storage.fill(
        from: try file.values(entry.name), in: entry.values)
    }
    optimizer.resume(after: manifest.updates, lossScale: manifest.lossScale)
  }
}
