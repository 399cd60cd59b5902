import Foundation
import Rollouts
import Transformer

/// Copies a model's folder, its weights stored in another type; one tensor is held at a time.
public struct ModelExport {
  private let source: URL
  private let configuration: ModelConfiguration
  private let files: WeightFiles

  /// Opens a model and checks every tensor's shape; no weight is read.
  /// - Throws: `ModelError`.
  public init(_ source: URL) throws(ModelError) {
    self.source = source
    configuration = try ModelConfiguration(folder: source)
    files = try WeightFiles(folder: source)
    try files.check(against: configuration)
  }

  /// How many weights there are.
  public var parameterCount: Int { configuration.parameterCount }

  /// How most of the weights are stored.
  public var elementType: ElementType { files.elementType }

  /// Writes the copy, whole or not at all.
  ///
  /// A tensor that the model doesn't use is not copied; a head equal to a tied embedding is one.
  /// What is known of the model's origin goes along.
  /// - Throws: `FileError` where the folder is there already or can't be written.
  public func write(to target: URL, elementType: ElementType) throws {
    try FileManager.default.createDirectory(
      at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FolderPublisher.publish(to: target) { aside in
      try ModelWriter.write(configuration, elementType: elementType, to: aside)
      try ModelWriter.copyTokenizer(from: source, to: aside)
      try writeWeights(to: aside.appendingPathComponent("model.safetensors"), elementType)
      var record = provenance
      record["exported_from"] = .string(source.path)
      record["dtype"] = .string(elementType.torchName)
      record["program"] = .string("grpo \(ProgramVersion.current)")
      let hashes = try CheckpointManifest.hashes(of: aside)
      record["files"] = .object(JSONObject(sorting: hashes.mapValues { .string($0) }))
      let text = JSONValue.object(record).prettyJSONText + "\n"
      try AtomicFile.write(text, to: aside.appendingPathComponent(Provenance.name))
    }
  }

  private func writeWeights(to url: URL, _ elementType: ElementType) throws {
    let layout = configuration.tensorLayout
    var writer = try SafetensorsWriter(url, tensors: layout, elementType: elementType)
    for tensor in layout {
      var values = [Float](repeating: 0, count: tensor.count)
      try values.withUnsafeMutableBufferPointer { try files.read(tensor.name, into: $0) }
      try writer.append(values)
    }
    try writer.finish()
  }

  private var provenance: JSONObject {
    let url = source.appendingPathComponent(Provenance.name)
    guard let text = try? String(contentsOf: url, encoding: .utf8),
      let object = try? JSONValue.parse(text).object
    else { return [:] }
    return object
  }
}
