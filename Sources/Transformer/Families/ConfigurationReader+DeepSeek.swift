import Rollouts
import Tensors

// What DeepSeek's families have in common.
extension ConfigurationReader {
  /// Multi-head latent attention.
  /// - Parameter pairs: Which numbers are rotated together.
  /// - Throws: `ModelError` of kind `.unsupported` that names an embedding that isn't implemented.
  mutating func latentAttention(
    of sizes: DecoderSizes, pairs: RotaryPairs
  ) throws(ModelError) -> LatentAttention.Design {
    let headCount = integer("num_attention_heads", in: 1...Limits.headCount)
    let keyHeads = integer("num_key_value_heads", in: 1...Limits.headCount, default: headCount)
    if keyHeads != headCount, !isFaulty("num_attention_heads") {
      note(
        "num_key_value_heads",
        "expected num_attention_heads (\(headCount)), found \(keyHeads): all heads share one latent"
      )
    }
    let embedding = try rotaryEmbedding(maximumPositions: sizes.maximumPositions)
    let rotatedSize = headPart("qk_rope_head_dim", default: 64)
    if rotatedSize % 2 != 0 {
      note("qk_rope_head_dim", "\(rotatedSize) is odd, and a rotary embedding rotates pairs")
    }
    let plainSize = headPart("qk_nope_head_dim", default: 128)
    var scale = 1 / Double(plainSize + rotatedSize).squareRoot()
    if let factor = scoreFactor(embedding) { scale *= factor * factor }
    return LatentAttention.Design(
      hiddenSize: sizes.hiddenSize, headCount: headCount, queryRank: queryRank(),
      latentSize: integer("kv_lora_rank", in: 1...Limits.hiddenSize, default: 512),
      plainSize: plainSize, rotatedSize: rotatedSize,
      valueSize: headPart("v_head_dim", default: 128),
      hasBias: boolean("attention_bias", default: false),
      rotation: Rotation(embedding: embedding, size: max(rotatedSize / 2 * 2, 2), pairs: pairs),
      scale: Float(scale))
  }

  /// null says that queries have a full map; a key left out takes transformers' rank.
  private mutating func queryRank() -> Int? {
    let key = "q_lora_rank"
    return optionalInteger(key, in: 1...Limits.hiddenSize) ?? (object[key] == nil ? 1536 : nil)
  }

  private mutating func headPart(_ key: String, default usual: Int) -> Int {
    integer(key, in: 1...Limits.headSize, default: usual)
  }

  /// Yarn's temperature by `mscale_all_dim`, by whose square scores are multiplied; nil without it.
  private mutating func scoreFactor(_ embedding: RotaryEmbedding) -> Double? {
    guard case .yarn(let yarn) = embedding.scaling, let key = ropeKey(),
      let weight = object[key]?.object?["mscale_all_dim"]?.double, weight > 0
    else { return nil }
    return RotaryEmbedding.Yarn.attentionFactor(scaledBy: yarn.factor, weight: weight)
  }

  // MARK: Experts

  /// Routed experts beside shared ones, from a layer on.
  /// - Parameters:
  ///   - usual: What the family assumes where the file leaves a key out.
  ///   - scores: How the family scores experts, under transformers' name.
  mutating func deepSeekExperts(
    of sizes: DecoderSizes, usual: DeepSeekExperts,
    scores: (name: String, kind: ExpertRouting.Scores)
  ) throws(ModelError) -> (design: RoutedExperts.Design, firstLayer: Int) {
    requireText("scoring_func", in: [scores.name])
    if let frequency = value("moe_layer_freq"), frequency.integer != 1 {
      throw ModelError(
        .unsupported, path: path, subject: "moe_layer_freq",
        "layers of experts with dense ones between are not supported: "
          + "expected 1, found \(Self.shown(frequency))")
    }
    var design = routedExperts(
      of: sizes, count: ["n_routed_experts", "num_local_experts"], usualCount: usual.count,
      usualChosen: usual.chosen, usualSize: usual.size, normalizes: false)
    design.routing.scores = scores.kind
    design.routing.scale = Float(
      positiveNumber("routed_scaling_factor", below: 1e6) ?? usual.scale)
    let shared = integer("n_shared_experts", in: 0...4096, default: usual.shared)
    if shared > 0 {
      design.shared = GatedFeedForward.Design(
        hiddenSize: sizes.hiddenSize, intermediateSize: shared * design.intermediateSize,
        name: "mlp.shared_experts")
    }
    let first = integer(
      "first_k_dense_replace", in: 0...Limits.layerCount, default: usual.firstLayer)
    return (design, first)
  }

  /// Groups of experts of which some take part, nil for one group.
  /// - Parameters:
  ///   - usual: How many there are, and how many take part, where the file leaves it out.
  ///   - addsTopTwo: Whether a group is worth its two best experts together.
  mutating func expertGroups(
    of design: RoutedExperts.Design, usual: (count: Int, chosen: Int), addsTopTwo: Bool
  ) -> ExpertRouting.Groups? {
    let experts = design.routing.expertCount
    let count = integer("n_group", in: 1...experts, default: min(usual.count, experts))
    let chosen = integer("topk_group", in: 1...experts, default: min(usual.chosen, count))
    guard !isFaulty("n_group"), !isFaulty("topk_group"), count > 1 else { return nil }
    let size = experts / count
    guard experts % count == 0, size >= (addsTopTwo ? 2 : 1) else {
      note(
        "n_group",
        "\(experts) experts cannot be cut into \(count) groups of \(addsTopTwo ? "two or more" : "one size")"
      )
      return nil
    }
    guard chosen <= count, design.routing.chosenCount <= chosen * size else {
      note(
        "topk_group",
        "\(chosen) of \(count) groups of \(size) cannot give a token \(design.routing.chosenCount) experts"
      )
      return nil
    }
    return ExpertRouting.Groups(count: count, chosen: chosen, addsTopTwo: addsTopTwo)
  }

  /// Notes a text that is none of some, where the key is there.
  private mutating func requireText(_ key: String, in texts: [String]) {
    guard let text = string(key), !texts.contains(text) else { return }
    note(
      key, "expected \(texts.map { "'\($0)'" }.joined(separator: " or ")), found \(quoted(text))")
  }

  /// How V2 chooses experts, `topk_method`: whether by groups.
  mutating func choosesByGroups() -> Bool {
    requireText("topk_method", in: ["greedy", "group_limited_greedy"])
    return value("topk_method")?.string == "group_limited_greedy"
  }

  /// Notes a `topk_method` that is not V3's only one.
  mutating func requireUnbiasedChoice() { requireText("topk_method", in: ["noaux_tc"]) }
}

/// What DeepSeek's families assume of experts.
struct DeepSeekExperts {
  var count: Int
  var chosen: Int
  /// F, of one.
  var size: Int
  var shared: Int
  var scale: Double
  /// The first layer that has experts.
  var firstLayer: Int
}
