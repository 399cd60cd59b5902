// The plain policy gradient (REINFORCE, Williams 1992), with no ratio and no clip:
//
//   L = −A·log π_θ
//
// RLOO (arXiv 2402.14740 §3.2), nanochat's `chat_rl.py`, NeMo's `disable_ppo_ratio`.

struct PolicyGradientSurrogate: Surrogate {
  func term(ratio: Double, advantage: Double, logProbability: Double, weight: SequenceWeight)
    -> SurrogateTerm
  {
    SurrogateTerm(value: -advantage * logProbability, logProbabilityGradient: -advantage)
  }
}
