import Foundation
import PolicyOptimization
import Rollouts
import Synchronization
import Training
import TrajectoryStore

/// What a person sees of a run: a live line, evaluations, and completions from before and after.
final class TrainingView: Sendable {
  private let context: CommandContext
  private let progress: ProgressLine
  private let loggingSteps: Int
  private let completionsToPrint: Int
  private let hasReference: Bool
  private let lastLine = Mutex("")

  init(_ context: CommandContext, _ preparation: RunPreparation) {
    self.context = context
    progress = ProgressLine(context)
    let settings = preparation.resolved.values
    loggingSteps = settings.loggingSteps
    completionsToPrint = settings.numCompletionsToPrint
    hasReference = settings.objective.needsReference
  }

  var observer: TrainingObserver {
    TrainingObserver(
      observe: { [self] in show($0) }, isCancelled: { [context] in context.interrupts.isRaised })
  }

  private func show(_ event: TrainingEvent) {
    switch event {
    case .note(let text): progress.print(text)
    case .warning(let text): progress.print(context.errorStyle.yellow("warning: ") + text)
    case .supervised(let stage): show(stage)
    case .sampling(let step, let done, let total):
      let line = lastLine.withLock { $0 }
      progress.update("\(line)  · step \(step): sampled \(done)/\(total)")
    case .step(let report): show(report)
    case .evaluation(let report): show(report)
    case .checkpoint: break
    }
  }

  // MARK: Lines

  private func show(_ stage: SupervisedProgress) {
    let text =
      "cold start \(stage.update)/\(stage.total)  loss \(NumberFormat.fixed(stage.loss, 3))"
      + "  \(NumberFormat.duration(stage.seconds))"
    if stage.update == stage.total {
      progress.print(text)
    } else if progress.isLive {
      progress.update(text)
    } else if stage.update % (5 * loggingSteps) == 0 {
      progress.print(text)
    }
  }

  private func show(_ report: StepReport) {
    let line = line(report)
    lastLine.withLock { $0 = line }
    let isLogged = report.step % loggingSteps == 0 || report.step == report.total
    isLogged ? progress.print(line) : progress.update(line)
  }

  private func line(_ report: StepReport) -> String {
    func metric(_ name: String) -> Double { report.metrics[name] ?? 0 }
    var parts = [
      "step \(report.step)/\(report.total)",
      "reward \(report.metrics["reward"].map { NumberFormat.fixed($0, 3) } ?? "–") ± "
        + (report.metrics["reward_std"].map { NumberFormat.fixed($0, 3) } ?? "–"),
      "entropy \(NumberFormat.fixed(metric("entropy"), 2))",
      "length \(NumberFormat.fixed(metric("completions/mean_length"), 1))",
      "clipped \(NumberFormat.percent(metric("clip_ratio/region_mean")))",
    ]
    if hasReference { parts.append("kl \(NumberFormat.significant(metric("kl"), 3))") }
    if report.isReplayed {
      parts.append("from the log")
    } else {
      let rate = Int(clamping: metric("time/sampling_tokens_per_second"))
      parts.append("sample \(NumberFormat.grouped(rate)) tok/s")
    }
    let rate = Int(clamping: metric("time/update_tokens_per_second"))
    parts.append("update \(NumberFormat.grouped(rate)) tok/s")
    if report.step < report.total {
      parts.append("\(NumberFormat.duration(report.secondsLeft)) left")
    }
    return parts.joined(separator: "  ")
  }

  private func show(_ report: EvaluationReport) {
    let interval = report.accuracy
    guard report.meanReward != nil else {
      progress.print(
        context.errorStyle.bold(
          "evaluation after step \(report.step): none of the \(report.unscored) completions could be scored"
        ))
      return
    }
    var text =
      "evaluation after step \(report.step): \(NumberFormat.percent(interval.share)) right "
      + "[\(NumberFormat.percent(interval.lower)), \(NumberFormat.percent(interval.upper))] of "
      + "\(report.problems) held-out problems"
    if let form = report.wrongForm, let answer = report.wrongAnswer {
      text +=
        "; wrong form \(NumberFormat.percent(form)), wrong answer \(NumberFormat.percent(answer))"
    }
    for (k, share) in report.passAtK.sorted(by: { $0.key < $1.key }) where k > 1 {
      text += "; pass@\(k) \(NumberFormat.percent(share))"
    }
    progress.print(context.errorStyle.bold(text))
    for completion in report.completions.prefix(completionsToPrint) { show(completion) }
  }

  private func show(_ completion: EvaluationCompletionRecord) {
    let prompt: String
    switch completion.prompt {
    case .text(let text): prompt = text
    case .messages(let messages): prompt = messages.last?.content ?? ""
    }
    let reward = completion.reward.map { NumberFormat.significant($0, 3) } ?? "unscorable"
    let text = TextLayout.singleLine(prompt + " → " + completion.completion.text)
    progress.print("    \(TextLayout.truncate(text, to: 80))  reward \(reward)")
  }

  /// What to type after a run.
  static func nextSteps(_ preparation: RunPreparation) -> String {
    let path = preparation.folder.displayPath
    return """

      The trained policy is in \(path)/final, every trajectory in \(path)/trajectories.sqlite.
      Next:
        grpo query \(path) summary         what the run did, at a glance
        grpo query \(path) worst           the completions that went wrong
        grpo sample --model \(path)/final  ask the policy yourself
      """
  }
}
