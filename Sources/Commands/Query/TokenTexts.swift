import Foundation
import Rollouts
import TrajectoryStore

/// The texts of a run's tokens, from the tokenizer that the run saved.
struct TokenTexts {
  /// Finds the run's tokenizer; nil where the run folder holds none.
  init?(_ location: LogLocation) { return nil }

  /// A token's own text.
  func text(of id: TokenID) -> String { "\(id)" }
}
