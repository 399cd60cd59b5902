// How a router's logits become experts and weights.
//
//     s = softmax(z)  or  σ(z)                                   scores of all experts
//     v = s + b                                                  what is chosen by; b a selection bias, or none
//     groups: only experts of the `chosen` best groups may be chosen, a group's value being its best v or its best two's sum
//     T = the k greatest v                                       ties go to the lower expert
//     w = s_T,  w ← w / (Σ w + ε) where they are normalised,  w ← c · w
//
// A softmax over the chosen logits alone (gpt-oss) is the softmax over all, normalised over the chosen.
//
// Sources: Jiang et al. 2024 (Mixtral, arXiv 2401.04088); DeepSeek-AI 2024 (V2, arXiv 2405.04434, section 2.1.2; V3, arXiv
// 2412.19437, equations 12 to 16).

/// The rule by which a router chooses experts and weighs them.
public struct ExpertRouting: Sendable, Hashable {
  /// How logits become scores.
  public enum Scores: Sendable, Hashable {
    /// Over all experts.
    case softmax
    /// Each expert by itself.
    case sigmoid
  }

  /// Experts in groups of consecutive ones, of which only the best take part.
  public struct Groups: Sendable, Hashable {
    /// How many groups there are; it divides the number of experts.
    public var count: Int
    /// How many of them take part.
    public var chosen: Int
    /// Whether a group's value is the sum of its two best experts', and not that of its best.
    public var addsTopTwo: Bool

    /// Makes groups.
    public init(count: Int, chosen: Int, addsTopTwo: Bool) {
      self.count = count
      self.chosen = chosen
      self.addsTopTwo = addsTopTwo
    }
  }

  /// E.
  public var expertCount: Int
  /// k, the experts that a token is sent to.
  public var chosenCount: Int
  /// How logits become scores.
  public var scores: Scores
  /// Limits on what may be chosen.
  public var groups: Groups?
  /// Whether the weights of a token's experts are divided by their sum.
  public var normalizes: Bool
  /// ε, added to the sum that weights are divided by.
  public var normalizerEpsilon: Float
  /// c, what weights are multiplied by.
  public var scale: Float

  /// Makes a rule.
  public init(
    expertCount: Int, chosenCount: Int, scores: Scores = .softmax, groups: Groups? = nil,
    normalizes: Bool, normalizerEpsilon: Float = 0, scale: Float = 1
  ) {
    self.expertCount = expertCount
    self.chosenCount = chosenCount
    self.scores = scores
    self.groups = groups
    self.normalizes = normalizes
    self.normalizerEpsilon = normalizerEpsilon
    self.scale = scale
  }
}
