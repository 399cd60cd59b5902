import RewardKit

/// The answer that a completion commits itself to.
///
/// It is the last mark of the first kind that occurs. Marks behind the last `</think>` count alone
/// where there are any. Boxes side by side, as `\boxed{1} and \boxed{2}`, are one answer: a list.
struct StatedAnswer {
  /// The marked text; of boxes side by side their contents with commas between.
  let text: String
  /// What the last mark alone holds.
  let lastMark: String
  /// What the marks side by side hold, of which `text` is made; one where it stands alone.
  let parts: [String]
  /// Texts that are marked before and differ from it.
  let others: [String]
  /// How often the kind of mark occurs.
  let count: Int
  /// How often this answer is marked, as far as the last marks show.
  let repeats: Int
  /// The kind.
  let mark: AnswerMark

  /// The answer that is marked; nil without a mark.
  init?(in text: String, marks: [AnswerMark]) {
    if let thought = text.places(of: "</think>").last,
      let answer = Self(within: String(text[thought.upperBound...]), marks: marks)
    {
      self = answer
    } else {
      self.init(within: text, marks: marks)
    }
  }

  private init?(within text: String, marks: [AnswerMark]) {
    for mark in marks {
      let marked = mark.marked(in: text)
      guard let last = marked.last.last else { continue }
      let groups =
        mark == .boxed ? Self.joined(marked.last, in: text) : marked.last.map { [$0.content] }
      let texts = groups.map { group in
        group.allSatisfy { $0 == group[0] } ? group[0] : group.joined(separator: ", ")
      }
      self.text = texts.last ?? last.content
      parts = groups.last ?? [last.content]
      lastMark = last.content
      var others: [String] = []
      for text in texts where text != self.text && !others.contains(text) { others.append(text) }
      self.others = others
      count = marked.count
      repeats = marked.last.count { $0.content == last.content }
      self.mark = mark
      return
    }
    return nil
  }

  /// The contents of boxes, those side by side as one.
  private static func joined(_ places: [AnswerMark.Place], in text: String) -> [[String]] {
    var groups: [[String]] = []
    var end = text.startIndex
    for place in places {
      if !groups.isEmpty, isLink(text[end..<place.range.lowerBound]) {
        groups[groups.count - 1].append(place.content)
      } else {
        groups.append([place.content])
      }
      end = place.range.upperBound
    }
    return groups
  }

  /// Whether a text between two boxes makes one answer of them: nothing, signs, "and".
  private static func isLink(_ between: Substring) -> Bool {
    guard between.utf8.count <= 40, between.firstRange(of: "\n\n") == nil else { return false }
    let plain = ["\\quad", "\\qquad", "\\text", "\\mathrm"].reduce(String(between)) {
      $0.replacing($1, with: " ")
    }
    let words = plain.lowercased().split { !$0.isLetter }.map(String.init)
    if words.isEmpty { return !between.contains { "=<>≈→".contains($0) } }
    let isEnumeration = words.contains("and") || words.contains("or")
    let concludes = ["so", "thus", "hence", "therefore", "answer", "is", "not", "then", "get"]
    return isEnumeration && words.count <= 6 && !words.contains { concludes.contains($0) }
  }
}

extension RewardParameters {
  /// The kinds of marks that a reward is to look for.
  func answerMarks() throws(RewardParameterError) -> [AnswerMark] {
    let marks = texts("marks").compactMap(AnswerMark.init(rawValue:))
    guard marks.count == texts("marks").count, !marks.isEmpty else {
      let known = AnswerMark.allCases.map(\.rawValue).joined(separator: ", ")
      throw RewardParameterError(["parameter \"marks\" takes a list of: \(known)"])
    }
    return marks
  }

  /// How often the same answer may be marked.
  var markLimit: Int { integer("mark_limit") }
}

extension RewardParameter {
  static let markLimit = RewardParameter(
    "mark_limit", .integer(1...64), default: 5,
    "how often the same answer may be marked: said more often it is none")
}

extension AnswerMark {
  /// How a score's reason calls so many of them: "three boxes".
  func counted(_ count: Int) -> String {
    let names = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    let number = (1...9).contains(count) ? names[count - 1] : "\(count)"
    switch self {
    case .boxed: return number + (count == 1 ? " box" : " boxes")
    case .tag: return number + (count == 1 ? " <answer>" : " <answer>s")
    case .hashes: return number + " ####"
    case .words: return number + (count == 1 ? " stated answer" : " stated answers")
    }
  }
}
