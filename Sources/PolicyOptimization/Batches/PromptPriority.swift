// Prompts prioritised by solve rate. A prompt with success rate p gives rewards of variance p(1 −
// p): most is to be learnt at p = 1/2, nothing at 0 or 1. From s successes in n attempts, p is
// estimated as (s + 1)/(n + 2) (Laplace), so that a prompt never tried is as good as the best and
// none is given up for ever:
//
//   weight = p (1 − p) · 4        1 at p = 1/2

/// How often a prompt should be drawn, by its record.
public struct PromptRecord: Sendable, Hashable {
  /// Completions of the prompt that were scored.
  public var attempts: Int
  /// Of them, those that solved it.
  public var successes: Int

  /// Makes a record.
  public init(attempts: Int, successes: Int) {
    self.attempts = attempts
    self.successes = successes
  }

  /// The estimated success rate, strictly between 0 and 1.
  public var rate: Double { (Double(successes) + 1) / (Double(attempts) + 2) }

  /// The weight in drawing prompts, in (0, 1].
  public var weight: Double { 4 * rate * (1 - rate) }
}
