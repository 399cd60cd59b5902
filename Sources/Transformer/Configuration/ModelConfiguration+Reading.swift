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
    let family = try Self.family(of: json, path: path)
    var reader = ConfigurationReader(json, path: path)
    let design = try family.design(&reader)
    let vocabularySize = design.vocabularySize
    let begin = reader.tokens("bos_token_id", vocabularySize: vocabularySize).first
    // Padding is often set to an id that the embedding lacks (-1, or vocab_size itself).
    let pad = json["pad_token_id"]?.integer.flatMap {
      (0..<vocabularySize).contains($0) ? TokenID($0) : nil
    }
    var ends = reader.tokens("eos_token_id", vocabularySize: vocabularySize)
    var faults = reader.faults
    if let generation {
      var generationReader = ConfigurationReader(generation, path: path)
      ends = generationReader.tokens("eos_token_id", vocabularySize: vocabularySize) + ends
      faults += generationReader.faults.map {
        ModelError.Fault("\($0.subject ?? "") in generation_config.json", $0.reason)
      }
    }
    if !faults.isEmpty { throw ModelError(.invalid, path: path, faults: faults) }
    self.init(
      family: family, design: design, beginTokenID: begin, padTokenID: pad,
      endTokenIDs: ends.reduce(into: []) { if !$0.contains($1) { $0.append($1) } },
      original: json, generation: generation)
  }

  private static func family(
    of json: JSONObject, path: String
  ) throws(ModelError) -> any ModelFamily.Type {
    let className = json["architectures"]?.array?.first?.string
    guard let modelType = json["model_type"]?.string else {
      if let found = ModelFamilies.all.first(where: { $0.className == className }) {
        return found
      }
      throw ModelError(
        .invalid, path: path, subject: "model_type",
        "is missing, so the kind of model is unknown; supported are \(ModelFamilies.supported)")
    }
    guard let family = ModelFamilies.all.first(where: { $0.modelType == modelType }) else {
      throw ModelError(
        .unsupported, path: path, subject: "model_type",
        ModelFamilies.reasonForRefusal(modelType: modelType))
    }
    if let className, className.hasPrefix(family.classPrefix + "For"),
      className != family.className
    {
      throw ModelError(
        .unsupported, path: path, subject: "architectures",
        "\(quoted(className)) is not supported: a language model is \(family.className)")
    }
    if let method = json["quantization_config"]?.object {
      let name = method["quant_method"]?.string ?? "unnamed"
      throw ModelError(
        .unsupported, path: path, subject: "quantization_config",
        "weights quantised by \(quoted(name)) can't be trained",
        remedy: name == "mxfp4"
          ? "let transformers write them in bfloat16: from_pretrained(…, quantization_config="
            + "Mxfp4Config(dequantize=True)).save_pretrained(…)"
          : "use the model's original weights in float32, bfloat16 or float16")
    }
    return family
  }
}
