import Foundation
import Testing

/// The field's words, not our own: a reader should not have to learn a dialect.
@Suite("Words that are not ours to use")
struct WordsTests {
  /// What is not said, as a pattern without regard to case, and what is said instead.
  private static let phrases: [(pattern: String, instead: String)] = [
    (#"made from nothing|from nothing\b"#, "randomly initialised"),
    (#"\b(takes?|taken|taking|took) up\b"#, "resumed"),
    (#"\bkeepers?\b"#, "supervisor"),
    (#"circumstance"#, "nondeterministic column, host, condition"),
    (#"\bimitat"#, "SFT examples, supervised fine-tuning"),
    (#"(?<!there )\bis no (setting|option|number|preset|reward)\b(?! of its own)"#, "is not a …"),
    (#"\b(can't|cannot) be had\b"#, "cannot be combined with"),
    (#"\bslopes?\b|[a-z]Slope"#, "gradient"),
    (#"\bthe course of\b"#, "schedule"),
    (
      #"\b(tokens?|nats|bytes|seconds|completions|updates|rows|problems|prompts|floats|values?|one|once|lines?)"#
        + #"[\s/]+an?[\s/]+(token|second|completion|step|row|problem|prompt|update|group|line|parameter|page|run)\b"#
        + #"(?!( of)? (asks|has|starts|votes|gave|was|that|which|belongs)|'s)"#,
      "per …"
    ),
  ]

  /// Where a phrase stands for something else, or for the past.
  private static let exceptions = [
    // The verb 'to score' or 'to reward', not a count.
    "score a run", "Rewards a completion that", "than its group a completion",
    // The mark of format 1 of the log, which is still read.
    "[circumstance", "contains(\"circumstance\")", "What was called circumstance",
    "*circumstance* is called",
  ]
  private static let exemptFiles = ["WordsTests.swift", "SchemaVersion1.swift"]
  private static let endings: Set = [
    "swift", "c", "h", "md", "txt", "py", "sh", "js", "html", "sql",
  ]

  private static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  @Test("stand in no source, message, help text or page", arguments: phrases.indices)
  func absent(_ index: Int) throws {
    let phrase = Self.phrases[index]
    let expression = try NSRegularExpression(pattern: phrase.pattern, options: .caseInsensitive)
    for (name, text) in try Self.texts.get() {
      for match in expression.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
        let range = try #require(Range(match.range, in: text))
        let lines = text.lineRange(for: range)
        guard !Self.exceptions.contains(where: { text[lines].contains($0) }) else { continue }
        let number = text[..<range.lowerBound].count { $0.isNewline } + 1
        Issue.record("\(name):\(number) says '\(text[range])': write '\(phrase.instead)'")
      }
    }
  }

  @Test("are found where they stand")
  func found() throws {
    let said = [
      "a policy made from nothing", "a run that is taken up", "the keeper", "circumstances",
      "rows to imitate", "x is no setting", "beta can't be had with", "the slope",
      "the course of the rate", "tokens a\n  /// step",
    ]
    #expect(said.count == Self.phrases.count)
    for (sentence, phrase) in zip(said, Self.phrases) {
      let expression = try NSRegularExpression(pattern: phrase.pattern, options: .caseInsensitive)
      #expect(
        expression.firstMatch(in: sentence, range: NSRange(sentence.startIndex..., in: sentence))
          != nil, "\(sentence)")
    }
  }

  /// Every text of the project by its name.
  private static let texts = Result { () throws -> [(name: String, text: String)] in
    var texts: [(String, String)] = []
    var names = ["README.md", "CHANGELOG.md"]
    for folder in ["Sources", "Rewards", "docs", "Tests", "Datasets"] {
      let root = package.appendingPathComponent(folder).path
      let files = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
      names += files.sorted().map { folder + "/" + $0 }
    }
    for name in names {
      let file = URL(fileURLWithPath: name, relativeTo: package)
      guard endings.contains(file.pathExtension), !exemptFiles.contains(file.lastPathComponent),
        let text = try? String(contentsOf: file, encoding: .utf8)
      else { continue }
      texts.append((name, text))
    }
    #expect(texts.count > 300)
    return texts
  }
}
