import Rollouts
import Tensors
import Testing

@testable import Transformer

@Suite("DeepSeek V2 and V3")
struct DeepSeekTests {
  static let json: JSONObject = [
    "model_type": "deepseek_v3", "hidden_size": 48, "intermediate_size": 64,
    "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 100, "q_lora_rank": 24,
    "kv_lora_rank": 20, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8, "v_head_dim": 10,
    "first_k_dense_replace": 1, "n_routed_experts": 8, "num_experts_per_tok": 3,
    "moe_intermediate_size": 24, "n_group": 4, "topk_group": 2, "n_shared_experts": 2,
  ]

  static func with(_ changes: JSONObject) throws -> ModelConfiguration {
    var json = json
    for (key, value) in changes { json[key] = value }
    return try ModelConfiguration(json: json)
  }

  static func attention(_ changes: JSONObject) throws -> LatentAttention.Design {
    try #require(with(changes).design.layers[0].attention as? LatentAttention.Design)
  }

  static func experts(_ changes: JSONObject) throws -> RoutedExperts.Design {
    try #require(with(changes).design.layers[2].feedForward as? RoutedExperts.Design)
  }

  @Test("the first layers are dense, and each family chooses experts by its rule")
  func layers() throws {
    let v3 = try Self.with([:])
    #expect(v3.design.layers.map { $0.feedForward is RoutedExperts.Design } == [false, true, true])
    let third = try Self.experts([:])
    #expect(third.hasSelectionBias && third.shared?.intermediateSize == 48)
    #expect(
      third.routing
        == ExpertRouting(
          expertCount: 8, chosenCount: 3, scores: .sigmoid,
          groups: .init(count: 4, chosen: 2, addsTopTwo: true), normalizes: true,
          normalizerEpsilon: 1e-20, scale: 2.5))
    let second: JSONObject = [
      "model_type": "deepseek_v2", "topk_method": "greedy", "norm_topk_prob": true,
    ]
    #expect(
      try Self.experts(second).routing
        == ExpertRouting(expertCount: 8, chosenCount: 3, normalizes: false))
    var limited = second
    limited["topk_method"] = "group_limited_greedy"
    limited["routed_scaling_factor"] = 1.5
    let rule = try Self.experts(limited).routing
    #expect(rule.groups == .init(count: 4, chosen: 2, addsTopTwo: false) && rule.scale == 1.5)
  }

  @Test("a rank that is null means full queries, one left out transformers' own")
  func queryRank() throws {
    #expect(try Self.attention([:]).queryRank == 24)
    #expect(try Self.attention(["q_lora_rank": .null]).queryRank == nil)
    var json = Self.json
    json["q_lora_rank"] = nil
    let design = try ModelConfiguration(json: json).design.layers[0].attention
    #expect((design as? LatentAttention.Design)?.queryRank == 1536)
  }

  @Test("older and newer spellings of yarn agree, and its factor multiplies scores, squared")
  func yarn() throws {
    let members: JSONObject = [
      "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0, "beta_fast": 32, "beta_slow": 1,
      "original_max_position_embeddings": 4096,
    ]
    var (older, newer) = (members, members)
    older["type"] = "yarn"
    newer["rope_type"] = "yarn"
    newer["rope_theta"] = 10_000
    let old = try Self.attention(["rope_scaling": .object(older), "rope_theta": 10_000])
    let new = try Self.attention(["rope_parameters": .object(newer)])
    #expect(old == new)
    // 0.1 ln 40 + 1, of the published model.
    let factor: Float = 1.3688879454
    #expect(abs(old.scale * Float(20).squareRoot() - factor * factor) < 1e-5)
    #expect(old.rotation.size == 8 && old.rotation.pairs == .neighbours)
    #expect(try Self.attention(["rope_interleave": false]).rotation.pairs == .halves)
  }

  @Test("layers that predict several tokens are passed over, others are not")
  func predictingLayers() throws {
    let passedOver = try Self.with(["num_nextn_predict_layers": 1]).design.passedOver
    #expect(passedOver.contains("model.layers.3.mlp.gate_proj.weight"))
    #expect(!passedOver.contains("model.layers.4.mlp.gate_proj.weight"))
    #expect(!(try Self.with([:]).design.passedOver.contains("model.layers.3.mlp.up_proj.weight")))
  }

  @Test("what does not fit or is not done is named by its key")
  func faults() {
    for (key, value) in [
      ("num_key_value_heads", 2), ("qk_rope_head_dim", 7), ("scoring_func", "softmax"),
      ("topk_method", "greedy"), ("moe_layer_freq", 2), ("n_group", 3), ("topk_group", 1),
      ("num_experts_per_tok", 9), ("hidden_act", "gelu"),
    ] as [(String, JSONValue)] {
      let error = #expect(throws: ModelError.self) { try Self.with([key: value]) }
      #expect(error?.description.contains(key) == true, "\(key)")
    }
    // Groups of one expert have no two best.
    let single = #expect(throws: ModelError.self) { try Self.with(["n_group": 8]) }
    #expect(single?.description.contains("two or more") == true)
  }
}
