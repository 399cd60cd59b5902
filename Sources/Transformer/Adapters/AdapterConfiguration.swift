import Rollouts

/// Which linear layers have low-rank adapters, of what rank, and how strongly they count.
///
///     y = x Wᵀ + b + s (x Aᵀ) Bᵀ,     A [r, inputs],  B [outputs, r]
///     s = α / r,  or α / √r where rank-stabilised
///
/// W and b are frozen. Sources: Hu et al. 2021 (LoRA, arXiv 2106.09685), section 4.1; Kalajdzievski
/// 2023 (rsLoRA, arXiv 2312.03732). Names and layout are PEFT's.
public struct AdapterConfiguration: Sendable, Equatable {
  /// r, the rank.
  public var rank: Int
  /// α, the scale before the rank divides it.
  public var alpha: Double
  /// Whether α is divided by √r instead of r.
  public var isRankStabilized: Bool
  /// Layers by their whole name or its last parts (`q_proj`), or `all-linear`.
  public var targets: [String]

  /// The values of α that are trained with, written and read: α/r is then a float32 of full precision.
  public static let alphas = 1e-30...1e9

  /// The word for every linear layer but the head.
  public static let allLinear = "all-linear"

  /// Makes a configuration.
  public init(
    rank: Int, alpha: Double, isRankStabilized: Bool = false, targets: [String] = [allLinear]
  ) {
    self.rank = rank
    self.alpha = alpha
    self.isRankStabilized = isRankStabilized
    self.targets = targets
  }

  /// s, what the adapters' output is multiplied by.
  public var scale: Float {
    Float(alpha / (isRankStabilized ? Double(rank).squareRoot() : Double(rank)))
  }

  /// Whether a layer such as `model.layers.0.self_attn.q_proj` has an adapter.
  public func adapts(_ layer: String) -> Bool {
    targets.contains { $0 == Self.allLinear || $0 == layer || layer.hasSuffix("." + $0) }
  }

  /// The adapters' tensors for a model: of each adapted layer A [r, inputs], then B [outputs, r].
  public func tensorLayout(for model: ModelConfiguration) -> [TensorSpecification] {
    model.blueprint(adapter: self).adapterTensors
  }

  /// How many numbers the adapters of a model have.
  public func parameterCount(for model: ModelConfiguration) -> Int {
    tensorLayout(for: model).map(\.count).saturatingSum
  }

  /// PEFT's name of a layer's A.
  static func tensorA(of layer: String) -> String { "\(tensorPrefix)\(layer)\(suffixA)" }
  /// PEFT's name of a layer's B.
  static func tensorB(of layer: String) -> String { "\(tensorPrefix)\(layer).lora_B.weight" }

  static let tensorPrefix = "base_model.model."
  static let suffixA = ".lora_A.weight"

  /// What can't be adapted in a model, a sentence each; empty where all is well.
  public func faults(for model: ModelConfiguration) -> [String] {
    let layers = model.linearLayers
    let known = Set(layers.compactMap { $0.name.split(separator: ".").last.map(String.init) })
    var faults = targets.filter { target in
      target != Self.allLinear
        && !layers.contains { $0.name == target || $0.name.hasSuffix("." + target) }
    }.map { target in
      let isOutside = ["lm_head", "embed_tokens"].contains(target)
      let nearest = Spelling.nearest(to: target, among: known.sorted())
      return "lora_target_modules \(quoted(target)) "
        + (isOutside
          ? "is not a layer that can have an adapter"
          : "is no linear layer of the model")
        + (nearest.map { "; did you mean '\($0)'?" }
          ?? "; take all-linear or some of \(known.sorted().joined(separator: ", "))")
    }
    let narrowest = layers.filter { adapts($0.name) }.compactMap { $0.shape.min() }.min()
    if let narrowest, rank > narrowest {
      faults.append(
        "lora_r \(rank) is above \(narrowest), the narrowest adapted layer's width; an adapter of "
          + "that rank is no smaller than what it adapts; lower lora_r")
    }
    return faults
  }
}
