import Rollouts

/// A tensor's name and shape.
public struct TensorSpecification: Sendable, Hashable {
  /// Hugging Face's name: "model.layers.0.self_attn.q_proj.weight".
  public var name: String
  /// The sizes, the slowest first; a matrix is [outputs, inputs].
  public var shape: [Int]

  /// Makes a specification.
  public init(_ name: String, _ shape: [Int]) {
    self.name = name
    self.shape = shape
  }

  /// The number of elements.
  public var count: Int { shape.saturatingProduct }
}

extension ModelConfiguration {
  /// The number of trained values, shared ones once.
  public var parameterCount: Int { tensorLayout.map(\.count).saturatingSum }

  /// Every tensor that the model has, from the embedding up, in a fixed order.
  ///
  /// A tied head is the embedding and is not listed. Shapes by H heads, K key-value heads, D head
  /// size, C hidden size: `q_proj` [H·D, C], `k_proj` and `v_proj` [K·D, C], `o_proj` [C, H·D].
  public var tensorLayout: [TensorSpecification] {
    var tensors = [TensorSpecification("model.embed_tokens.weight", [vocabularySize, hiddenSize])]
    for layer in 0..<layerCount { tensors += layerLayout("model.layers.\(layer).") }
    tensors.append(TensorSpecification("model.norm.weight", [hiddenSize]))
    if !tiesEmbeddings {
      tensors.append(TensorSpecification("lm_head.weight", [vocabularySize, hiddenSize]))
    }
    return tensors
  }

  private func layerLayout(_ prefix: String) -> [TensorSpecification] {
    var tensors: [TensorSpecification] = []
    func norm(_ name: String, _ size: Int) {
      tensors.append(TensorSpecification("\(prefix)\(name).weight", [size]))
    }
    func product(_ name: String, _ outputs: Int, _ inputs: Int, bias: Bool) {
      tensors.append(TensorSpecification("\(prefix)\(name).weight", [outputs, inputs]))
      if bias { tensors.append(TensorSpecification("\(prefix)\(name).bias", [outputs])) }
    }
    let queries = headCount * headSize
    let keys = keyValueHeadCount * headSize
    norm("input_layernorm", hiddenSize)
    product("self_attn.q_proj", queries, hiddenSize, bias: attentionBias)
    product("self_attn.k_proj", keys, hiddenSize, bias: attentionBias)
    product("self_attn.v_proj", keys, hiddenSize, bias: attentionBias)
    product("self_attn.o_proj", hiddenSize, queries, bias: attentionOutputBias)
    if normalizesQueriesAndKeys {
      norm("self_attn.q_norm", headSize)
      norm("self_attn.k_norm", headSize)
    }
    norm("post_attention_layernorm", hiddenSize)
    product("mlp.gate_proj", intermediateSize, hiddenSize, bias: mlpBias)
    product("mlp.up_proj", intermediateSize, hiddenSize, bias: mlpBias)
    product("mlp.down_proj", hiddenSize, intermediateSize, bias: mlpBias)
    return tensors
  }
}
