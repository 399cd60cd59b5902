// The form of a reasoning completion:
//
//   format:     r = [ the text is <think>…</think> <answer>…</answer>, each tag exactly once ]
//   tag_count:  r = (number of tags, opening and closing, that occur exactly once) / (2 · tags)
import RewardKit

/// Rewards a completion that is a row of tagged sections and nothing else.
public struct FormatReward: BuiltInReward {
  public static let about = BuiltInDescription(
    name: "format", summary: "1 where the text is <think>…</think><answer>…</answer>, else 0",
    category: .form, parameters: tagParameters,
    source: "DeepSeek-R1's format reward (arXiv 2501.12948 §2.2.2); TRL's think_format_reward with "
      + "tags: [\"think\"] and rest: true")

  fileprivate static let tagParameters = [
    RewardParameter("tags", .texts, default: ["think", "answer"], "the tags in their order"),
    RewardParameter(
      "prefix", .text, default: "",
      "what the prompt already began, such as \"<think>\": it is put before the completion"),
    RewardParameter(
      "rest", .flag, default: false, "whether text may follow the last closing tag"),
    RewardParameter("empty", .flag, default: false, "whether a section may be empty"),
  ]

  private let form: TaggedForm

  public init(parameters: RewardParameters) throws(RewardParameterError) {
    form = try TaggedForm(parameters)
  }

  public var range: ClosedRange<Double>? { 0...1 }

  public func score(_ completion: Completion, for problem: Problem) -> Score {
    Score(form.isFollowed(by: completion.text) ? 1 : 0)
  }

  public func goldCompletion(for problem: Problem) -> String? { form.example }
}

/// Rewards each tag that occurs exactly once.
public struct TagCount: BuiltInReward {
  public static let about = BuiltInDescription(
    name: "tag_count", summary: "the share of opening and closing tags that occur exactly once",
    category: .form, parameters: FormatReward.tagParameters,
    source: "open-r1's tag_count_reward, without its demand for line ends")

  private let form: TaggedForm

  public init(parameters: RewardParameters) throws(RewardParameterError) {
    form = try TaggedForm(parameters)
  }

  public var range: ClosedRange<Double>? { 0...1 }

  public func score(_ completion: Completion, for problem: Problem) -> Score {
    let text = form.prefix + completion.text
    let marks = form.tags.flatMap { ["<\($0)>", "</\($0)>"] }
    let once = marks.count { text.places(of: $0).count == 1 }
    return Score(Double(once) / Double(marks.count))
  }

  public func goldCompletion(for problem: Problem) -> String? { form.example }
}

/// Sections in their order, and what may stand around them.
private struct TaggedForm {
  let tags: [String]
  let prefix: String
  let allowsRest: Bool
  let allowsEmpty: Bool

  init(_ parameters: RewardParameters) throws(RewardParameterError) {
    tags = parameters.texts("tags")
    prefix = parameters.text("prefix")
    allowsRest = parameters.flag("rest")
    allowsEmpty = parameters.flag("empty")
    guard !tags.isEmpty, tags.allSatisfy({ !$0.isEmpty && !$0.contains("<") && !$0.contains(">") })
    else { throw RewardParameterError(["parameter \"tags\" takes names such as \"think\""]) }
    guard Set(tags).count == tags.count else {
      throw RewardParameterError(["parameter \"tags\" names a tag twice"])
    }
  }

  var example: String {
    let whole = tags.map { "<\($0)>\nx\n</\($0)>" }.joined(separator: "\n")
    return whole.hasPrefix(prefix) ? String(whole.dropFirst(prefix.count)) : whole
  }

  func isFollowed(by completion: String) -> Bool {
    let text = prefix + completion
    var position = text.startIndex
    for tag in tags {
      let opening = text.places(of: "<\(tag)>")
      let closing = text.places(of: "</\(tag)>")
      guard opening.count == 1, closing.count == 1, opening[0].lowerBound >= position,
        opening[0].upperBound <= closing[0].lowerBound,
        text[position..<opening[0].lowerBound].allSatisfy(\.isWhitespace)
      else { return false }
      let content = text[opening[0].upperBound..<closing[0].lowerBound]
      guard allowsEmpty || !content.allSatisfy(\.isWhitespace) else { return false }
      position = closing[0].upperBound
    }
    return allowsRest || text[position...].allSatisfy(\.isWhitespace)
  }
}
