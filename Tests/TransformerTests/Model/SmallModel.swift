import Rollouts
import Tensors
import Testing

@testable import Transformer

/// Small models of every kind, with weights so large that their distributions are far from uniform.
///
/// Sizes are odd on purpose: widths that no register tile divides, heads that no vector fills.
struct SmallModel: Sendable, CustomTestStringConvertible {
  var name: String
  var json: JSONObject
  /// What no family has: the test's own change of the design.
  var change: (@Sendable (inout ModelDesign) -> Void)?

  var testDescription: String { name }

  static let all = [
    llama, biased, qwen2, qwen3, windowed, yarn, framed, postNormed, gemma2, gemma3, phi3, experts,
    sharedExpert, sigmoidExperts, gptOss, latent, latentOfFullQueries, gpt2,
  ]

  static let llama = SmallModel(
    "grouped heads, tied", "llama",
    ["num_attention_heads": 6, "num_key_value_heads": 2, "tie_word_embeddings": true])
  static let biased = SmallModel(
    "every bias", "llama", ["attention_bias": true, "mlp_bias": true])
  static let qwen2 = SmallModel("biases on queries, keys and values", "qwen2")
  static let qwen3 = SmallModel(
    "normed queries and keys", "qwen3", ["head_dim": 12, "num_key_value_heads": 1])
  /// The window is shorter than the sequences of the tests, and no multiple of a block.
  static let windowed = SmallModel("sliding window", "mistral", ["sliding_window": 21])

  static let yarn = SmallModel(
    "rotation by YaRN", "qwen2",
    [
      "rope_parameters": [
        "rope_type": "yarn", "rope_theta": 100, "factor": 4,
        "original_max_position_embeddings": 64,
      ]
    ])

  static let phi3 = SmallModel(
    "fused matrices, a part of each head rotated", "phi3",
    [
      "num_attention_heads": 6, "num_key_value_heads": 2, "partial_rotary_factor": 0.7,
      "sliding_window": 21,
    ])
  static let gemma2 = SmallModel(
    "soft caps, GELU gates, windows on every other layer", "gemma2",
    [
      "sliding_window": 21, "query_pre_attn_scalar": 4, "attn_logit_softcapping": 3,
      "final_logit_softcapping": 2,
    ])
  static let gemma3 = SmallModel(
    "two rotations", "gemma3_text",
    [
      "sliding_window": 21, "sliding_window_pattern": 2, "query_pre_attn_scalar": 4,
      "rope_local_base_freq": 50, "num_key_value_heads": 1,
    ])

  /// Experts on the second layer alone, weights normalised over the chosen.
  static let experts = SmallModel(
    "routed experts", "qwen3_moe",
    [
      "num_experts": 7, "num_experts_per_tok": 3, "moe_intermediate_size": 19,
      "norm_topk_prob": true, "decoder_sparse_step": 2,
    ])

  static let gptOss = SmallModel(
    "attention sinks, stacked experts with biases, clamped gates", "gpt_oss",
    [
      "num_local_experts": 5, "num_experts_per_tok": 2, "intermediate_size": 23,
      "sliding_window": 21, "swiglu_limit": 9, "num_attention_heads": 6, "num_key_value_heads": 2,
      "rope_parameters": ["rope_type": "default", "rope_theta": 100],
    ])

  /// A shared expert behind a gate, weights that are not normalised, and a norm behind the part.
  static var sharedExpert: SmallModel {
    var model = experts
    model.name = "a shared expert behind a gate"
    model.json["norm_topk_prob"] = false
    model.change = { design in
      design.changeExperts {
        $0.shared = GatedFeedForward.Design(
          hiddenSize: $0.hiddenSize, intermediateSize: 23, name: "mlp.shared_expert")
        $0.sharedGate = "mlp.shared_expert_gate"
      }
      design.layers[1].aroundFeedForward.normAfter = NormDesign(
        name: "after_mlp_norm", columns: design.hiddenSize, epsilon: 1e-4)
    }
    return model
  }

  /// Sigmoid scores with a selection bias, groups, a shared expert without a gate: DeepSeek V3's.
  static var sigmoidExperts: SmallModel {
    var model = experts
    model.name = "sigmoid routing in groups, biased"
    model.json["num_experts"] = 8
    model.json["decoder_sparse_step"] = 1
    model.change = { design in
      design.changeExperts {
        $0.routing.scores = .sigmoid
        $0.routing.groups = .init(count: 4, chosen: 2, addsTopTwo: true)
        $0.routing.scale = 1.5
        $0.hasSelectionBias = true
        $0.shared = GatedFeedForward.Design(
          hiddenSize: $0.hiddenSize, intermediateSize: 50, name: "mlp.shared_experts")
      }
    }
    return model
  }

  static let latent = SmallModel(
    "latent attention, queries of a low rank, yarn", "deepseek_v3",
    [
      "q_lora_rank": 10, "kv_lora_rank": 21, "qk_nope_head_dim": 7, "qk_rope_head_dim": 6,
      "v_head_dim": 5, "first_k_dense_replace": 2,
      "rope_parameters": [
        "rope_type": "yarn", "rope_theta": 100, "factor": 4, "mscale": 1, "mscale_all_dim": 0.7,
        "original_max_position_embeddings": 64,
      ],
    ])
  static let latentOfFullQueries = SmallModel(
    "latent attention, full queries, every bias, tied", "deepseek_v2",
    [
      "q_lora_rank": .null, "kv_lora_rank": 16, "qk_nope_head_dim": 12, "qk_rope_head_dim": 4,
      "v_head_dim": 9, "first_k_dense_replace": 2, "attention_bias": true, "mlp_bias": true,
      "tie_word_embeddings": true,
    ])

  static let gpt2 = SmallModel(
    "layer norms, learned positions, transposed matrices, no gate", "gpt2",
    [
      "n_embd": 36, "n_head": 3, "n_layer": 2, "n_positions": 256, "n_inner": 50,
      "layer_norm_epsilon": 1e-3, "scale_attn_by_inverse_layer_idx": true,
    ])

  /// Norms around one before and after the parts, multipliers everywhere, neighbours rotated in a part of each head.
  static var framed: SmallModel {
    var model = SmallModel("norms before and after, multipliers, partial rotation", "llama")
    model.change = { design in
      design.embeddingScale = 3
      design.logitScale = 0.5
      design.finalNorm.kind = .rmsAroundOne
      for index in design.layers.indices {
        design.changeAttention(index) {
          $0.rotation?.pairs = .neighbours
          $0.rotation?.size = 4
        }
        func after(_ name: String) -> NormDesign {
          NormDesign(name: name, columns: design.hiddenSize, epsilon: 1e-4, kind: .rmsAroundOne)
        }
        design.layers[index].aroundAttention.normAfter = after("after_attention_norm")
        design.layers[index].aroundAttention.multiplier = 0.7
        design.layers[index].aroundFeedForward.normAfter = after("after_mlp_norm")
      }
    }
    return model
  }

  /// Norms after the parts alone, over whole queries and keys, and a layer that does not rotate.
  static var postNormed: SmallModel {
    var model = SmallModel("norms after, whole queries normed, a layer without rotation", "qwen3")
    model.change = { design in
      for index in design.layers.indices {
        design.changeAttention(index) { $0.queryKeyNorm?.isPerHead = false }
        design.layers[index].aroundAttention.swap()
        design.layers[index].aroundFeedForward.swap()
        design.layers[index].aroundFeedForward.multiplier = 0.4
      }
      design.changeAttention(1) { $0.rotation = nil }
      design.layers[1].aroundFeedForward = Surroundings(normBefore: nil, multiplier: 0.2)
    }
    return model
  }

  init(_ name: String, _ modelType: String, _ changes: JSONObject = [:]) {
    self.name = name
    json = [
      "model_type": .string(modelType), "hidden_size": 36, "intermediate_size": 50,
      "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 3, "head_dim": 6,
      "vocab_size": 61, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
      "eos_token_id": [0, 1],
    ]
    for (key, value) in changes { json[key] = value }
  }

  /// A model whose shape and family a number decides.
  init(random number: Int) {
    let random = Philox(seed: 99, purpose: .data, step: number)
    func integer(_ range: ClosedRange<Int>, _ place: Int) -> Int {
      range.lowerBound + random.integer(below: range.count, at: place)
    }
    let keyValueHeads = integer(1...3, 0)
    let families = [
      "llama", "qwen2", "qwen3", "mistral", "smollm3", "olmo2", "gemma2", "gemma3_text", "phi3",
      "qwen3_moe", "deepseek_v2", "deepseek_v3", "gpt_oss",
    ]
    let family = families[integer(0...families.count - 1, 1)]
    let heads = keyValueHeads * integer(1...4, 2)
    // Latents are all heads'.
    let sharesKeys = !family.hasPrefix("deepseek")
    self.init(
      "random shape \(number)", family,
      [
        "num_key_value_heads": .integer(Int64(sharesKeys ? keyValueHeads : heads)),
        "num_attention_heads": .integer(Int64(heads)),
        "q_lora_rank": integer(0...1, 13) == 0 ? .null : .integer(Int64(integer(1...30, 14))),
        "kv_lora_rank": .integer(Int64(integer(1...40, 15))),
        "qk_nope_head_dim": .integer(Int64(integer(1...20, 16))),
        "qk_rope_head_dim": .integer(Int64(2 * integer(1...9, 17))),
        "v_head_dim": .integer(Int64(integer(1...20, 18))),
        "first_k_dense_replace": .integer(Int64(integer(0...3, 19))),
        "n_routed_experts": 12, "n_group": 3, "topk_group": 2, "n_shared_experts": 1,
        "head_dim": .integer(Int64(2 * integer(1...20, 3))),
        "hidden_size": .integer(Int64(integer(1...70, 4))),
        "intermediate_size": .integer(Int64(integer(1...90, 5))),
        "num_hidden_layers": .integer(Int64(integer(1...3, 6))),
        "vocab_size": .integer(Int64(integer(3...300, 7))),
        "tie_word_embeddings": .bool(integer(0...1, 8) == 1),
        "sliding_window": .integer(Int64(integer(1...60, 9))),
        "use_sliding_window": true,
        "num_experts": .integer(Int64(integer(4...20, 10))),
        "num_local_experts": .integer(Int64(integer(4...20, 10))),
        "num_experts_per_tok": .integer(Int64(integer(1...4, 11))),
        "moe_intermediate_size": .integer(Int64(integer(1...60, 12))),
      ])
  }

  /// The model with weights drawn by a seed: norms around 1, biases around 0, matrices that keep the
  /// size of what passes them.
  func make(seed: UInt64 = 1, compute: Compute = Compute(threads: 1)) throws -> LanguageModel {
    let parameters = Parameters(zero: try configuration())
    for (index, tensor) in parameters.tensors.enumerated() {
      let random = Philox(seed: seed, purpose: .data, step: index)
      var isNorm = false
      if case .scale = tensor.role { isNorm = true }
      let stacked = tensor.shape.count == 3 ? tensor.shape[1] : 9
      let width = Double(tensor.storage.matrix?.columns ?? stacked)
      let scale = (isNorm ? 0.2 : 1.3 / width.squareRoot())
      let values = (0..<tensor.storage.count).map {
        Float((isNorm ? 1 : 0) + scale * random.normal(at: $0))
      }
      tensor.storage.fill(from: values)
    }
    return LanguageModel(parameters, compute: compute)
  }
}

extension SmallModel {
  /// What the model is made of.
  func configuration() throws -> ModelConfiguration {
    let read = try ModelConfiguration(json: json)
    guard let change else { return read }
    var design = read.design
    change(&design)
    return ModelConfiguration(
      family: Llama.self, design: design, beginTokenID: read.beginTokenID,
      padTokenID: read.padTokenID, endTokenIDs: read.endTokenIDs, original: read.original,
      generation: read.generation)
  }
}

extension ModelDesign {
  fileprivate mutating func changeExperts(_ change: (inout RoutedExperts.Design) -> Void) {
    for layer in layers.indices {
      guard var design = layers[layer].feedForward as? RoutedExperts.Design else { continue }
      change(&design)
      layers[layer].feedForward = design
    }
  }

  fileprivate mutating func changeAttention(
    _ layer: Int, _ change: (inout GroupedQueryAttention.Design) -> Void
  ) {
    guard var design = layers[layer].attention as? GroupedQueryAttention.Design else { return }
    change(&design)
    layers[layer].attention = design
  }
}

extension Surroundings {
  /// The norm before stands after.
  fileprivate mutating func swap() { (normBefore, normAfter) = (normAfter, normBefore) }
}

/// Tokens that a number decides.
func randomTokens(_ count: Int, below bound: Int, stream: Int) -> [TokenID] {
  let random = Philox(seed: 5, purpose: .data, step: stream)
  return (0..<count).map { TokenID(random.integer(below: bound, at: $0)) }
}

extension TokenStatistics {
  /// The bits of log-probabilities and entropies: equal only where every bit is.
  var bits: [UInt32] {
    logProbabilities.map(\.bitPattern) + entropies.map(\.bitPattern)
  }
}

extension GeneratedCompletion {
  /// Everything that a completion is, by its bits.
  var fingerprint: [UInt32] {
    tokens.map { UInt32(bitPattern: $0) } + statistics.bits
      + keptSets.flatMap { set -> [UInt32] in
        switch set {
        case nil: [.max]
        case .only(let ids): ids.map { UInt32(bitPattern: $0) }
        case .except(let ids): ids.map { UInt32(bitPattern: ~$0) }
        }
      }
      + [finish == .stop ? 1 : 0]
  }
}
