import Rollouts

/// One completion of an evaluation on one line: the end of what was asked, the answer, the right one, the reward.
struct CompletionSample {
  var prompt: Prompt
  var completion: String
  /// The row's own answer, where it has one.
  var answer: String?
  var reward: Double?

  /// A line of at most `width` columns, with the end of the row's answer, where worked solutions have it; the prompt gives way first, then the middle of the completion.
  func line(width: Int) -> String {
    var tail = "  reward " + (reward.map { NumberFormat.significant($0, 3) } ?? "–")
    if let answer {
      tail = "  answer " + TextLayout.truncateStart(TextLayout.singleLine(answer), to: 24) + tail
    }
    let room = max(20, width - TextLayout.width(of: tail) - 3)
    let completion = TextLayout.singleLine(self.completion)
    let prompt = TextLayout.singleLine(promptText)
    let forPrompt = max(room / 3, room - TextLayout.width(of: completion))
    let shownPrompt = TextLayout.truncateStart(prompt, to: forPrompt)
    let rest = room - TextLayout.width(of: shownPrompt)
    return shownPrompt + " → " + TextLayout.truncateMiddle(completion, to: rest) + tail
  }

  /// What was asked, as text: of a conversation its last message, which the completion answers.
  private var promptText: String {
    switch prompt {
    case .text(let text): text
    case .messages(let messages): messages.last?.content ?? ""
    }
  }
}
