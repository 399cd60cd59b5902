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

  /// A marked text: its content, and where mark and content stand.
  typealias Place = (content: String, range: Range<String.Index>)

  /// The most marks that are looked into, which keeps the work linear in the text.
  private static let most = 64
  /// The longest content of a box, in Unicode scalars.
  private static let longest = 4000

  /// How many marks there are, and the last of them, in order.
  ///
  /// After `####` and words: the rest of the line. In a box or tag: its content.
  func marked(in text: String) -> (count: Int, last: [Place]) {
    switch self {
    case .hashes: return Self.last(text.places(of: "####")) { Self.restOfLine(after: $0, in: text) }
    case .boxed: return Self.last(text.places(of: "\\boxed")) { Self.box(after: $0, in: text) }
    case .tag: return Self.last(text.places(of: "<answer>")) { Self.tag(after: $0, in: text) }
    case .words:
      return Self.last(Self.wordMarks(in: text)) { Self.restOfLine(after: $0, in: text) }
    }
  }

  private static func last(
    _ ranges: [Range<String.Index>], content: (String.Index) -> (String, String.Index)?
  ) -> (count: Int, last: [Place]) {
    var places: [Place] = []
    for range in ranges.suffix(most) {
      // A box within a box is part of it.
      if let previous = places.last, range.lowerBound < previous.range.upperBound { continue }
      guard let (content, end) = content(range.upperBound) else { continue }
      places.append((content, range.lowerBound..<end))
    }
    return (max(0, ranges.count - most) + places.count, places)
  }

  private static func wordMarks(in text: String) -> [Range<String.Index>] {
    // "the answer is not …" states none.
    let phrases = (text.places(of: "answer is") + text.places(of: "Answer is")).filter { range in
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

  private static func restOfLine(
    after start: String.Index, in text: String
  ) -> (String, String.Index) {
    let line = text[start...].prefix { !$0.isNewline }
    var rest = line
    // <answer>#### 18</answer>, #### 18<|im_end|>
    for ending in ["</", "<|"] {
      if let range = rest.firstRange(of: ending) { rest = rest[..<range.lowerBound] }
    }
    while let first = rest.first, first == ":" || first == "*" || first.isWhitespace {
      rest.removeFirst()
    }
    while let last = rest.last {
      let isBold = last == "." && rest.dropLast().last == "*"
      guard last == "*" || last.isWhitespace || isBold else { break }
      rest.removeLast()
    }
    return (String(rest), line.endIndex)
  }

  /// The content of `\boxed{…}` with its braces matched, or of `\boxed 3`.
  private static func box(after start: String.Index, in text: String) -> (String, String.Index)? {
    let scalars = text.unicodeScalars
    var at = start
    while at < scalars.endIndex, scalars[at] == " " { at = scalars.index(after: at) }
    guard at < scalars.endIndex else { return nil }
    guard scalars[at] == "{" else {
      let word = text[at...].prefix { !$0.isWhitespace && $0 != "$" }
      return (String(word), word.endIndex)
    }
    var depth = 0
    var length = 0
    let begin = scalars.index(after: at)
    while at < scalars.endIndex, length <= longest {
      let next = scalars.index(after: at)
      switch scalars[at] {
      // \{ and \} are braces that are printed.
      case "\\" where next < scalars.endIndex && "{}".unicodeScalars.contains(scalars[next]):
        at = scalars.index(after: next)
        length += 2
        continue
      case "{": depth += 1
      case "}": depth -= 1
      default: break
      }
      if depth == 0 { return (String(scalars[begin..<at]), next) }
      at = next
      length += 1
    }
    return nil
  }

  private static func tag(after start: String.Index, in text: String) -> (String, String.Index)? {
    text[start...].firstRange(of: "</answer>").map { closing in
      (text[start..<closing.lowerBound].trimmed(), closing.upperBound)
    }
  }
}
