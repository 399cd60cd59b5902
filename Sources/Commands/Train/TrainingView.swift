import Audits
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
  private let lastLine = Mutex(FieldLine())
  private let truncation = Mutex(TruncationWatch())

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
      progress.update(sampling(step: step, done: done, of: total))
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
    if let warning = truncation.withLock({ $0.warning(after: report) }) { show(.warning(warning)) }
  }

  /// A step's line.
  ///
  /// TRL's names say what the two shares count: `completions/clipped_ratio` the completions that
  /// met the length limit, `clip_ratio/region_mean` the tokens whose gradient the ratio clip removed.
  private func line(_ report: StepReport) -> FieldLine {
    func metric(_ name: String, _ format: (Double) -> String) -> String {
      report.metrics[name].map(format) ?? "–"
    }
    var line = FieldLine()
    line.append("step \(report.step)/\(report.total)")
    let reward = metric("reward") { NumberFormat.fixed($0, 3) }
    line.append("reward \(reward) ± \(metric("reward_std") { NumberFormat.fixed($0, 3) })")
    line.append("entropy \(metric("entropy") { NumberFormat.fixed($0, 2) })", rank: 3)
    line.append(
      "length \(metric("completions/mean_length") { NumberFormat.fixed($0, 1) })", rank: 2)
    line.append("truncated \(metric("completions/clipped_ratio", NumberFormat.percent))", rank: 4)
    line.append("ratio clip \(metric("clip_ratio/region_mean", NumberFormat.percent))", rank: 7)
    if hasReference {
      line.append("kl \(metric("kl") { NumberFormat.significant($0, 3) })", rank: 5)
    }
    func rate(_ name: String) -> String {
      metric(name) { NumberFormat.grouped(Int(min($0, 1e15))) } + " tok/s"
    }
    if report.isReplayed {
      line.append("from the log", rank: 6)
    } else {
      line.append("sample \(rate("time/sampling_tokens_per_second"))", rank: 8)
    }
    line.append("update \(rate("time/update_tokens_per_second"))", rank: 9)
    if report.step < report.total {
      line.append("\(NumberFormat.duration(report.secondsLeft)) left", rank: 1)
    }
    return line
  }

  /// The last step's line, with how far the sampling of the next is.
  private func sampling(step: Int, done: Int, of total: Int) -> FieldLine {
    var line = FieldLine()
    line.append("step \(step): sampled \(done)/\(total)")
    let last = lastLine.withLock { $0 }
    for field in last.fields { line.append(field.text, rank: field.rank + 1) }
    return line
  }

  /// Erases the live line: what the program says next begins at the left.
  func finish() { progress.erase() }

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
    for (completion, answer) in zip(report.completions, report.goldAnswers)
      .prefix(completionsToPrint)
    {
      show(completion, answer: answer)
    }
  }

  private func show(_ completion: EvaluationCompletionRecord, answer: String?) {
    let sample = CompletionSample(
      prompt: completion.prompt, completion: completion.completion.text,
      answer: answer, reward: completion.reward)
    progress.print("    " + sample.line(width: (progress.room ?? 104) - 4))
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
