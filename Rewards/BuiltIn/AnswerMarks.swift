// Where a completion states its answer: after a mark.
import RewardKit

/// A way of marking the answer.
enum AnswerMark: String, CaseIterable {
  /// `#### 18`, GSM8K's own.
  case hashes
  /// `\boxed{18}`.
  case boxed
  /// `<answer>18</answer>`.
  case tag
  /// A line that begins with `A:`, `Answer:`, `Final answer:`; or `the answer is 18`.
  case words

  /// How many marks there are, and what the last few of them mark, in order.
  ///
  /// After `####` and words: the rest of the line. In a box or tag: its content. Only the last few
  /// are looked into, which keeps the work linear in the text, whatever it holds.
  func marked(in text: String) -> (count: Int, last: [String]) {
    switch self {
    case .hashes: return Self.last(text.ranges(of: "####")) { Self.restOfLine(after: $0, in: text) }
    case .boxed:
      let ranges = text.ranges(of: "\\boxed")
      return Self.last(ranges) { Self.box(after: $0, in: text) }
    case .tag:
      return Self.last(text.ranges(of: "<answer>")) { Self.tag(after: $0, in: text) }
    case .words:
      let ranges = Self.wordMarks(in: text)
      return Self.last(ranges) { Self.restOfLine(after: $0, in: text) }
    }
  }

  private static func last(
    _ ranges: [Range<String.Index>], content: (String.Index) -> String?
  ) -> (count: Int, last: [String]) {
    (ranges.count, ranges.suffix(3).compactMap { content($0.upperBound) })
  }

  private static func wordMarks(in text: String) -> [Range<String.Index>] {
    // "the answer is not …" states none.
    let phrases = (text.ranges(of: "answer is") + text.ranges(of: "Answer is")).filter { range in
      !text[range.upperBound...].prefix(5).trimmed().hasPrefix("not")
    }
    var starts: [Range<String.Index>] = []
    for line in text.split(whereSeparator: \.isNewline) {
      let begin = line.drop { $0.isWhitespace || $0 == "*" }
      let head = begin.prefix(16).lowercased()
      for word in ["a:", "answer:", "final answer:"] where head.hasPrefix(word) {
        let end = begin.index(begin.startIndex, offsetBy: word.count)
        starts.append(begin.startIndex..<end)
        break
      }
    }
    return (phrases + starts).sorted { $0.lowerBound < $1.lowerBound }
  }

  private static func restOfLine(after start: String.Index, in text: String) -> String {
    var rest = text[start...].prefix { !$0.isNewline }
    while let first = rest.first, first == ":" || first == "*" || first.isWhitespace {
      rest.removeFirst()
    }
    while rest.last == "*" || rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }

  /// The content of `\boxed{…}` with its braces matched, or of `\boxed 3`.
  private static func box(after start: String.Index, in text: String) -> String? {
    let scalars = text.unicodeScalars
    var at = start
    while at < scalars.endIndex, scalars[at] == " " { at = scalars.index(after: at) }
    guard at < scalars.endIndex else { return nil }
    guard scalars[at] == "{" else {
      return String(text[at...].prefix { !$0.isWhitespace && $0 != "$" })
    }
    var depth = 0
    let begin = scalars.index(after: at)
    while at < scalars.endIndex {
      if scalars[at] == "{" { depth += 1 }
      if scalars[at] == "}" { depth -= 1 }
      if depth == 0 { return String(scalars[begin..<at]) }
      at = scalars.index(after: at)
    }
    return nil
  }

  private static func tag(after start: String.Index, in text: String) -> String? {
    let rest = text[start...]
    guard let closing = rest.firstRange(of: "</answer>") else { return nil }
    return rest[..<closing.lowerBound].trimmed()
  }
}

/// The answer that a completion commits itself to.
struct StatedAnswer {
  /// The marked text.
  var text: String
  /// What the last marks, at most three, mark; the answer is the last of them.
  var recent: [String]
  /// How often its kind of mark occurs.
  var count: Int
  /// Whether the same answer is marked three times or more: said over and over.
  var isRepeated: Bool

  /// The last mark of the first kind that occurs, in the order of the kinds.
  init?(in text: String, marks: [AnswerMark]) {
    for mark in marks {
      let marked = mark.marked(in: text)
      guard let last = marked.last.last else { continue }
      self.text = last
      recent = marked.last
      count = marked.count
      isRepeated = marked.last.count == 3 && marked.last.allSatisfy { $0 == last }
      return
    }
    return nil
  }
}
