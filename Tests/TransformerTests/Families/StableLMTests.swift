import Foundation
import Rollouts
import Tensors
import Testing

@testable import Transformer

@Suite("StableLM")
struct StableLMTests {
  static let small = SmallModel(
    "StableLM", "stablelm",
    [
      "head_dim": .null, "hidden_size": 48, "num_attention_heads": 3, "num_key_value_heads": 1,
      "use_qkv_bias": true, "layer_norm_eps": 1e-2,
    ])

  /// transformers' `modeling_stablelm.py` in double precision: log π of each token but the first.
  struct Reference {
    let tensors: [String: [Double]]
    let heads = 3
    let keyHeads = 1
    let headSize = 16
    let rotated = 4
    let layers = 2

    init(_ model: LanguageModel) {
      tensors = Dictionary(
        uniqueKeysWithValues: model.parameters.tensors.map { ($0.name, $0.values.map(Double.init)) }
      )
    }

    func map(_ name: String, _ x: [Double]) throws -> [Double] {
      let weight = try #require(tensors[name + ".weight"])
      let bias = tensors[name + ".bias"]
      return (0..<weight.count / x.count).map { row -> Double in
        var sum: Double = bias?[row] ?? 0
        for (column, value) in x.enumerated() { sum += weight[row * x.count + column] * value }
        return sum
      }
    }

    func norm(_ name: String, _ x: [Double]) throws -> [Double] {
      let w = try #require(tensors[name + ".weight"])
      let b = try #require(tensors[name + ".bias"])
      let mean = x.reduce(0, +) / Double(x.count)
      let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
      let inverse = 1 / (variance + 1e-2).squareRoot()
      return x.indices.map { (x[$0] - mean) * inverse * w[$0] + b[$0] }
    }

    /// The first numbers of a head, in halves.
    func rotate(_ head: [Double], position: Int) -> [Double] {
      var y = head
      let half = rotated / 2
      for pair in 0..<half {
        let angle = Double(position) * pow(10_000, -2 * Double(pair) / Double(rotated))
        let (a, b) = (head[pair], head[pair + half])
        y[pair] = a * cos(angle) - b * sin(angle)
        y[pair + half] = b * cos(angle) + a * sin(angle)
      }
      return y
    }

    func attention(_ prefix: String, _ x: [[Double]]) throws -> [[Double]] {
      func split(_ name: String, _ count: Int, rotates: Bool) throws -> [[[Double]]] {
        try x.enumerated().map { position, state in
          let all = try map(prefix + name, state)
          return (0..<count).map { head in
            let one = Array(all[head * headSize..<(head + 1) * headSize])
            return rotates ? rotate(one, position: position) : one
          }
        }
      }
      let q = try split("q_proj", heads, rotates: true)
      let k = try split("k_proj", keyHeads, rotates: true)
      let v = try split("v_proj", keyHeads, rotates: false)
      return try x.indices.map { row in
        var out: [Double] = []
        for head in 0..<heads {
          let keyHead = head / (heads / keyHeads)
          let scores = (0...row).map { key -> Double in
            zip(q[row][head], k[key][keyHead]).reduce(0) { $0 + $1.0 * $1.1 } / 4
          }
          let largest = scores.max() ?? 0
          let sum = scores.reduce(0) { $0 + exp($1 - largest) }
          for d in 0..<headSize {
            var value = 0.0
            for key in 0...row { value += exp(scores[key] - largest) / sum * v[key][keyHead][d] }
            out.append(value)
          }
        }
        return try map(prefix + "o_proj", out)
      }
    }

    func logProbabilities(_ tokens: [TokenID]) throws -> [Double] {
      let table = try #require(tensors["model.embed_tokens.weight"])
      let width = heads * headSize
      var x = tokens.map { Array(table[Int($0) * width..<(Int($0) + 1) * width]) }
      func add(_ y: [[Double]]) { x = zip(x, y).map { zip($0, $1).map(+) } }
      for layer in 0..<layers {
        let prefix = "model.layers.\(layer)."
        add(
          try attention(
            prefix + "self_attn.", x.map { try norm(prefix + "input_layernorm", $0) }))
        add(
          try x.map { state in
            let n = try norm(prefix + "post_attention_layernorm", state)
            let (g, u) = (
              try map(prefix + "mlp.gate_proj", n), try map(prefix + "mlp.up_proj", n)
            )
            return try map(prefix + "mlp.down_proj", zip(g, u).map { $0 / (1 + exp(-$0)) * $1 })
          })
      }
      return try tokens.indices.dropLast().map { row in
        let logits = try map("lm_head", norm("model.norm", x[row]))
        let largest = logits.max() ?? 0
        let sum = logits.reduce(0) { $0 + exp($1 - largest) }
        return logits[Int(tokens[row + 1])] - largest - log(sum)
      }
    }
  }

  @Test("agrees with its formula in double precision")
  func reference() throws {
    let model = try Self.small.make()
    let tokens = randomTokens(40, below: model.configuration.vocabularySize, stream: 4)
    let group = TokenGroup(prompt: [tokens[0]], completions: [Array(tokens.dropFirst())])
    let found = ScoringPass(model).score(PackedBatch([group])).logProbabilities
    let expected = try Reference(model).logProbabilities(tokens)
    #expect(found.count == expected.count)
    for (a, b) in zip(found, expected) { #expect(abs(Double(a) - b) < 2e-5) }
  }

  @Test("has the gradients of its differences, and samples what it trains")
  func gradients() throws {
    try WholeModelGradientTests().differences(
      of: .init(small: Self.small, temperature: 1, keepsSets: false))
    let model = try Self.small.make()
    try OnePolicyTests.expectOnePolicy(
      model, OnePolicyTests.settings(), requests: OnePolicyTests.requests(model))
  }

  @Test("the 1.6B's shape has its published size; what differs is refused by name")
  func configurations() throws {
    let json: JSONObject = [
      "model_type": "stablelm", "architectures": ["StableLmForCausalLM"], "hidden_size": 2048,
      "intermediate_size": 5632, "num_hidden_layers": 24, "num_attention_heads": 32,
      "num_key_value_heads": 32, "vocab_size": 100_352, "use_qkv_bias": true,
      "partial_rotary_factor": 0.25, "rope_theta": 10_000, "layer_norm_eps": 1e-5,
    ]
    let configuration = try ModelConfiguration(json: json)
    #expect(configuration.parameterCount == 1_644_515_328)
    let attention = try #require(
      configuration.design.layers[0].attention as? GroupedQueryAttention.Design)
    #expect(attention.rotation?.size == 16 && attention.headSize == 64)
    for key in ["use_parallel_residual", "qk_layernorm"] {
      var changed = json
      changed[key] = true
      let error = #expect(throws: ModelError.self) { try ModelConfiguration(json: changed) }
      #expect(error?.kind == .unsupported && error?.description.contains(key) == true)
    }
  }
}
