import Foundation
import Rollouts
import Tensors
import Transformer

/// Copies a model's folder, its weights stored in another type, an adapter merged into them; one tensor
/// is held at a time.
public struct ModelExport {
  private let source: ModelSource
  private let files: WeightFiles
  private let merge: AdapterMerge?

  private var configuration: ModelConfiguration { source.configuration }

  /// Opens a model and checks every tensor's shape; no weight is read.
  /// - Parameter isMerging: Whether an adapter's folder is meant, to be merged into its base.
  /// - Throws: `ModelError`, also for an adapter that is not to be merged and a model that is.
  public init(_ folder: URL, merging isMerging: Bool = false) throws(ModelError) {
    source = try ModelSource(folder)
    if source.adapter != nil, !isMerging {
      throw ModelError(
        .invalid, path: folder.path, "is a LoRA adapter, which is copied as it is",
        remedy: "add --merge for a whole model with the adapter merged into its base")
    }
    merge = isMerging ? try AdapterMerge(source) : nil
    files = try WeightFiles(folder: source.base, for: source.configuration)
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
      try ModelWriter.copyTokenizer(from: source.tokenizerFolder, to: aside)
      try writeWeights(to: aside.appendingPathComponent("model.safetensors"), elementType)
      var record = provenance
      record["exported_from"] = .string(source.folder.path)
      if merge != nil { record["merged_into"] = .string(source.base.path) }
      record["dtype"] = .string(elementType.torchName)
      record["program"] = .string("grpo \(ProgramVersion.current)")
      try Provenance.write(record, to: aside)
    }
  }

  private func writeWeights(to url: URL, _ elementType: ElementType) throws {
    if let merge { return try merge.write(to: url, elementType: elementType) }
    let layout = configuration.tensorLayout
    var writer = try SafetensorsWriter(url, tensors: layout, elementType: elementType)
    for tensor in layout {
      try writer.append(try files.values(tensor.name))
    }
    try writer.finish()
  }

  private var provenance: JSONObject {
    let url = source.folder.appendingPathComponent(Provenance.name)
    guard let text = RegularFile.bytes(at: url).map({ String(decoding: $0, as: UTF8.self) }),
      let object = try? JSONValue.parse(text).object
    else { return [:] }
    return object
  }
}
