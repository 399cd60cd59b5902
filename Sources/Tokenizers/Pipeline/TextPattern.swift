/// What a component looks for in text.
enum TextPattern: Sendable {
  case literal([UInt8])
  case known(KnownPattern)
  case regex(RegexProgram)
  /// Single scalars, each a match of its own.
  case scalar(@Sendable (UInt32, ScalarProperties) -> Bool)

  /// Visits the matches in order, without the gaps between them.
  @inline(__always)
  func forEachMatch(in bytes: UTF8Bytes, _ body: (Range<Int>) -> Void) {
    switch self {
    case .known(let pattern): pattern.forEachMatch(in: bytes, body)
    case .regex(let program):
      var search = RegexSearch(program, in: bytes)
      while let range = search.next() { body(range) }
    case .literal(let text):
      guard let first = text.first else { return }
      var index = 0
      while index + text.count <= bytes.count {
        if bytes[index] == first, text.count == 1 || bytes.matches(text, at: index) {
          body(index..<index + text.count)
          index += text.count
        } else {
          index += 1
        }
      }
    case .scalar(let belongs):
      let table = ScalarProperties.Table.shared
      var index = 0
      while index < bytes.count {
        let (value, length) = bytes.scalar(at: index)
        if belongs(value, table[value]) { body(index..<index + length) }
        index += length
      }
    }
  }

  /// The text with each match replaced.
  func replacing(in bytes: UTF8Bytes, with content: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 2)
    var end = 0
    forEachMatch(in: bytes) { range in
      result.append(contentsOf: bytes[end..<range.lowerBound])
      result.append(contentsOf: content)
      end = range.upperBound
    }
    result.append(contentsOf: bytes[end...])
    return result
  }
}

/// What becomes of the matches when text is split at them.
enum SplitBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"
}

/// A split of text at a pattern.
struct TextSplit: Sendable {
  var pattern: TextPattern
  var behavior: SplitBehavior
  /// Whether the text between matches is what is split at.
  var isInverted = false

  /// Visits the pieces in order; empty ones are left out.
  @inline(__always)
  func forEachPiece(in bytes: UTF8Bytes, _ body: (Range<Int>) -> Void) {
    if behavior == .isolated {
      var end = 0
      pattern.forEachMatch(in: bytes) { range in
        if range.lowerBound > end { body(end..<range.lowerBound) }
        if !range.isEmpty { body(range) }
        end = range.upperBound
      }
      if end < bytes.count { body(end..<bytes.count) }
    } else {
      for range in merged(cuts(in: bytes)) where !range.isEmpty { body(range) }
    }
  }

  private typealias Cut = (range: Range<Int>, isMatch: Bool)

  /// The whole text cut into matches and what lies between.
  private func cuts(in bytes: UTF8Bytes) -> [Cut] {
    var cuts: [Cut] = []
    var end = 0
    pattern.forEachMatch(in: bytes) { range in
      if range.lowerBound > end { cuts.append((end..<range.lowerBound, isInverted)) }
      cuts.append((range, !isInverted))
      end = range.upperBound
    }
    if end < bytes.count { cuts.append((end..<bytes.count, isInverted)) }
    return cuts
  }

  private func merged(_ cuts: [Cut]) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var wasMatch = false
    switch behavior {
    case .isolated: return cuts.map(\.range)
    case .removed: return cuts.filter { !$0.isMatch }.map(\.range)
    case .contiguous:
      for cut in cuts {
        if cut.isMatch == wasMatch, let last = pieces.last {
          pieces[pieces.count - 1] = last.lowerBound..<cut.range.upperBound
        } else {
          pieces.append(cut.range)
        }
        wasMatch = cut.isMatch
      }
    case .mergedWithPrevious:
      for cut in cuts {
        if cut.isMatch, !wasMatch, let last = pieces.last {
          pieces[pieces.count - 1] = last.lowerBound..<cut.range.upperBound
        } else {
          pieces.append(cut.range)
        }
        wasMatch = cut.isMatch
      }
    case .mergedWithNext:
      for cut in cuts.reversed() {
        if cut.isMatch, !wasMatch, let last = pieces.last {
          pieces[pieces.count - 1] = cut.range.lowerBound..<last.upperBound
        } else {
          pieces.append(cut.range)
        }
        wasMatch = cut.isMatch
      }
      pieces.reverse()
    }
    return pieces
  }
}
