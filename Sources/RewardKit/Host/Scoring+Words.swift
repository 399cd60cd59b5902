import Rollouts

extension Scoring {
  /// The scoring with its sentences for people made anew.
  func mappingWords(_ transform: (String) -> String) -> Scoring {
    switch self {
    case .failed(let error): return .failed(error: transform(error))
    case .unscorable(let reason): return .unscorable(reason: transform(reason))
    case .scored(var score):
      score.reason = score.reason.map(transform)
      return .scored(score)
    }
  }
}

extension String {
  /// The text with `0x…` for every address in memory: equal runs say the same.
  ///
  /// An address is what stands after "at ", as Python prints objects, or a number as long as a pointer.
  var withoutAddresses: String {
    guard contains("0x") else { return self }
    var result = ""
    var rest = self[...]
    while let place = rest.firstRange(of: "0x") {
      let digits = rest[place.upperBound...].prefix(while: \.isHexDigit)
      result += rest[..<place.lowerBound]
      let isAddress = digits.count >= 11 || digits.count >= 6 && result.hasSuffix("at ")
      result += isAddress ? "0x…" : "0x\(digits)"
      rest = rest[digits.endIndex...]
    }
    return result + rest
  }
}
