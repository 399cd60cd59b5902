import Foundation
import Rollouts
import Tensors
import Testing

@testable import Transformer

@Suite("GPT-2")
struct GPT2Tests {
  static let json: JSONObject = [
    "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 64, "n_head": 4,
    "n_layer": 2, "vocab_size": 100,
  ]

  static func with(_ changes: JSONObject) throws -> ModelConfiguration {
    var json = json
    for (key, value) in changes { json[key] = value }
    return try ModelConfiguration(json: json)
  }

  @Test("takes transformers' sizes where keys are left out")
  func defaults() throws {
    let small = try ModelConfiguration(json: ["model_type": "gpt2"])
    // The published number, of which the head is the embedding.
    #expect(small.parameterCount == 124_439_808)
    #expect(small.tiesEmbeddings && small.maximumPositions == 1024)
    let own = try Self.with([:])
    let attention = try #require(own.design.layers[1].attention as? GroupedQueryAttention.Design)
    #expect(attention.scale == 0.25 && attention.rotation == nil)
    let feedForward = try #require(own.design.layers[1].feedForward as? PlainFeedForward.Design)
    #expect(feedForward.intermediateSize == 256)
  }

  @Test("scales scores as it is told")
  func scales() throws {
    func scale(_ changes: JSONObject) throws -> Float {
      let layer = try Self.with(changes).design.layers[1]
      return try #require(layer.attention as? GroupedQueryAttention.Design).scale
    }
    #expect(try scale(["scale_attn_weights": false]) == 1)
    #expect(try scale(["scale_attn_by_inverse_layer_idx": true]) == 0.125)
  }

  @Test("the hub's own files, which leave out the first word of names and hold masks, are read")
  func bareNames() throws {
    let folder = try TemporaryFolder()
    let model = try SmallModel.gpt2.make()
    let masks = [
      TensorSpecification("h.0.attn.bias", [1, 1, 4, 4]),
      TensorSpecification("h.0.attn.masked_bias", [1]),
    ]
    let layout = model.configuration.tensorLayout
    var writer = try SafetensorsWriter(
      folder.url.appendingPathComponent("model.safetensors"),
      tensors: layout.map {
        TensorSpecification(String($0.name.dropFirst("transformer.".count)), $0.shape)
      } + masks, elementType: .float32)
    for tensor in model.parameters.tensors { try writer.append(tensor.values) }
    for mask in masks { try writer.append([Float](repeating: 1, count: mask.count)) }
    try writer.finish()
    let read = try Parameters(folder: folder.url, configuration: model.configuration)
    for (mine, theirs) in zip(read.tensors, model.parameters.tensors) {
      #expect(mine.name == theirs.name && mine.values == theirs.values)
    }
  }

  @Test("other heads, activations and sizes are refused")
  func faults() {
    for (key, value) in [
      ("architectures", ["GPT2ForSequenceClassification"]), ("activation_function", "relu"),
      ("n_head", 5), ("add_cross_attention", true),
    ] as [(String, JSONValue)] {
      let error = #expect(throws: ModelError.self) { try Self.with([key: value]) }
      #expect(error?.description.contains(key) == true)
    }
  }
}
