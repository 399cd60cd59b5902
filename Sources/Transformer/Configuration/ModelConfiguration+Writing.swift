import Rollouts
import Tensors

extension ModelConfiguration {
  /// config.json for weights of a type: the original with its `dtype` or `torch_dtype` set.
  public func json(elementType: ElementType) -> JSONObject {
    var object = original
    let spellings = ["dtype", "torch_dtype"].filter { object[$0] != nil }
    for key in spellings.isEmpty ? ["torch_dtype"] : spellings {
      object[key] = .string(elementType.torchName)
    }
    return object
  }

  /// The configuration of a new model of the Llama family, as transformers would write it.
  /// - Throws: `ModelError` with every size that is out of range or does not divide.
  public static func llama(
    vocabularySize: Int, hiddenSize: Int, intermediateSize: Int, layerCount: Int, headCount: Int,
    keyValueHeadCount: Int? = nil, headSize: Int? = nil, maximumPositions: Int = 2048,
    theta: Double = 10_000, normEpsilon: Double = 1e-5, tiesEmbeddings: Bool = true,
    beginTokenID: TokenID? = nil, endTokenIDs: [TokenID] = [], padTokenID: TokenID? = nil
  ) throws(ModelError) -> ModelConfiguration {
    func token(_ id: TokenID?) -> JSONValue { id.map { .integer(Int64($0)) } ?? .null }
    func integer(_ number: Int) -> JSONValue { .integer(Int64(number)) }
    let end = endTokenIDs.count > 1 ? .array(endTokenIDs.map(token)) : token(endTokenIDs.first)
    let impliedHeadSize = headCount > 0 ? hiddenSize / headCount : 0
    let object: JSONObject = [
      "architectures": [.string(Llama.className)],
      "attention_bias": false,
      "attention_dropout": 0.0,
      "bos_token_id": token(beginTokenID),
      "eos_token_id": end,
      "head_dim": integer(headSize ?? impliedHeadSize),
      "hidden_act": "silu",
      "hidden_size": integer(hiddenSize),
      "initializer_range": 0.02,
      "intermediate_size": integer(intermediateSize),
      "max_position_embeddings": integer(maximumPositions),
      "mlp_bias": false,
      "model_type": .string(Llama.modelType),
      "num_attention_heads": integer(headCount),
      "num_hidden_layers": integer(layerCount),
      "num_key_value_heads": integer(keyValueHeadCount ?? headCount),
      "pad_token_id": token(padTokenID),
      "rms_norm_eps": .number(normEpsilon),
      "rope_scaling": .null,
      "rope_theta": .number(theta),
      "tie_word_embeddings": .bool(tiesEmbeddings),
      "torch_dtype": .string(ElementType.float32.torchName),
      "use_cache": true,
      "vocab_size": integer(vocabularySize),
    ]
    let tokens: JSONObject = [
      "bos_token_id": token(beginTokenID), "eos_token_id": end, "pad_token_id": token(padTokenID),
    ]
    return try ModelConfiguration(json: object, generation: tokens, path: "the new model")
  }
}
