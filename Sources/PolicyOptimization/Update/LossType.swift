// The loss types of TRL (GRPOConfig.loss_type): each is a surrogate and a normaliser.

/// TRL's name for a surrogate and a normaliser together.
public enum LossType: String, SettingChoice {
  case grpo
  case bnpo
  case drGRPO = "dr_grpo"
  case dapo
  case cispo
  case sapo
  case luspo
  case vespo

  /// The surrogate of this loss type.
  public var surrogate: SurrogateKind {
    switch self {
    case .grpo, .bnpo, .drGRPO, .dapo, .luspo: .clip
    case .cispo: .cispo
    case .sapo: .sapo
    case .vespo: .vespo
    }
  }

  /// The normaliser of this loss type.
  public var normalizer: Normalizer {
    switch self {
    case .grpo, .sapo: .sequenceMean
    case .bnpo: .tokenMean
    case .drGRPO: .constant
    case .dapo, .cispo, .vespo: .rolloutTokenMean
    case .luspo: .sequenceSum
    }
  }

  /// The surrogate and the normaliser in words.
  public var meaning: String { "\(surrogate.rawValue) over \(normalizer.rawValue)" }
}
