// The policy term of one token, L(w, A, log π), before masks and normalisers. Each surrogate is one
// file.

/// Which surrogate the policy term is.
public enum SurrogateKind: String, SettingChoice {
  case clip
  case cispo
  case sapo
  case vespo
  case policyGradient = "policy_gradient"

  /// The surrogate as an equation.
  public var meaning: String {
    switch self {
    case .clip: "L = −min(min(w, δ)·A, clip(w, 1 − ε, 1 + ε_high)·A)"
    case .cispo: "L = −sg[bounded w]·A·log π"
    case .sapo: "L = −A·σ(τ(w − 1))·4/τ, τ by the sign of A"
    case .vespo: "L = −φ(W)·A·log π, φ = exp(λ + k log W − λW) without gradient, W = Π_t w_t"
    case .policyGradient: "L = −A·log π, no ratio"
    }
  }

  /// Whether the ratio enters the term.
  public var usesRatio: Bool { self != .policyGradient }
}

/// The value of a token's policy term and its derivatives.
struct SurrogateTerm {
  /// L.
  var value: Double
  /// dL / dw.
  var ratioGradient = 0.0
  /// dL / d log π with the ratio held fixed.
  var logProbabilityGradient = 0.0
}

/// A weight of a whole completion, without gradient, by the sign of the advantage; 1 but for VESPO.
struct SequenceWeight {
  /// For advantages of at least 0.
  var positive = 1.0
  /// For advantages below 0.
  var negative = 1.0

  subscript(advantage: Double) -> Double { advantage >= 0 ? positive : negative }
}

/// A policy term as a function of ratio, advantage and log-probability.
protocol Surrogate: Sendable {
  /// The term of one token.
  func term(ratio: Double, advantage: Double, logProbability: Double, weight: SequenceWeight)
    -> SurrogateTerm

  /// On which side, if any, the ratio is out of bounds for this advantage: −1 low, 1 high, 0
  /// inside.
  func clipSide(ratio: Double, advantage: Double) -> Int8
}

extension Surrogate {
  func clipSide(ratio: Double, advantage: Double) -> Int8 { 0 }
}

extension ObjectiveSettings {
  /// The surrogate that these settings describe.
  func makeSurrogate() -> any Surrogate {
    switch surrogate {
    case .clip: ClippedSurrogate(self)
    case .cispo: CISPOSurrogate(self)
    case .sapo: SAPOSurrogate(self)
    case .vespo: VESPOSurrogate(self)
    case .policyGradient: PolicyGradientSurrogate()
    }
  }
}
