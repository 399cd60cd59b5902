/// An input from which no objective can be computed.
public enum ObjectiveError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A number that is not finite: which, of which completion, at which token.
  case notFinite(name: String, completion: Int, token: Int?, value: Double)
  /// An array whose length isn't the completion's.
  case wrongLength(name: String, completion: Int, expected: Int, found: Int)
  /// An array that the settings need and the completion lacks.
  case missing(name: String, completion: Int, because: String)
  /// A result that overflowed although every input is finite.
  case overflow(completion: Int, largestRatio: Double)
  /// Anything else about the shape of the input.
  case malformed(String)

  /// What is wrong, where, and what to do, in a sentence.
  public var description: String {
    switch self {
    case .notFinite(let name, let completion, let token, let value):
      let place = token.map { ", token \($0)" } ?? ""
      return
        "\(name) of completion \(completion)\(place) is \(value): the objective needs finite numbers"
    case .wrongLength(let name, let completion, let expected, let found):
      return
        "\(name) of completion \(completion) has \(found) numbers where the completion has \(expected) tokens"
    case .missing(let name, let completion, let because):
      return "completion \(completion) has no \(name), which \(because) needs"
    case .overflow(let completion, let largestRatio):
      return
        "the loss of completion \(completion) is not finite (its largest ratio is \(largestRatio)): "
        + "the policy has drifted too far from the one that sampled it; set delta or log_ratio_clamp"
    case .malformed(let reason): return reason
    }
  }
}

extension [Double] {
  /// Throws where the array has another length than its completion, or a number that isn't finite.
  func check(_ name: String, completion: Int, length: Int) throws(ObjectiveError) {
    guard count == length else {
      throw .wrongLength(name: name, completion: completion, expected: length, found: count)
    }
    for token in indices where !self[token].isFinite {
      throw .notFinite(name: name, completion: completion, token: token, value: self[token])
    }
  }
}
