import Foundation
import Rollouts

extension ModelConfiguration {
  /// Reads config.json, and generation_config.json where there is one, of a model's folder.
  /// - Throws: `ModelError` with everything that is wrong in config.json.
  public init(folder: URL) throws(ModelError) {
    let file = folder.appendingPathComponent("config.json")
    guard WholeFile.exists(file) else { throw ModelFolder.missingConfiguration(folder) }
    let generationFile = folder.appendingPathComponent("generation_config.json")
    let generation =
      WholeFile.exists(generationFile) ? try WholeFile.jsonObject(generationFile) : nil
    try self.init(
      json: WholeFile.jsonObject(file), generation: generation, path: file.path)
  }

  /// Checks the content of a config.json.
  ///
  /// Older and newer spellings are understood (`rope_theta` and `rope_scaling` or
  /// `rope_parameters`, `type` or `rope_type`). Keys left out take transformers' value for the
  /// family; unknown keys are kept in `original`.
  /// - Parameters:
  ///   - json: config.json.
  ///   - generation: generation_config.json; only its token ids count.
  ///   - path: what messages call the file.
  /// - Throws: `ModelError`: `.unsupported` for another family or position embedding, `.invalid`
  ///   with all faults otherwise.
  public init(
    json: JSONObject, generation: JSONObject? = nil, path: String = "config.json"
  ) throws(ModelError) {
    let architecture = try Self.architecture(of: json, path: path)
    let defaults = architecture.defaults
    var reader = ConfigurationReader(json)
    self.architecture = architecture

    hiddenSize = reader.integer("hidden_size", in: 1...Limits.hiddenSize)
    intermediateSize = reader.integer("intermediate_size", in: 1...Limits.intermediateSize)
    layerCount = reader.integer("num_hidden_layers", in: 1...Limits.layerCount)
    headCount = reader.integer("num_attention_heads", in: 1...Limits.headCount)
    vocabularySize = reader.integer("vocab_size", in: 1...Limits.vocabularySize)
    maximumPositions = reader.integer(
      "max_position_embeddings", in: 1...Limits.positions, default: defaults.maximumPositions)
    keyValueHeadCount = reader.keyValueHeadCount(headCount: headCount, defaults: defaults)
    headSize = reader.headSize(hiddenSize: hiddenSize, headCount: headCount, defaults: defaults)
    normEpsilon = Float(reader.positiveNumber("rms_norm_eps", below: 1) ?? 1e-6)
    rope = try reader.rotaryEmbedding(maximumPositions: maximumPositions, path: path)

    tiesEmbeddings = reader.boolean("tie_word_embeddings", default: false)
    let hasAttentionBias = reader.boolean("attention_bias", default: false)
    let hasMLPBias = reader.boolean("mlp_bias", default: false)
    // Qwen 2's biases and Mistral's lack of them are fixed in its code, whatever the key says.
    attentionBias =
      architecture == .qwen2 || (architecture != .mistral && hasAttentionBias)
    attentionOutputBias = [.llama, .qwen3].contains(architecture) && hasAttentionBias
    mlpBias = architecture == .llama && hasMLPBias
    normalizesQueriesAndKeys = architecture == .qwen3
    let window = reader.slidingWindow(architecture: architecture, layerCount: layerCount)
    slidingWindow = window.size
    slidingLayers = window.layers

    beginTokenID = reader.tokens("bos_token_id", vocabularySize: vocabularySize).first
    // Padding is often set to an id that the embedding lacks (-1, or vocab_size itself).
    padTokenID = json["pad_token_id"]?.integer.flatMap { [vocabularySize] in
      (0..<vocabularySize).contains($0) ? TokenID($0) : nil
    }
    var ends = reader.tokens("eos_token_id", vocabularySize: vocabularySize)
    reader.checkActivation()
    var faults = reader.faults
    if let generation {
      var generationReader = ConfigurationReader(generation)
      ends = generationReader.tokens("eos_token_id", vocabularySize: vocabularySize) + ends
      faults += generationReader.faults.map {
        ModelError.Fault("\($0.subject ?? "") in generation_config.json", $0.reason)
      }
    }
    endTokenIDs = ends.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    original = json
    self.generation = generation
    if !faults.isEmpty { throw ModelError(.invalid, path: path, faults: faults) }
  }

  /// The greatest sizes that are believed; each is beyond any published model.
  enum Limits {
    static let hiddenSize = 1 << 17
    static let intermediateSize = 1 << 20
    static let layerCount = 4096
    static let headCount = 4096
    static let headSize = 4096
    static let vocabularySize = 1 << 24
    static let positions = 1 << 30
  }

  private static func architecture(
    of json: JSONObject, path: String
  ) throws(ModelError) -> Architecture {
    let className = json["architectures"]?.array?.first?.string
    guard let modelType = json["model_type"]?.string else {
      if let found = Architecture.allCases.first(where: { $0.className == className }) {
        return found
      }
      throw ModelError(
        .invalid, path: path, subject: "model_type",
        "is missing, so the kind of model is unknown; supported are \(Architecture.supported)")
    }
    guard let architecture = Architecture(rawValue: modelType) else {
      throw ModelError(
        .unsupported, path: path, subject: "model_type",
        Architecture.reasonForRefusal(modelType: modelType))
    }
    if let className, className.hasPrefix(architecture.classPrefix + "For"),
      className != architecture.className
    {
      throw ModelError(
        .unsupported, path: path, subject: "architectures",
        "\(quoted(className)) is not supported: a language model is \(architecture.className)")
    }
    if let method = json["quantization_config"]?.object {
      let name = method["quant_method"]?.string ?? "unnamed"
      throw ModelError(
        .unsupported, path: path, subject: "quantization_config",
        "weights quantised by \(quoted(name)) can't be trained",
        remedy: "use the model's original weights in float32, bfloat16 or float16")
    }
    return architecture
  }
}

extension Architecture {
  fileprivate var classPrefix: String { String(className.dropLast("ForCausalLM".count)) }
}

// The values of config.json that hang together.
extension ConfigurationReader {
  fileprivate mutating func keyValueHeadCount(
    headCount: Int, defaults: Architecture.Defaults
  ) -> Int {
    let key = "num_key_value_heads"
    // Only a key left out takes the family's number; null means one for each query head.
    let fallback = object[key] == nil ? defaults.keyValueHeadCount ?? headCount : headCount
    let count = integer(key, in: 1...ModelConfiguration.Limits.headCount, default: fallback)
    if !isFaulty("num_attention_heads"), headCount % count != 0 {
      note(key, "\(count) does not divide num_attention_heads (\(headCount))")
    }
    return count
  }

  fileprivate mutating func headSize(
    hiddenSize: Int, headCount: Int, defaults: Architecture.Defaults
  ) -> Int {
    let key = "head_dim"
    let range = 2...ModelConfiguration.Limits.headSize
    if let size = optionalInteger(key, in: range)
      ?? (object[key] == nil ? defaults.headSize : nil)
    {
      if size % 2 != 0 { note(key, "\(size) is odd, and a rotary embedding turns pairs") }
      return size
    }
    if isFaulty("hidden_size") || isFaulty("num_attention_heads") { return 2 }
    guard hiddenSize % headCount == 0 else {
      note("num_attention_heads", "\(headCount) does not divide hidden_size (\(hiddenSize))")
      return 2
    }
    let size = hiddenSize / headCount
    if !range.contains(size) || size % 2 != 0 {
      note(
        "num_attention_heads",
        "hidden_size / num_attention_heads is \(size), and a head's size must be even and at most "
          + "\(range.upperBound)")
    }
    return size
  }

  fileprivate mutating func checkActivation() {
    if let name = string("hidden_act"), !["silu", "swish"].contains(name) {
      note("hidden_act", "expected 'silu', found \(quoted(name))")
    }
  }

  /// The window of attention and the layers that have it (nil: all), as transformers decides.
  fileprivate mutating func slidingWindow(
    architecture: Architecture, layerCount: Int
  ) -> (size: Int?, layers: [Bool]?) {
    if architecture == .llama { return (nil, nil) }
    let key = "sliding_window"
    let range = 1...ModelConfiguration.Limits.positions
    let given = optionalInteger(key, in: range)
    let window = given ?? (object[key] == nil ? architecture.defaults.slidingWindow : nil)
    if architecture == .mistral { return (window, nil) }

    let isUsed = boolean("use_sliding_window", default: false)
    let firstLayer = integer("max_window_layers", in: 0...Int(Int32.max), default: 28)
    if let types = value("layer_types") {
      return (
        isUsed ? window : nil, slidingLayers(types, layerCount, hasWindow: isUsed && window != nil)
      )
    }
    guard isUsed, let window else { return (nil, nil) }
    return (window, (0..<layerCount).map { $0 >= firstLayer })
  }

  private mutating func slidingLayers(
    _ types: JSONValue, _ layerCount: Int, hasWindow: Bool
  ) -> [Bool]? {
    let key = "layer_types"
    guard let names = types.array, names.count == layerCount else {
      note(key, "expected a list of \(layerCount), one a layer, found \(Self.shown(types))")
      return nil
    }
    var layers: [Bool] = []
    for (layer, name) in names.enumerated() {
      switch name.string {
      case "full_attention": layers.append(false)
      case "sliding_attention" where hasWindow: layers.append(true)
      case "sliding_attention":
        note(key, "layer \(layer) has a sliding window, but no sliding_window is in use")
        return nil
      default:
        note(
          key,
          "layer \(layer): expected 'full_attention' or 'sliding_attention', found "
            + Self.shown(name))
        return nil
      }
    }
    return layers
  }
}
