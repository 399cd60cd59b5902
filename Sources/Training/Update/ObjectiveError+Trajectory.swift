import PolicyOptimization

extension ObjectiveError {
  /// The completion that it is about, by its place in the update.
  var completion: Int? {
    switch self {
    case .notFinite(_, let completion, _, _), .wrongLength(_, let completion, _, _),
      .missing(_, let completion, _), .overflow(let completion, _):
      return completion
    case .malformed: return nil
    }
  }

  /// The number that isn't finite, where one is at fault, so that the update may be left out.
  var nonfiniteQuantity: String? {
    switch self {
    case .notFinite(let name, _, let token, _):
      return token.map { "\(name) of token \($0)" } ?? name
    case .overflow(_, let ratio): return "the loss (the largest ratio is \(ratio))"
    case .wrongLength, .missing, .malformed: return nil
    }
  }
}
