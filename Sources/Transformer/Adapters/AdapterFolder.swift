import Foundation
import Rollouts
import Tensors

/// A LoRA adapter in PEFT's layout: adapter_config.json and adapter_model.safetensors.
///
/// Which layers are adapted, and the rank, are read from the tensors themselves; a pattern in
/// `target_modules` that PEFT would match against layers needs no engine here.
public struct AdapterFolder: Sendable {
  /// The adapter's folder.
  public let folder: URL
  /// Its settings; the targets are whole names of layers.
  public let adapter: AdapterConfiguration
  /// The base model as the adapter names it: a folder, or a name on the hub.
  public let baseModel: String

  /// PEFT's names of the two files.
  public static let configuration = "adapter_config.json"
  /// The file of the tensors.
  public static let weights = "adapter_model.safetensors"

  /// Whether a folder holds an adapter and no whole model.
  public static func exists(in folder: URL) -> Bool {
    func has(_ name: String) -> Bool { WholeFile.exists(folder.appendingPathComponent(name)) }
    return has(configuration) && !has("model.safetensors") && !has("model.safetensors.index.json")
  }

  /// Reads the settings and the header of the tensors.
  /// - Throws: `ModelError` for a kind of adapter that isn't supported, or files that contradict each other.
  public init(_ folder: URL) throws(ModelError) {
    self.folder = folder
    let url = folder.appendingPathComponent(Self.configuration)
    let json = try WholeFile.jsonObject(url)
    let unsupported = Self.unsupported(json)
    guard unsupported.isEmpty else {
      throw ModelError(
        .unsupported, path: url.path, faults: unsupported,
        remedy: "merge the adapter into its base with PEFT (merge_and_unload) and name the result")
    }
    guard WholeFile.exists(folder.appendingPathComponent(Self.weights)) else {
      throw ModelError(
        .missing, path: folder.path, "there is no \(Self.weights)",
        remedy: "save the adapter with safe_serialization=True")
    }
    let tensors = try SafetensorsFile(folder.appendingPathComponent(Self.weights))
    var reader = ConfigurationReader(json, path: url.path)
    let rank = reader.integer("r", in: 1...65_536)
    let alpha = reader.number("lora_alpha", in: AdapterConfiguration.alphas) ?? 8
    let isRankStabilized = reader.boolean("use_rslora", default: false)
    let base = reader.string("base_model_name_or_path") ?? ""
    if base.isEmpty { reader.note("base_model_name_or_path", "is missing") }
    let layers = Self.layers(of: tensors)
    for layer in layers {
      let found = tensors.specification(of: AdapterConfiguration.tensorA(of: layer))?.shape.first
      if let found, found != rank {
        reader.note("r", "is \(rank), and the adapter of \(quoted(layer)) has rank \(found)")
      }
    }
    if layers.isEmpty { reader.note(Self.weights, "has no tensor named …lora_A.weight") }
    guard reader.faults.isEmpty else {
      throw ModelError(.invalid, path: url.path, faults: reader.faults)
    }
    adapter = AdapterConfiguration(
      rank: rank, alpha: alpha, isRankStabilized: isRankStabilized, targets: layers)
    baseModel = base
  }

  /// The adapted layers, in the order of the file's names.
  private static func layers(of file: SafetensorsFile) -> [String] {
    let (prefix, suffix) = (AdapterConfiguration.tensorPrefix, AdapterConfiguration.suffixA)
    return file.names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }
      .map { String($0.dropFirst(prefix.count).dropLast(suffix.count)) }.sorted()
  }

  /// What the settings ask for that isn't done here; each key with a value that asks for nothing is fine.
  ///
  /// `fan_in_fan_out` is read over: as in PEFT, whether a matrix is transposed is the base model's to say.
  private static func unsupported(_ json: JSONObject) -> [ModelError.Fault] {
    var faults: [ModelError.Fault] = []
    let kind = json["peft_type"]?.string
    if kind != "LORA" {
      faults.append(
        ModelError.Fault("peft_type", "is \(quoted(kind ?? "missing")), and LORA is read"))
    }
    if let bias = json["bias"]?.string, bias != "none" {
      faults.append(ModelError.Fault("bias", "is \(quoted(bias)), and trained biases aren't read"))
    }
    let extensions = [
      "use_dora", "lora_bias", "use_qalora", "use_bdlora", "modules_to_save",
      "rank_pattern", "alpha_pattern", "layer_replication", "trainable_token_indices",
      "target_parameters", "alora_invocation_tokens", "kasa_config", "velora_config",
      "monteclora_config", "arrow_config",
    ]
    for key in extensions {
      switch json[key] {
      case nil, .null, .bool(false): continue
      case .array(let elements) where elements.isEmpty: continue
      case .object(let members) where members.isEmpty: continue
      case .some:
        faults.append(ModelError.Fault(key, "is set, and plain LoRA is what is read"))
      }
    }
    if let fault = initializationFault(json["init_lora_weights"]) { faults.append(fault) }
    return faults
  }

  /// The initialisations that leave the base model's weights as they are.
  ///
  /// The others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA …) take a part out of them when PEFT loads the
  /// adapter.
  private static let plainInitializations: Set<String> = ["gaussian", "orthogonal", "eva"]

  private static func initializationFault(_ value: JSONValue?) -> ModelError.Fault? {
    switch value {
    case nil, .null, .bool: return nil
    case .string(let name)? where plainInitializations.contains(name.lowercased()): return nil
    case let value?:
      return ModelError.Fault(
        "init_lora_weights",
        "is \(value.jsonText), which changes the base model's weights too; save the adapter as plain "
          + "LoRA (save_pretrained with path_initial_model_for_weight_conversion), or merge it in "
          + "PEFT (merge_and_unload) and give the merged model")
    }
  }

  /// The folder of the base model: as named, or beside the adapter where the name is relative.
  /// - Throws: `ModelError` naming the adapter and the base that isn't there.
  public func base(environment: [String: String]) throws(ModelError) -> URL {
    let beside = folder.appendingPathComponent(baseModel, isDirectory: true)
    if !baseModel.hasPrefix("/"), !baseModel.hasPrefix("~"),
      !WholeFile.exists(URL(fileURLWithPath: baseModel)), WholeFile.exists(beside)
    {
      return beside
    }
    do throws(ModelError) {
      return try ModelLocator.locate(baseModel, environment: environment)
    } catch {
      throw ModelError(
        error.kind, path: folder.appendingPathComponent(Self.configuration).path,
        subject: "base_model_name_or_path",
        "the adapter's base model is not found: \(error.path): \(error.faults[0].reason)",
        remedy: error.remedy ?? "correct the path in \(Self.configuration)")
    }
  }
}

extension AdapterFolder {
  /// Writes a model's adapters with the settings that PEFT loads them by.
  /// - Parameter baseModel: The name or folder of the base model.
  public static func write(
    _ parameters: Parameters, baseModel: String, elementType: ElementType = .float32, to folder: URL
  ) throws(FileError) {
    guard let adapter = parameters.adapter else {
      preconditionFailure("a model without adapters is written as a model's folder")
    }
    let json = adapter.json(for: parameters.configuration, baseModel: baseModel)
    try AtomicFile.write(
      JSONValue.object(json).prettyJSONText + "\n",
      to: folder.appendingPathComponent(configuration))
    try parameters.write(
      to: folder.appendingPathComponent(weights), elementType: elementType)
  }
}

extension AdapterConfiguration {
  /// adapter_config.json, its keys in PEFT's order; keys left out have PEFT's defaults.
  func json(for model: ModelConfiguration, baseModel: String) -> JSONObject {
    return [
      "alpha_pattern": [:],
      "auto_mapping": .null,
      "base_model_name_or_path": .string(baseModel),
      "bias": "none",
      "fan_in_fan_out": .bool(
        model.linearLayers.contains { $0.isTransposed && adapts($0.name) }),
      "inference_mode": true,
      "init_lora_weights": true,
      "layers_pattern": .null,
      "layers_to_transform": .null,
      "lora_alpha": Int64(exactly: alpha).map(JSONValue.integer) ?? .number(alpha),
      "lora_dropout": 0,
      "modules_to_save": .null,
      "peft_type": "LORA",
      "r": .integer(Int64(rank)),
      "rank_pattern": [:],
      "revision": .null,
      "target_modules": .array(shortestTargets(for: model).map(JSONValue.string)),
      "task_type": "CAUSAL_LM",
      "use_dora": false,
      "use_rslora": .bool(isRankStabilized),
    ]
  }

  /// The adapted layers by the last part of their names, where that names no other layer; else whole.
  func shortestTargets(for model: ModelConfiguration) -> [String] {
    let layers = model.linearLayers.map(\.name)
    let adapted = layers.filter(adapts)
    let kinds = Set(adapted.compactMap { $0.split(separator: ".").last.map(String.init) })
    var short = self
    short.targets = kinds.sorted()
    return layers.filter(short.adapts) == adapted ? short.targets : adapted
  }
}
