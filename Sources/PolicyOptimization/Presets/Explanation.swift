import Rollouts

extension ObjectiveSettings {
  /// The objective in equations, one line for each part that acts, in the order of computation.
  public var equations: [(part: String, equation: String)] {
    var lines: [(part: String, equation: String)] = []
    lines.append(("reward", aggregation.meaning))
    if hasKLInReward && klPlacement == .reward { lines.append(("KL", klLine)) }
    lines.append(("advantage", advantageEquation))
    if supervision == .process { lines.append(("steps", supervision.meaning)) }
    if let advantageClip { lines.append(("clip", "A to ±\(advantageClip)")) }
    if hasKLInReward && klPlacement != .reward { lines.append(("KL", klLine)) }
    if whitening != .none {
      lines.append(
        (
          "whitening",
          "A ← (A − mean)/(\(epsilonPlacement.meaning)), \(deviation.meaning), over all tokens"
        ))
    }
    if surrogate.usesRatio { lines.append(("ratio", ratioEquation)) }
    lines.append(("policy term", surrogate.meaning + surrogateNumbers))
    if offPolicyMaskThreshold != nil || topEntropyQuantile < 1 || masksTruncatedCompletions {
      lines.append(("masks", maskWords))
    }
    if correctsSampler {
      lines.append(
        (
          "sampler",
          "L ×= u, \(samplerCorrection.meaning), max \(samplerCorrectionMaximum), for rollouts of another engine"
        ))
    }
    if hasKLInLoss { lines.append(("KL", klLine)) }
    lines.append(("loss", normalizer.meaning))
    if hasEntropyBonus {
      lines.append(("entropy", "J −= c·mean H, c = \(entropyCoefficient)"))
    }
    if iterations > 1 { lines.append(("iterations", "each rollout is passed \(iterations) times")) }
    if refreshesReference {
      lines.append(
        (
          "reference",
          "every \(referenceSyncSteps) updates: ref ← α·policy + (1 − α)·ref, α = \(referenceMixupAlpha)"
        ))
    }
    return lines
  }

  private var advantageEquation: String {
    let centred = baseline == .none ? "A = r" : "A = r − b, \(baseline.meaning)"
    if scaleRewards == .none && aggregation == .sumThenNormalize { return centred }
    let zero = leavesZeroDeviationUnscaled ? "; not divided where σ = 0" : ""
    return "\(centred); A /= \(epsilonPlacement.meaning), ε = \(advantageEpsilon), σ of the "
      + "\(scaleRewards.rawValue), \(deviation.meaning)\(zero)"
  }

  private var ratioEquation: String {
    importanceSamplingLevel.meaning + (logRatioClamp.map { ", log-ratio to ±\($0)" } ?? "")
  }

  private var surrogateNumbers: String {
    switch surrogate {
    case .clip:
      let cap = delta.map { ", δ = \($0)" } ?? ", δ = ∞"
      return "; ε = \(epsilon), ε_high = \(upperEpsilon)\(cap)"
    case .cispo: return "; \(cispoBounds.meaning), ε = \(epsilon), ε_high = \(upperEpsilon)"
    case .sapo: return "; τ = \(sapoTemperaturePositive) above 0, else \(sapoTemperatureNegative)"
    case .vespo:
      return "; (k, λ) = (\(vespoKPositive), \(vespoLambdaPositive)) for A ≥ 0, "
        + "else (\(vespoKNegative), \(vespoLambdaNegative))"
    case .policyGradient: return ""
    }
  }

  private var klLine: String {
    var line = "\(klPlacement.meaning), \(klEstimator.meaning), β = \(beta)"
    if klPlacement == .loss {
      if usesBiasCorrectionKL { line += ", k ×= w with gradient" }
      if klGradient != .estimator { line += "; gradient: \(klGradient.meaning)" }
    }
    if let klInputClamp { line += "; x to ±\(klInputClamp)" }
    if let klOutputClamp { line += "; k to ±\(klOutputClamp)" }
    return line
  }

  private var maskWords: String {
    var words: [String] = []
    if masksTruncatedCompletions { words.append("truncated completions out") }
    if let offPolicyMaskThreshold {
      words.append("A < 0 out where mean(log π_old − log π) > \(offPolicyMaskThreshold)")
    }
    if topEntropyQuantile < 1 {
      words.append("policy term of the top \(topEntropyQuantile) of tokens by entropy")
    }
    return words.joined(separator: "; ")
  }
}

extension Preset {
  /// The preset in words and equations, with its source's own numbers, for `grpo objective
  /// --explain`.
  public var explanation: String {
    let description = description
    func table(_ rows: [(String, String)]) -> String {
      let width = rows.reduce(0) { max($0, $1.0.count) }
      return rows.map { name, value in
        "  \(name)\(String(repeating: " ", count: width - name.count))  \(value)\n"
      }.joined()
    }
    var text = "\(rawValue): \(description.title)\n\(description.source)\n\n\(description.words)\n"
    text += "\nEquations\n" + table(settings.equations.map { ($0.part, $0.equation) })
    text += "\nSettings that differ from the defaults\n"
    text += changes.isEmpty ? "  none\n" : table(changes.map { ($0.key.name, $0.value) })
    text += "\nThe source's own, for information; the preset does not set them\n"
    text += table(description.information.map { ($0.name, $0.value) })
    if !description.notes.isEmpty {
      text += "\nNotes\n" + description.notes.map { "  - \($0)\n" }.joined()
    }
    return text
  }
}
