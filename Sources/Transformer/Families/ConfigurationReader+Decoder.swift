// What many families' config.json have in common, so that a family's file says only what is its own.

import Rollouts
import Tensors

/// The sizes of a decoder, under the names that Llama gave them.
struct DecoderSizes {
  var hiddenSize: Int
  var layerCount: Int
  var vocabularySize: Int
  var maximumPositions: Int
  var normEpsilon: Float
  var tiesEmbeddings: Bool
  /// Of the stream's norms.
  var normKind = Norm.Kind.rms
  var normHasBias = false

  /// A decoder of Llama's form: norms before both parts of each layer and before the head.
  /// - Parameter parts: The parts of a layer.
  func preNormDesign(
    _ parts: (_ layer: Int) -> (any AttentionDesign, any FeedForwardDesign)
  ) -> ModelDesign {
    ModelDesign(
      hiddenSize: hiddenSize, vocabularySize: vocabularySize, maximumPositions: maximumPositions,
      layers: (0..<layerCount).map { layer in
        let (attention, feedForward) = parts(layer)
        return LayerDesign(
          prefix: "model.layers.\(layer).", attention: attention, feedForward: feedForward,
          aroundAttention: Surroundings(normBefore: norm("input_layernorm")),
          aroundFeedForward: Surroundings(normBefore: norm("post_attention_layernorm")))
      },
      finalNorm: norm("model.norm"), tiesEmbeddings: tiesEmbeddings)
  }

  /// A decoder of Gemma's form: norms around one before and after both parts of each layer, embeddings times √C.
  /// - Parameter parts: The parts of a layer.
  func doublyNormedDesign(
    _ parts: (_ layer: Int) -> (any AttentionDesign, any FeedForwardDesign)
  ) -> ModelDesign {
    var design = preNormDesign(parts)
    for layer in design.layers.indices {
      design.layers[layer].aroundAttention = Surroundings(
        normBefore: norm("input_layernorm", .rmsAroundOne),
        normAfter: norm("post_attention_layernorm", .rmsAroundOne))
      design.layers[layer].aroundFeedForward = Surroundings(
        normBefore: norm("pre_feedforward_layernorm", .rmsAroundOne),
        normAfter: norm("post_feedforward_layernorm", .rmsAroundOne))
    }
    design.finalNorm.kind = .rmsAroundOne
    design.embeddingScale = Float(Double(hiddenSize).squareRoot())
    return design
  }

  /// A norm of the stream.
  /// - Parameter kind: nil for the family's usual one.
  func norm(_ name: String, _ kind: Norm.Kind? = nil) -> NormDesign {
    NormDesign(
      name: name, columns: hiddenSize, epsilon: normEpsilon, kind: kind ?? normKind,
      hasBias: normHasBias)
  }

  /// A window of attention, nil where the longest sequence fits into it.
  func window(_ size: Int?) -> Int? {
    size.flatMap { $0 < maximumPositions ? $0 : nil }
  }
}

/// How many heads attention has, and how wide they are.
struct HeadSizes {
  /// H.
  var count: Int
  /// K.
  var keyValueCount: Int
  /// D.
  var size: Int

  /// 1 / √D.
  var scale: Float { 1 / Float(size).squareRoot() }
}

extension ConfigurationReader {
  /// The greatest sizes that are believed; each is beyond any published model.
  enum Limits {
    static let hiddenSize = 1 << 17
    static let intermediateSize = 1 << 20
    static let layerCount = 4096
    static let headCount = 4096
    static let headSize = 4096
    static let vocabularySize = 1 << 24
    static let positions = 1 << 30
  }

  /// The sizes of a decoder.
  ///
  /// The parameters are what the family assumes where the file leaves a key out.
  mutating func decoderSizes(
    maximumPositions: Int, normEpsilon: Double = 1e-6, epsilonKey: String = "rms_norm_eps",
    tiesEmbeddings: Bool = false
  ) -> DecoderSizes {
    DecoderSizes(
      hiddenSize: integer("hidden_size", in: 1...Limits.hiddenSize),
      layerCount: integer("num_hidden_layers", in: 1...Limits.layerCount),
      vocabularySize: integer("vocab_size", in: 1...Limits.vocabularySize),
      maximumPositions: integer(
        "max_position_embeddings", in: 1...Limits.positions, default: maximumPositions),
      normEpsilon: Float(positiveNumber(epsilonKey, below: 1) ?? normEpsilon),
      tiesEmbeddings: boolean("tie_word_embeddings", default: tiesEmbeddings))
  }

  /// The heads of grouped-query attention.
  /// - Parameters:
  ///   - keyValueCount: What the family assumes where the file leaves it out; nil for one for each query head.
  ///   - size: The same of the head size; nil for `hidden_size / num_attention_heads`.
  mutating func heads(
    of sizes: DecoderSizes, keyValueCount: Int? = nil, size: Int? = nil
  ) -> HeadSizes {
    let count = integer("num_attention_heads", in: 1...Limits.headCount)
    return HeadSizes(
      count: count, keyValueCount: keyValueHeadCount(headCount: count, default: keyValueCount),
      size: headSize(hiddenSize: sizes.hiddenSize, headCount: count, default: size))
  }

  private mutating func keyValueHeadCount(headCount: Int, default usual: Int?) -> Int {
    let key = "num_key_value_heads"
    // Only a key left out takes the family's number; null means one for each query head.
    let fallback = object[key] == nil ? usual ?? headCount : headCount
    let count = integer(key, in: 1...Limits.headCount, default: fallback)
    if !isFaulty("num_attention_heads"), headCount % count != 0 {
      note(key, "\(count) does not divide num_attention_heads (\(headCount))")
    }
    return count
  }

  private mutating func headSize(hiddenSize: Int, headCount: Int, default usual: Int?) -> Int {
    let key = "head_dim"
    let range = 2...Limits.headSize
    if let size = optionalInteger(key, in: range) ?? (object[key] == nil ? usual : nil) {
      if size % 2 != 0 { note(key, "\(size) is odd, and a rotary embedding rotates pairs") }
      return size
    }
    if isFaulty("hidden_size") || isFaulty("num_attention_heads") { return 2 }
    guard hiddenSize % headCount == 0 else {
      note("num_attention_heads", "\(headCount) does not divide hidden_size (\(hiddenSize))")
      return 2
    }
    let size = hiddenSize / headCount
    if !range.contains(size) || size % 2 != 0 {
      note(
        "num_attention_heads",
        "hidden_size / num_attention_heads is \(size), and a head's size must be even and at most "
          + "\(range.upperBound)")
    }
    return size
  }

  /// The rotation of whole heads.
  /// - Parameter theta: What the family assumes where the file leaves it out.
  /// - Throws: `ModelError` of kind `.unsupported` that names an embedding that isn't implemented.
  mutating func rotation(
    of heads: HeadSizes, maximumPositions: Int, theta: Double = 10_000
  ) throws(ModelError) -> Rotation {
    Rotation(
      embedding: try rotaryEmbedding(maximumPositions: maximumPositions, theta: theta),
      size: heads.size)
  }

  /// How many numbers of a head are rotated: `partial_rotary_factor` of them, in the object that describes the rotation or
  /// beside it.
  /// - Parameter usual: The share where the file leaves it out.
  mutating func rotatedSize(of heads: HeadSizes, default usual: Double = 1) -> Int {
    let key = "partial_rotary_factor"
    let outer = number(key, in: 0...1)
    var inner: Double?
    if let ropeKey = ropeKey(), let object = object[ropeKey]?.object {
      var reader = ConfigurationReader(object, path: path)
      inner = reader.number(key, in: 0...1)
      for fault in reader.faults { note("\(ropeKey).\(key)", fault.reason) }
    }
    let size = Int(Double(heads.size) * (inner ?? outer ?? usual))
    guard size >= 2, size % 2 == 0 else {
      note(key, "\(size) of \(heads.size) numbers of a head would be rotated, which are no pairs")
      return 2
    }
    return size
  }

  /// The gated feed-forward part.
  /// - Parameters:
  ///   - key: The key of its activation.
  ///   - activation: The only one that the family's models have.
  mutating func gatedFeedForward(
    of sizes: DecoderSizes, hasBias: Bool = false, key: String = "hidden_act",
    activation: Activation = .silu
  ) -> GatedFeedForward.Design {
    let intermediateSize = integer("intermediate_size", in: 1...Limits.intermediateSize)
    requireActivation(activation, key: key)
    return GatedFeedForward.Design(
      hiddenSize: sizes.hiddenSize, intermediateSize: intermediateSize, hasBias: hasBias,
      activation: activation)
  }

  /// Notes an activation that is not the family's.
  mutating func requireActivation(_ activation: Activation, key: String) {
    let names = Self.names(of: activation)
    if let name = string(key), !names.contains(name), !isFaulty(key) {
      note(key, "expected '\(names[0])', found \(quoted(name))")
    }
  }

  /// Transformers' names of an activation, the commonest first.
  private static func names(of activation: Activation) -> [String] {
    switch activation {
    case .silu: ["silu", "swish"]
    case .geluTanh: ["gelu_pytorch_tanh", "gelu_new", "gelu_fast"]
    }
  }

  /// The cap of a soft cap, c in c · tanh(x / c): null for none.
  /// - Parameter usual: What the family assumes where the key is left out.
  mutating func softCap(_ key: String, default usual: Float?) -> Float? {
    guard object[key] != nil else { return usual }
    return positiveNumber(key, below: 1e6).map { Float($0) }
  }

  /// - Throws: `ModelError` of kind `.unsupported` for a model whose tokens see those behind them.
  func refuseBidirectionalAttention() throws(ModelError) {
    let key = "use_bidirectional_attention"
    guard let value = value(key), value.bool != false else { return }
    throw ModelError(
      .unsupported, path: path, subject: key,
      "attention to later tokens is not supported: a policy writes from left to right")
  }

  // MARK: Windows of attention

  /// How many positions a token sees, on every layer.
  mutating func window(of sizes: DecoderSizes, default usual: Int?) -> Int? {
    let key = "sliding_window"
    let given = optionalInteger(key, in: 1...Limits.positions)
    return sizes.window(given ?? (object[key] == nil ? usual : nil))
  }

  /// How many positions a token sees on each layer, as transformers decides it from `use_sliding_window`,
  /// `max_window_layers` and `layer_types`.
  /// - Parameter isSliding: Which layers have a window where no list says so; nil for those from `max_window_layers` on.
  mutating func windowsByLayer(
    of sizes: DecoderSizes, default usual: Int?, isSliding: ((_ layer: Int) -> Bool)? = nil
  ) -> [Int?] {
    let key = "sliding_window"
    let given = optionalInteger(key, in: 1...Limits.positions)
    let isUsed = boolean("use_sliding_window", default: false)
    let firstLayer = integer("max_window_layers", in: 0...Int(Int32.max), default: 28)
    let size = isUsed ? given ?? (object[key] == nil ? usual : nil) : nil
    let layers = (0..<sizes.layerCount)
    guard let types = value("layer_types") else {
      return layers.map { (isSliding?($0) ?? ($0 >= firstLayer)) ? sizes.window(size) : nil }
    }
    let listed = slidingLayers(types, sizes.layerCount, hasWindow: size != nil)
    return layers.map { listed?[$0] == true ? sizes.window(size) : nil }
  }

  /// How many positions a token sees on each layer, where `layer_types` or, without it, a pattern says which layers have a
  /// window.
  /// - Parameters:
  ///   - usual: The window where the file leaves it out.
  ///   - isSliding: The family's pattern.
  mutating func windowsOfSlidingLayers(
    of sizes: DecoderSizes, default usual: Int, isSliding: (_ layer: Int) -> Bool
  ) -> (isSliding: [Bool], windows: [Int?]) {
    let key = "sliding_window"
    let size = optionalInteger(key, in: 1...Limits.positions) ?? (object[key] == nil ? usual : nil)
    let layers =
      value("layer_types").flatMap { slidingLayers($0, sizes.layerCount, hasWindow: size != nil) }
      ?? (0..<sizes.layerCount).map(isSliding)
    return (layers, layers.map { $0 ? sizes.window(size) : nil })
  }

  private mutating func slidingLayers(
    _ types: JSONValue, _ layerCount: Int, hasWindow: Bool
  ) -> [Bool]? {
    let key = "layer_types"
    guard let names = types.array, names.count == layerCount else {
      note(key, "expected a list of \(layerCount), one a layer, found \(Self.shown(types))")
      return nil
    }
    var layers: [Bool] = []
    for (layer, name) in names.enumerated() {
      switch name.string {
      case "full_attention": layers.append(false)
      case "sliding_attention" where hasWindow: layers.append(true)
      case "sliding_attention":
        note(key, "layer \(layer) has a sliding window, but no sliding_window is in use")
        return nil
      default:
        note(
          key,
          "layer \(layer): expected 'full_attention' or 'sliding_attention', found "
            + Self.shown(name))
        return nil
      }
    }
    return layers
  }
}
