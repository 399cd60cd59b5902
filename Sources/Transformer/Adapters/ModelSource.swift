import Foundation

/// What a person named as a model: a folder with weights, or an adapter with the base that it changes.
public struct ModelSource: Sendable {
  /// The folder that was named.
  public let folder: URL
  /// The folder of the weights: the same, or the adapter's base.
  public let base: URL
  /// The shape of the model.
  public let configuration: ModelConfiguration
  /// The adapter, where the folder holds one.
  public let adapter: AdapterFolder?

  /// Looks into a folder; reads no weights.
  /// - Throws: `ModelError` where there is no model, or the adapter's base can't be found or doesn't fit it.
  public init(
    _ folder: URL, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(ModelError) {
    self.folder = folder
    guard AdapterFolder.exists(in: folder) else {
      base = folder
      adapter = nil
      configuration = try ModelConfiguration(folder: folder)
      return
    }
    let adapter = try AdapterFolder(folder)
    base = try adapter.base(environment: environment)
    configuration = try ModelConfiguration(folder: base)
    self.adapter = adapter
  }

  /// The folder of the tokenizer: the one named, or the base's where an adapter came without.
  public var tokenizerFolder: URL {
    let files = ["tokenizer.json", "vocab.json"]
    let isHere = files.contains { WholeFile.exists(folder.appendingPathComponent($0)) }
    return isHere ? folder : base
  }

  /// What an adapter of the base calls it: its name on the hub where it was found by that, else its whole path.
  /// - Parameter name: What the model was named by.
  public func baseName(named name: String?) -> String {
    let whole = base.standardizedFileURL.path
    guard let given = adapter?.baseModel ?? name, !given.hasPrefix("/"), !given.hasPrefix("~"),
      !WholeFile.exists(URL(fileURLWithPath: given)),
      !WholeFile.exists(folder.appendingPathComponent(given))
    else { return whole }
    return given
  }

  /// Reads the model as it stands, not to be trained: weights as they are stored, and the adapter.
  /// - Throws: `ModelError` with every missing, unknown or misshapen tensor.
  public func frozenParameters() throws(ModelError) -> Parameters {
    let parameters = try Parameters(
      frozen: base, configuration: configuration, adapter: adapter?.adapter)
    if let adapter { try parameters.readTrained(folder: adapter.folder) }
    return parameters
  }
}
