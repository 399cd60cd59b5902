import Foundation
import Rollouts
import Tensors
import TestSupport
import Testing

@testable import Transformer

/// Latent attention as papers and transformers write it, keys and values of every head expanded, in double precision.
private struct ExpandedModel {
  let model: LanguageModel
  let design: LatentAttention.Design
  let tensors: [String: [Double]]

  init(_ model: LanguageModel) throws {
    self.model = model
    design = try #require(
      model.configuration.design.layers[0].attention as? LatentAttention.Design)
    tensors = Dictionary(
      uniqueKeysWithValues: model.parameters.tensors.map { ($0.name, $0.values.map(Double.init)) })
  }

  /// W x + b.
  func map(_ name: String, _ x: [Double]) throws -> [Double] {
    let weight = try #require(tensors[name + ".weight"])
    let bias = tensors[name + ".bias"]
    return (0..<weight.count / x.count).map { row -> Double in
      var sum: Double = bias?[row] ?? 0
      for (column, value) in x.enumerated() { sum += weight[row * x.count + column] * value }
      return sum
    }
  }

  func norm(_ name: String, _ x: [Double], epsilon: Float) throws -> [Double] {
    let weight = try #require(tensors[name + ".weight"])
    let mean = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
    return zip(x, weight).map { $0 * $1 / (mean + Double(epsilon)).squareRoot() }
  }

  func rotated(_ x: [Double], position: Int) -> [Double] {
    let frequencies = design.rotation.embedding.inverseFrequencies(headSize: x.count)
    let amplitude = design.rotation.embedding.amplitude
    var y = x
    for (pair, frequency) in frequencies.enumerated() {
      let (a, b) =
        design.rotation.pairs == .neighbours
        ? (2 * pair, 2 * pair + 1) : (pair, pair + x.count / 2)
      let angle = Double(position) * frequency
      y[a] = amplitude * (x[a] * cos(angle) - x[b] * sin(angle))
      y[b] = amplitude * (x[b] * cos(angle) + x[a] * sin(angle))
    }
    return y
  }

  /// What attention adds to a sequence of normed states.
  func attention(_ prefix: String, _ x: [[Double]]) throws -> [[Double]] {
    let (heads, plain, size) = (design.headCount, design.plainSize, design.querySize)
    let perHead = plain + design.valueSize
    var queries: [[Double]] = []
    var keys: [[Double]] = []
    var positions: [[Double]] = []
    for (place, state) in x.enumerated() {
      if design.queryRank == nil {
        queries.append(try map(prefix + "q_proj", state))
      } else {
        let latent = try norm(
          prefix + "q_a_layernorm", map(prefix + "q_a_proj", state), epsilon: 1e-6)
        queries.append(try map(prefix + "q_b_proj", latent))
      }
      let compressed = try map(prefix + "kv_a_proj_with_mqa", state)
      let latent = try norm(
        prefix + "kv_a_layernorm", Array(compressed.prefix(design.latentSize)), epsilon: 1e-6)
      keys.append(try map(prefix + "kv_b_proj", latent))
      positions.append(
        rotated(Array(compressed.suffix(design.rotatedSize)), position: place))
    }
    return try x.indices.map { row in
      var out: [Double] = []
      for head in 0..<heads {
        let query = Array(queries[row][head * size..<(head + 1) * size])
        let turned = rotated(Array(query.suffix(design.rotatedSize)), position: row)
        let scores = (0...row).map { key -> Double in
          var score = 0.0
          for d in 0..<plain { score += query[d] * keys[key][head * perHead + d] }
          for (a, b) in zip(turned, positions[key]) { score += a * b }
          return Double(design.scale) * score
        }
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let sum = weights.reduce(0, +)
        for d in 0..<design.valueSize {
          var value = 0.0
          for key in 0...row {
            value += weights[key] / sum * keys[key][head * perHead + plain + d]
          }
          out.append(value)
        }
      }
      return try map(prefix + "o_proj", out)
    }
  }

  /// log π of each token of a sequence but the first.
  func logProbabilities(_ tokens: [TokenID]) throws -> [Double] {
    let width = model.configuration.hiddenSize
    let table = try #require(tensors["model.embed_tokens.weight"])
    var x = tokens.map { Array(table[Int($0) * width..<(Int($0) + 1) * width]) }
    let epsilon = model.configuration.design.finalNorm.epsilon
    func add(_ y: [[Double]]) { x = zip(x, y).map { zip($0, $1).map(+) } }
    for layer in 0..<model.configuration.layerCount {
      let prefix = "model.layers.\(layer)."
      add(
        try attention(
          prefix + "self_attn.",
          x.map { try norm(prefix + "input_layernorm", $0, epsilon: epsilon) }))
      add(
        try x.map { state in
          let n = try norm(prefix + "post_attention_layernorm", state, epsilon: epsilon)
          let (g, u) = (try map(prefix + "mlp.gate_proj", n), try map(prefix + "mlp.up_proj", n))
          return try map(prefix + "mlp.down_proj", zip(g, u).map { $0 / (1 + exp(-$0)) * $1 })
        })
    }
    let head = model.configuration.tiesEmbeddings ? "model.embed_tokens" : "lm_head"
    return try tokens.indices.dropLast().map { row in
      let logits = try map(head, norm("model.norm", x[row], epsilon: epsilon))
      let largest = logits.max() ?? 0
      let sum = logits.reduce(0) { $0 + exp($1 - largest) }
      return logits[Int(tokens[row + 1])] - largest - log(sum)
    }
  }
}

@Suite("Latent attention")
struct LatentAttentionTests {
  @Test(
    "absorbed, agrees with keys and values expanded in double precision",
    arguments: [SmallModel.latent, .latentOfFullQueries])
  func expanded(small: SmallModel) throws {
    let model = try small.make()
    let tokens = randomTokens(40, below: model.configuration.vocabularySize, stream: 4)
    let group = TokenGroup(
      prompt: Array(tokens.prefix(5)), completions: [Array(tokens.dropFirst(5))])
    let found = ScoringPass(model).score(PackedBatch([group])).logProbabilities
    let expected = try ExpandedModel(model).logProbabilities(tokens).suffix(35)
    // Log-probabilities of some nats, after two layers in float32.
    for (a, b) in zip(found, expected) { #expect(abs(Double(a) - b) < 2e-5) }
  }

  /// A number as the page writes it.
  private static func grouped(_ number: Int) -> String {
    var digits = String(number)
    for place in stride(from: digits.count - 3, to: 0, by: -3) {
      digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
    }
    return digits
  }

  @Test(
    "the table of caches in docs/models.md is what the plan counts",
    .enabled(if: SharedFiles.has("models/configs/DeepSeek-R1")),
    arguments: [("DeepSeek-V2-Lite", "V2 Lite"), ("DeepSeek-R1", "V3")])
  func caches(name: String, title: String) throws {
    var json = try WholeFile.jsonObject(
      SharedFiles.url("models/configs/\(name)/config.json"))
    json["quantization_config"] = .null
    let model = try ModelConfiguration(json: json)
    let design = try #require(model.design.layers[0].attention as? LatentAttention.Design)
    let (heads, layers) = (design.headCount, model.layerCount)
    let plain = try ModelConfiguration.llama(
      vocabularySize: 100, hiddenSize: heads * 128, intermediateSize: 1, layerCount: layers,
      headCount: heads)
    let expanded = layers * heads * (design.querySize + design.valueSize) * 4
    let latent = model.cacheBytesPerToken()
    func share(_ whole: Int) -> String {
      String(format: "%.1f%%", 100 * Double(latent) / Double(whole))
    }
    let row =
      "| DeepSeek \(title): \(layers) layers, \(heads) heads | \(Self.grouped(latent)) "
      + "| \(Self.grouped(plain.cacheBytesPerToken())) | \(share(plain.cacheBytesPerToken())) "
      + "| \(Self.grouped(expanded)) | \(share(expanded)) |"
    let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../../docs/models.md")
    #expect(try String(contentsOf: page, encoding: .utf8).contains(row), "\(row)")
    // What a visible position costs, and what it would cost with keys and values expanded.
    let absorbed = model.flops(context: 1) - model.flops(context: 0)
    #expect(absorbed == layers * heads * 2176)
    #expect(2 * (design.querySize + design.valueSize) == 640)
    guard title == "V2 Lite" else { return }
    for (context, percent) in [(512, 7.0), (2048, 25)] {
      let more = (1 - 640.0 / 2176) * Double(absorbed * context)
      let whole = Double(model.flops(context: context, meetsVocabulary: true))
      #expect((100 * more / (whole - more)).rounded() == percent)
    }
  }

  @Test("declares DeepSeek's tensors, and adapters for each of its maps")
  func tensors() throws {
    let low = try SmallModel.latent.configuration()
    let names = low.tensorLayout.filter { $0.name.hasPrefix("model.layers.0.self_attn.") }
    #expect(
      names == [
        TensorSpecification("model.layers.0.self_attn.q_a_proj.weight", [10, 36]),
        TensorSpecification("model.layers.0.self_attn.q_a_layernorm.weight", [10]),
        TensorSpecification("model.layers.0.self_attn.q_b_proj.weight", [3 * 13, 10]),
        TensorSpecification("model.layers.0.self_attn.kv_a_proj_with_mqa.weight", [27, 36]),
        TensorSpecification("model.layers.0.self_attn.kv_a_layernorm.weight", [21]),
        TensorSpecification("model.layers.0.self_attn.kv_b_proj.weight", [3 * 12, 21]),
        TensorSpecification("model.layers.0.self_attn.o_proj.weight", [36, 15]),
      ])
    let adapter = AdapterConfiguration(rank: 3, alpha: 1, targets: ["kv_b_proj", "q_a_proj"])
    #expect(
      adapter.tensorLayout(for: low).prefix(4) == [
        TensorSpecification(
          "base_model.model.model.layers.0.self_attn.q_a_proj.lora_A.weight", [3, 36]),
        TensorSpecification(
          "base_model.model.model.layers.0.self_attn.q_a_proj.lora_B.weight", [10, 3]),
        TensorSpecification(
          "base_model.model.model.layers.0.self_attn.kv_b_proj.lora_A.weight", [3, 21]),
        TensorSpecification(
          "base_model.model.model.layers.0.self_attn.kv_b_proj.lora_B.weight", [36, 3]),
      ])
    let full = try SmallModel.latentOfFullQueries.configuration().tensorLayout.map(\.name)
    #expect(full.contains("model.layers.0.self_attn.q_proj.weight"))
    #expect(full.contains("model.layers.0.self_attn.o_proj.bias"))
    #expect(!full.contains("model.layers.0.self_attn.q_proj.bias"))
  }
}
