import Rollouts

// Two spellings: `rope_theta` and `rope_scaling` beside the other keys (transformers 4), or both in
// `rope_parameters` (transformers 5). Where both are there, `rope_scaling` wins unless it is empty,
// and θ inside the object wins over θ beside it: transformers' order.
extension ConfigurationReader {
  /// The position embedding.
  /// - Throws: `ModelError` of kind `.unsupported` that names an embedding that isn't implemented.
  mutating func rotaryEmbedding(
    maximumPositions: Int
  ) throws(ModelError) -> RotaryEmbedding {
    let outerTheta = positiveNumber("rope_theta", below: 1e15)
    try refusePartialRotation(self, subject: "partial_rotary_factor")
    guard let key = ropeKey() else { return RotaryEmbedding(theta: outerTheta ?? 10_000) }
    guard let object = object[key]?.object else {
      note(key, "expected an object, found \(Self.shown(self.object[key] ?? .null))")
      return RotaryEmbedding(theta: 10_000)
    }
    var reader = ConfigurationReader(object, path: path)
    defer { for fault in reader.faults { note("\(key).\(fault.subject ?? "")", fault.reason) } }
    for nested in ["full_attention", "sliding_attention"] where object[nested]?.object != nil {
      throw ModelError(
        .unsupported, path: path, subject: "\(key).\(nested)",
        "a position embedding for each kind of layer is not supported")
    }
    try refusePartialRotation(reader, subject: "\(key).partial_rotary_factor")
    let theta = reader.positiveNumber("rope_theta", below: 1e15) ?? outerTheta ?? 10_000
    let kind = reader.string("rope_type") ?? reader.string("type") ?? "default"
    switch kind {
    case "default": return RotaryEmbedding(theta: theta)
    case "linear":
      return RotaryEmbedding(theta: theta, scaling: .linear(factor: reader.required("factor")))
    case "llama3":
      return RotaryEmbedding(
        theta: theta, scaling: reader.llama3Scaling(maximumPositions: maximumPositions))
    default:
      throw ModelError(
        .unsupported, path: path, subject: "\(key).rope_type",
        "\(quoted(kind)) is not supported; supported are default, linear, llama3")
    }
  }

  /// The key that describes the embedding, nil where there is none or only an empty object.
  private func ropeKey() -> String? {
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
}
