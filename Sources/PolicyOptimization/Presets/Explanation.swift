extension ObjectiveSettings {
  /// The objective in equations, one line for each part that acts, in the order of computation.
  public var equations: [(part: String, equation: String)] {
    var lines: [(part: String, equation: String)] = []
    lines.append(("reward", aggregation.meaning))
    if hasKLInReward && klPlacement == .reward { lines.append(("KL", klLine)) }
    lines.append(("advantage", advantageEquation))
    if supervision == .process { lines.append(("steps", supervision.meaning)) }
    if let advantageClip { lines.append(("clip", "A to ±\(advantageClip.shortText)")) }
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
          "L ×= u, \(samplerCorrection.meaning), max \(samplerCorrectionMaximum.shortText), for rollouts of another engine"
        ))
    }
    if hasKLInLoss { lines.append(("KL", klLine)) }
    lines.append(("loss", normalizer.meaning))
    if hasEntropyBonus {
      lines.append(("entropy", "J −= c·mean H, c = \(entropyCoefficient.shortText)"))
    }
    if iterations > 1 { lines.append(("iterations", "each rollout is passed \(iterations) times")) }
    if refreshesReference {
      lines.append(
        (
          "reference",
          "every \(referenceSyncSteps) updates: ref ← α·policy + (1 − α)·ref, α = \(referenceMixupAlpha.shortText)"
        ))
    }
    return lines
  }

  private var advantageEquation: String {
    let centred = baseline == .none ? "A = r" : "A = r − b, \(baseline.meaning)"
    if scaleRewards == .none && aggregation == .sumThenNormalize { return centred }
    let zero = leavesZeroDeviationUnscaled ? "; not divided where σ = 0" : ""
    return
      "\(centred); A /= \(epsilonPlacement.meaning), ε = \(advantageEpsilon.shortText), σ of the "
      + "\(scaleRewards.rawValue), \(deviation.meaning)\(zero)"
  }

  private var ratioEquation: String {
    importanceSamplingLevel.meaning
      + (logRatioClamp.map { ", log-ratio to ±\($0.shortText)" } ?? "")
  }

  private var surrogateNumbers: String {
    switch surrogate {
    case .clip:
      let cap = delta.map { ", δ = \($0.shortText)" } ?? ", δ = ∞"
      return "; ε = \(epsilon.shortText), ε_high = \(upperEpsilon.shortText)\(cap)"
    case .cispo:
      return
        "; \(cispoBounds.meaning), ε = \(epsilon.shortText), ε_high = \(upperEpsilon.shortText)"
    case .sapo:
      return
        "; τ = \(sapoTemperaturePositive.shortText) above 0, else \(sapoTemperatureNegative.shortText)"
    case .vespo:
      return
        "; (k, λ) = (\(vespoKPositive.shortText), \(vespoLambdaPositive.shortText)) for A ≥ 0, "
        + "else (\(vespoKNegative.shortText), \(vespoLambdaNegative.shortText))"
    case .policyGradient: return ""
    }
  }

  private var klLine: String {
    var line = "\(klPlacement.meaning), \(klEstimator.meaning), β = \(beta.shortText)"
    if klPlacement == .loss {
      if usesBiasCorrectionKL { line += ", k ×= w with gradient" }
      if klGradient != .estimator { line += "; gradient: \(klGradient.meaning)" }
    }
    if let klInputClamp { line += "; x to ±\(klInputClamp.shortText)" }
    if let klOutputClamp { line += "; k to ±\(klOutputClamp.shortText)" }
    return line
  }

  private var maskWords: String {
    var words: [String] = []
    if masksTruncatedCompletions { words.append("truncated completions out") }
    if let offPolicyMaskThreshold {
      words.append("A < 0 out where mean(log π_old − log π) > \(offPolicyMaskThreshold.shortText)")
    }
    if topEntropyQuantile < 1 {
      words.append("policy term of the top \(topEntropyQuantile.shortText) of tokens by entropy")
    }
    return words.joined(separator: "; ")
  }
}

extension Preset {
  /// The preset in words and equations, with its source's own numbers, for `grpo objective --explain`.
  ///
  /// - Parameter width: the greatest number of characters in a line.
  public func explanation(width: Int = 100) -> String {
    let description = description
    func table(_ rows: [(String, String)]) -> String {
      let column = 4 + rows.reduce(0) { max($0, $1.0.count) }
      return rows.map { name, value in
        let head = "  " + name
        let lines = Self.wrapped(value, width: max(width - column, 20))
        let margin = String(repeating: " ", count: column)
        let first = head + String(repeating: " ", count: column - head.count)
        return first + lines.joined(separator: "\n" + margin) + "\n"
      }.joined()
    }
    let words = Self.wrapped(description.words, width: width).joined(separator: "\n")
    var text = "\(rawValue): \(description.title)\n\(description.source)\n\n\(words)\n"
    text += "\nEquations\n" + table(settings.equations.map { ($0.part, $0.equation) })
    text += "\nSettings that differ from the defaults\n"
    text += table(changes.map { ($0.key.name, $0.value) })
    text += "\nThe source's own, for information; the preset does not set them\n"
    text += table(description.information.map { ($0.name, $0.value) })
    if !description.notes.isEmpty {
      text += "\nNotes\n" + table(description.notes.map { ("-", $0) })
    }
    return text
  }

  /// A text cut between words into lines of at most `width` characters, a longer word alone.
  private static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}
