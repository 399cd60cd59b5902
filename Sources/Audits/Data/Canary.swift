// Whether a model remembers a row word for word, measured by secrets that were planted for it.
//
// A canary is a prompt with a random secret of d digits. With the secret's log-probability ranked among those of all
// 10^d secrets that it could have been, the least likely last,
//
//   exposure = log2 10^d − log2 rank
//
// in bits: about 1.4 on average for a canary that was never seen, d log2 10 for one that is known by heart. Where not all
// secrets are tried, the rank is that among m random ones and the secret, and the exposure at most log2(m + 1).
// Source: Carlini et al. 2019, "The Secret Sharer", arXiv 1802.08232, definitions 2 to 5.

import Foundation
import Rollouts
import Tensors

/// A planted secret.
public struct Canary: Sendable, Equatable {
  /// What is asked.
  public var prompt: String
  /// What was planted.
  public var secret: String
  /// How often it stands in the data; 0 is a control.
  public var copies: Int

  /// A canary of its parts.
  public init(prompt: String, secret: String, copies: Int) {
    (self.prompt, self.secret, self.copies) = (prompt, secret, copies)
  }

  /// Canaries with random secrets.
  /// - Parameters:
  ///   - copies: How often each stands in the data, in turn.
  ///   - template: The prompt, with `{}` where its number stands.
  public static func make(
    _ count: Int, copies: [Int], digits: Int, template: String, seed: UInt64
  ) -> [Canary] {
    let stream = Philox(seed: seed, purpose: .data, step: 2)
    return (0..<count).map { index in
      Canary(
        prompt: template.replacing("{}", with: String(index + 1)),
        secret: text(digits: digits, stream, at: index),
        copies: copies.isEmpty ? 1 : copies[index % copies.count])
    }
  }

  private static func text(digits: Int, _ stream: Philox, at index: Int) -> String {
    (0..<digits).map { String(stream.integer(below: 10, at: index * digits + $0)) }.joined()
  }

  /// Secrets that it could have been, without its own: all of them where they are no more than `limit`, otherwise
  /// random ones.
  public func candidates(limit: Int, seed: UInt64) -> (secrets: [String], isComplete: Bool) {
    let digits = secret.count
    let space = pow(10, Double(digits))
    if space - 1 <= Double(limit) {
      let all = (0..<Int(clamping: space)).map { number -> String in
        let text = String(number)
        return String(repeating: "0", count: digits - text.count) + text
      }
      return (all.filter { $0 != secret }, true)
    }
    let stream = Philox(seed: seed, purpose: .data, step: 3)
    var chosen: Set<String> = []
    var list: [String] = []
    var index = 0
    while list.count < limit {
      let text = Self.text(digits: digits, stream, at: index)
      index += 1
      if text != secret, chosen.insert(text).inserted { list.append(text) }
    }
    return (list, false)
  }
}

/// What a canary's rank says.
public struct Exposure: Sendable, Equatable {
  /// The rank of the secret, from 1: how many candidates are at least as likely, and itself.
  public var rank: Int
  /// How many secrets were ranked, its own included.
  public var tried: Int

  /// Ranks a secret among candidates by their log-probabilities; of equals the secret is last.
  public init(secret: Double, candidates: [Double]) {
    rank = 1 + candidates.count { $0 >= secret }
    tried = candidates.count + 1
  }

  /// log2 of tried − log2 of rank.
  public var bits: Double { log2(Double(tried)) - log2(Double(rank)) }

  /// The probability of so good a rank had the secret never been seen.
  public var pValue: Double { Double(rank) / Double(tried) }
}

extension Canary {
  /// Rows with planted ones at random places among them; the others keep their order.
  public static func spread(
    _ planted: [JSONObject], among rows: [JSONObject], seed: UInt64
  ) -> [JSONObject] {
    let total = rows.count + planted.count
    let places = Set(
      Philox(seed: seed, purpose: .data, step: 4).permutation(of: total).prefix(planted.count))
    // Copies of a canary stand apart: which of them comes where is drawn too.
    let order = Philox(seed: seed, purpose: .data, step: 5).permutation(of: planted.count)
    var (nextPlanted, nextRow) = (0, 0)
    return (0..<total).map { place in
      if places.contains(place) {
        nextPlanted += 1
        return planted[order[nextPlanted - 1]]
      }
      nextRow += 1
      return rows[nextRow - 1]
    }
  }
}
