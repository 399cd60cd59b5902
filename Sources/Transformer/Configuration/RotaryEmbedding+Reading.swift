import Rollouts

// Two spellings: `rope_theta` and `rope_scaling` beside the other keys (transformers 4), or both in
// `rope_parameters` (transformers 5). Where both are there, `rope_scaling` wins unless it is empty,
// and θ inside the object wins over θ beside it: transformers' order.
extension ConfigurationReader {
  /// The position embedding.
  /// - Parameters:
  ///   - theta: What the family assumes where the file leaves it out.
  ///   - layerType: The kind of layer, where the family has an embedding for each kind under its name.
  ///   - rotatesPart: Whether the family may rotate a part of each head.
  /// - Throws: `ModelError` of kind `.unsupported` that names an embedding that isn't implemented.
  mutating func rotaryEmbedding(
    maximumPositions: Int, theta usual: Double = 10_000, layerType: String? = nil,
    rotatesPart: Bool = false
  ) throws(ModelError) -> RotaryEmbedding {
    let theta = positiveNumber("rope_theta", below: 1e15) ?? usual
    if !rotatesPart { try refusePartialRotation(self, subject: "partial_rotary_factor") }
    if let layerType,
      let own = try rotaryEmbedding(
        ofLayerType: layerType, theta: theta, maximumPositions: maximumPositions)
    {
      return own
    }
    guard let key = ropeKey() else { return RotaryEmbedding(theta: theta) }
    guard let object = object[key]?.object else {
      note(key, "expected an object, found \(Self.shown(self.object[key] ?? .null))")
      return RotaryEmbedding(theta: theta)
    }
    for nested in ["full_attention", "sliding_attention"] where object[nested]?.object != nil {
      throw ModelError(
        .unsupported, path: path, subject: "\(key).\(nested)",
        "a position embedding for each kind of layer is not supported for this family")
    }
    return try rotaryEmbedding(
      object, key: key, theta: theta, maximumPositions: maximumPositions, rotatesPart: rotatesPart)
  }

  /// The embedding of one kind of layers, nil where `rope_parameters` has none for it.
  mutating func rotaryEmbedding(
    ofLayerType layerType: String, theta: Double, maximumPositions: Int
  ) throws(ModelError) -> RotaryEmbedding? {
    guard let own = object["rope_parameters"]?.object?[layerType]?.object else { return nil }
    return try rotaryEmbedding(
      own, key: "rope_parameters.\(layerType)", theta: theta, maximumPositions: maximumPositions,
      rotatesPart: false)
  }

  /// The embedding that an object describes; θ inside it wins over `theta`.
  private mutating func rotaryEmbedding(
    _ object: JSONObject, key: String, theta: Double, maximumPositions: Int, rotatesPart: Bool
  ) throws(ModelError) -> RotaryEmbedding {
    var reader = ConfigurationReader(object, path: path)
    defer { for fault in reader.faults { note("\(key).\(fault.subject ?? "")", fault.reason) } }
    if !rotatesPart {
      try refusePartialRotation(reader, subject: "\(key).partial_rotary_factor")
    }
    let theta = reader.positiveNumber("rope_theta", below: 1e15) ?? theta
    let kind = reader.string("rope_type") ?? reader.string("type") ?? "default"
    switch kind {
    case "default": return RotaryEmbedding(theta: theta)
    case "linear":
      return RotaryEmbedding(theta: theta, scaling: .linear(factor: reader.required("factor")))
    case "llama3":
      return RotaryEmbedding(
        theta: theta, scaling: reader.llama3Scaling(maximumPositions: maximumPositions))
    case "yarn":
      if theta <= 1 { reader.note("rope_theta", "expected more than 1 for yarn, found \(theta)") }
      return RotaryEmbedding(
        theta: theta, scaling: reader.yarnScaling(maximumPositions: maximumPositions))
    default:
      throw ModelError(
        .unsupported, path: path, subject: "\(key).rope_type",
        "\(quoted(kind)) is not supported; supported are default, linear, llama3, yarn")
    }
  }

  /// The key that describes the embedding, nil where there is none or only an empty object.
  func ropeKey() -> String? {
    ["rope_scaling", "rope_parameters"].first { key in
      value(key).map { $0.object?.isEmpty != true } ?? false
    }
  }

  private func refusePartialRotation(
    _ reader: ConfigurationReader, subject: String
  ) throws(ModelError) {
    guard let value = reader.value("partial_rotary_factor"), value.double != 1 else { return }
    throw ModelError(
      .unsupported, path: path, subject: subject,
      "rotating only part of a head (\(Self.shown(value))) is not supported")
  }

  private mutating func required(_ key: String) -> Double {
    if let number = positiveNumber(key, below: 1e6) { return number }
    note(key, "is missing")
    return 1
  }

  private mutating func llama3Scaling(maximumPositions: Int) -> RotaryEmbedding.Scaling {
    let low = required("low_freq_factor")
    let high = required("high_freq_factor")
    if high <= low {
      note("high_freq_factor", "expected more than low_freq_factor (\(low)), found \(high)")
    }
    return .llama3(
      factor: required("factor"), lowFrequencyFactor: low, highFrequencyFactor: high,
      originalMaximumPositions: integer(
        "original_max_position_embeddings", in: 1...Limits.positions,
        default: maximumPositions))
  }

  private mutating func yarnScaling(maximumPositions: Int) -> RotaryEmbedding.Scaling {
    let original = integer(
      "original_max_position_embeddings", in: 1...Limits.positions, default: maximumPositions)
    let factor =
      positiveNumber("factor", below: 1e6) ?? Double(maximumPositions) / Double(original)
    // 0 counts as left out, as in transformers.
    func unlessZero(_ key: String) -> Double? {
      number(key, in: 0...1e6).flatMap { $0 == 0 ? nil : $0 }
    }
    let (weight, weightOfAll) = (unlessZero("mscale"), unlessZero("mscale_all_dim"))
    var usual = RotaryEmbedding.Yarn.attentionFactor(scaledBy: factor)
    if let weight, let weightOfAll {
      usual =
        RotaryEmbedding.Yarn.attentionFactor(scaledBy: factor, weight: weight)
        / RotaryEmbedding.Yarn.attentionFactor(scaledBy: factor, weight: weightOfAll)
    }
    return .yarn(
      RotaryEmbedding.Yarn(
        factor: factor, fastTurns: unlessZero("beta_fast") ?? 32,
        slowTurns: unlessZero("beta_slow") ?? 1, originalMaximumPositions: original,
        attentionFactor: positiveNumber("attention_factor", below: 1e6) ?? usual,
        usesWholePairs: boolean("truncate", default: true)))
  }
}
