import Foundation

@testable import PolicyOptimization

/// The loss written down once more, straight from the equations, as a function of the policy `x` with
/// everything that has no gradient held at the policy `y`: what central differences differentiate.
struct ReferenceLoss {
  let numbers: RandomCase
  let settings: ObjectiveSettings

  func value(at x: [[Double]], stoppedAt y: [[Double]]) -> Double {
    let s = settings
    let rows = numbers.completions.indices
    let mask: [[Double]] = rows.map { i in
      let c = numbers.completions[i]
      let isOut = s.masksTruncatedCompletions && c.isTruncated
      return (0..<c.length).map { isOut ? 0 : c.mask?[$0] == false ? 0 : 1 }
    }
    let n = mask.map { $0.reduce(0, +) }
    let total = max(n.reduce(0, +), 1)
    var unmasked: [Double] = []
    for i in rows {
      for t in x[i].indices where mask[i][t] > 0 { unmasked.append(numbers.entropies[i][t]) }
    }
    unmasked.sort()
    let rank = (1 - s.topEntropyQuantile) * Double(unmasked.count - 1)
    let below = unmasked[Int(rank)]
    let above = unmasked[min(Int(rank) + 1, unmasked.count - 1)]
    let threshold = below + (rank - rank.rounded(.down)) * (above - below)
    var loss = 0.0
    var bonus = 0.0
    var bonusCount = 0.0
    for i in rows {
      let c = numbers.completions[i]
      let old = c.oldLogProbabilities ?? y[i]
      func mean(_ a: [Double], _ b: [Double]) -> Double {
        a.indices.reduce(0) { $0 + mask[i][$1] * (a[$1] - b[$1]) } / max(n[i], 1)
      }
      let u = correction(i, old: old, mask: mask[i])
      let isDropped =
        s.offPolicyMaskThreshold.map { mean(c.samplerLogProbabilities ?? old, y[i]) > $0 } ?? false
      let sequence = exp(mean(x[i], old))
      let stoppedSequence = exp(mean(y[i], old))
      var sum = 0.0
      for t in x[i].indices where mask[i][t] > 0 {
        let A = c.advantages[t]
        let w: Double
        let stoppedW: Double
        switch s.importanceSamplingLevel {
        case .token: (w, stoppedW) = (exp(x[i][t] - old[t]), exp(y[i][t] - old[t]))
        case .sequence: (w, stoppedW) = (sequence, stoppedSequence)
        case .sequenceToken:
          (w, stoppedW) = (stoppedSequence * exp(x[i][t] - y[i][t]), stoppedSequence)
        }
        var term = policyTerm(
          w, stoppedW: stoppedW, A, x[i][t], phi: phi(i, y[i], old, A, u, mask[i]))
        if isDropped && A < 0 { term = 0 }
        let isTop = s.topEntropyQuantile >= 1 || numbers.entropies[i][t] >= threshold
        if !isTop { term = 0 }
        if s.surrogate != .vespo { term *= u[t] }
        if isTop {
          bonus += numbers.entropies[i][t]
          bonusCount += 1
        }
        if s.beta != 0 && s.klPlacement == .loss {
          term +=
            s.beta * kl(x[i][t], stopped: y[i][t], c.referenceLogProbabilities?[t] ?? 0)
            * (s.usesBiasCorrectionKL ? w : 1)
        }
        sum += term
      }
      let B = Double(rows.count)
      switch s.normalizer {
      case .sequenceMean: loss += sum / max(n[i], 1) / B
      case .tokenMean, .rolloutTokenMean: loss += sum / total
      case .groupTokenMean:
        let members = rows.filter { numbers.completions[$0].group == c.group }
        let groups = Set(numbers.completions.map(\.group)).count
        loss += sum / max(members.reduce(0) { $0 + n[$1] }, 1) / Double(groups)
      case .constant: loss += sum / (B * Double(numbers.context.maxCompletionLength))
      case .sequenceSum: loss += sum / B
      }
    }
    return loss - s.entropyCoefficient * bonus / max(bonusCount, 1)
  }

  private func policyTerm(
    _ w: Double, stoppedW: Double, _ A: Double, _ logPi: Double, phi: Double
  ) -> Double {
    let s = settings
    let high = s.epsilonHigh ?? s.epsilon
    switch s.surrogate {
    case .clip:
      let capped = s.delta.map { min(w, $0) } ?? w
      return -min(capped * A, max(1 - s.epsilon, min(1 + high, w)) * A)
    case .cispo:
      let weight =
        s.cispoBounds == .cap ? min(stoppedW, high) : max(1 - s.epsilon, min(1 + high, stoppedW))
      return -weight * A * logPi
    case .sapo:
      let tau = A > 0 ? s.sapoTemperaturePositive : s.sapoTemperatureNegative
      return -A * 4 / tau / (1 + exp(-tau * (w - 1)))
    case .vespo: return -phi * A * logPi
    case .policyGradient: return -A * logPi
    }
  }

  private func phi(
    _ i: Int, _ y: [Double], _ old: [Double], _ A: Double, _ u: [Double], _ mask: [Double]
  ) -> Double {
    guard settings.surrogate == .vespo else { return 1 }
    let s = settings
    let ratio = y.indices.reduce(0) { $0 + mask[$1] * max(-20, min(20, y[$1] - old[$1])) }
    let logs = u.map { max(log(1e-8), min(20, log($0))) }
    let isSequence =
      s.samplerCorrection == .sequenceMask || s.samplerCorrection == .sequenceTruncate
    let extra = isSequence ? logs[0] : y.indices.reduce(0) { $0 + mask[$1] * logs[$1] }
    let logW = max(log(1e-8), min(20, ratio + extra))
    let (k, lambda) =
      A >= 0 ? (s.vespoKPositive, s.vespoLambdaPositive) : (s.vespoKNegative, s.vespoLambdaNegative)
    return exp(lambda + k * logW - lambda * exp(logW))
  }

  private func correction(_ i: Int, old: [Double], mask: [Double]) -> [Double] {
    let s = settings
    guard s.correctsSampler, numbers.completions[i].oldLogProbabilities != nil,
      let sampler = numbers.completions[i].samplerLogProbabilities
    else { return old.map { _ in 1 } }
    let difference = old.indices.map { mask[$0] * (old[$0] - sampler[$0]) }
    let raw: [Double]
    switch s.samplerCorrection {
    case .tokenMask, .tokenTruncate: raw = difference.map(exp)
    case .sequenceMask, .sequenceTruncate:
      raw = difference.map { _ in exp(difference.reduce(0, +)) }
    }
    let (low, high) = (s.samplerCorrectionMinimum ?? 0, s.samplerCorrectionMaximum)
    switch s.samplerCorrection {
    case .tokenTruncate, .sequenceTruncate: return raw.map { max(low, min(high, $0)) }
    case .tokenMask, .sequenceMask: return raw.map { $0 < low || $0 > high ? 0 : $0 }
    }
  }

  private func kl(_ x: Double, stopped y: Double, _ reference: Double) -> Double {
    func estimate(_ logPi: Double) -> Double {
      let limit = settings.klInputClamp ?? .infinity
      let d = max(-limit, min(limit, reference - logPi))
      let bound = settings.klOutputClamp ?? .infinity
      let value: Double
      switch settings.klEstimator {
      case .k1: value = -d
      case .k2: value = d * d / 2
      case .k3: value = exp(d) - d - 1
      case .abs: value = Swift.abs(d)
      }
      return max(-bound, min(bound, value))
    }
    switch settings.klGradient {
    case .estimator: return estimate(x)
    case .scoreFunction: return estimate(x) * exp(x - y)
    case .k2:
      let gradient = (y - reference) * (x - y) + (x - y) * (x - y) / 2
      return estimate(y) + gradient
    }
  }
}
