import Foundation
import PolicyOptimization
import Rollouts
import Training

/// `grpo train`: a policy, prompts and rewards in; a trained policy and its log out.
struct TrainCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "train", summary: "train a policy with GRPO",
      discussion: """
        With no arguments it runs the embedded job: a small, randomly initialised policy learns \
        arithmetic, first by supervised fine-tuning (the cold start), then by reinforcement against the checked \
        answer.

        A step is one rollout of prompts_per_step × num_generations completions; steps are counted by \
        max_steps, save_steps, eval_steps and logging_steps, optimiser updates by the learning-rate \
        schedule and warmup_steps. (TRL's max_steps counts updates.)

        An option wins over config files, those over the preset (--like), that over the defaults; \
        none, where it is offered, takes back what a config file or a preset gives.

        Every trajectory is committed to trajectories.sqlite in the run's folder before the update \
        that learns from it. Ctrl-C ends the step under way: at its end where its rollout is already \
        committed, else by giving up its sampling; it saves, and says how to resume. A second one \
        leaves at once, as safe as kill -9.
        """,
      options: [
        .config,
        OptionSpecification(
          "resume", .path, valueName: "RUN",
          help: "go on with a run where it stopped; its settings are in its folder"),
        .flag(
          "dry-run",
          help: "start the rewards, print the settings and the memory and disk plan; write nothing"),
      ] + SettingDeclaration.all.map(OptionSpecification.init),
      examples: [
        .init("grpo train", "the embedded job, about two minutes on two cores"),
        .init(
          "grpo train --model DIR --dataset rows.jsonl --reward exact_match",
          "a model of one's own, a built-in reward"),
        .init(
          "grpo train --config run.json5 --learning-rate 2e-6",
          "settings from a file, one of them changed"),
        .init("grpo train --resume latest", "go on with the newest run"),
      ],
      reportsFaultsItself: true)
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    if let resumed = arguments.string("resume") {
      return try resume(resumed, arguments, context)
    }
    let resolved = try arguments.reportingAllFaults { try Self.resolve(arguments) }
    let folder = Self.folder(for: resolved)
    let preparation = try refusing { try RunPreparation(resolved, folder: folder) }
    if arguments.flag("dry-run") {
      return try DryRun(preparation).print(context)
    }
    let view = TrainingView(context, preparation)
    let run = try refusing { try TrainingRun(starting: preparation, observer: view.observer) }
    return try finish(run, preparation, view, context)
  }

  private func resume(
    _ name: String, _ arguments: ParsedArguments, _ context: CommandContext
  ) throws -> ExitCode {
    for (option, isGiven) in [
      ("config", !arguments.strings("config").isEmpty), ("dry-run", arguments.flag("dry-run")),
    ] where isGiven {
      throw UsageError(
        "--\(option) can't be given with --resume: the run's settings are in its folder")
    }
    let folder = try refusing { try RunFolder.find(name) }
    func resolve(_ options: [String: [String]]) throws -> ResolvedConfiguration {
      try ResolvedConfiguration.resolve(
        options: options, files: [folder.configuration.path], preset: Self.preset, isOfRun: true)
    }
    let resolved = try arguments.reportingAllFaults { () throws in
      try resolve(Self.settings(of: arguments))
    }
    let resumed = ResumedSettings(recorded: try refusing { try resolve([:]) }, asked: resolved)
    let faults = resumed.faults(of: "train", in: folder)
    guard faults.isEmpty else { throw UsageError(faults.joined(separator: "\n")) }
    let preparation = try refusing { try RunPreparation(resolved, folder: folder) }
    do {
      let view = TrainingView(context, preparation)
      let run = try TrainingRun(
        resuming: preparation, observer: view.observer)
      return try finish(run, preparation, view, context)
    } catch let error as RunFolderError {
      throw UsageError(error.description)
    }
  }

  private func finish(
    _ run: TrainingRun, _ preparation: RunPreparation, _ view: TrainingView,
    _ context: CommandContext
  ) throws -> ExitCode {
    context.interrupts.install()
    defer { view.finish() }
    let path = preparation.folder.displayPath
    do {
      switch try run.train() {
      case .done:
        context.note(TrainingView.nextSteps(preparation))
        return .done
      case .interrupted(let step):
        throw Interrupted("stopped after step \(step); go on with: grpo train --resume \(path)")
      }
    } catch let refused as RefusedRun {
      throw UsageError(sentence(of: refused.reason))
    } catch is Interruption {
      throw Interrupted("stopped before the first step; go on with: grpo train --resume \(path)")
    }
  }

  // MARK: Settings

  /// Brings options, files, preset and the embedded job together.
  ///
  /// Where a run's log is trained from again, that run's own settings lie below them, and the weights that it
  /// set out from are the model.
  static func resolve(_ arguments: ParsedArguments) throws -> ResolvedConfiguration {
    var words = settings(of: arguments)
    var recorded: JSONObject = [:]
    if let name = words["rollouts"]?.last, let run = try RecordedRun(name) {
      words["rollouts"] = [run.path]
      words.merge(["run": [datedName("retrained")]]) { given, _ in given }
      recorded = run.settings
    }
    return try ResolvedConfiguration.resolve(
      options: words, files: arguments.strings("config"), preset: preset, recordedRun: recorded,
      embeddedJob: words["rollouts"] == nil ? EmbeddedJob.settings : [:])
  }

  /// The words of each setting that was given as an option.
  static func settings(of arguments: ParsedArguments) -> [String: [String]] {
    var words: [String: [String]] = [:]
    for setting in SettingDeclaration.all where arguments.isGiven(setting.optionName) {
      words[setting.name] = arguments.strings(setting.optionName)
    }
    return words
  }

  /// The values of a preset under the settings' names.
  static func preset(_ name: String) -> JSONObject? {
    guard let preset = Preset(named: name) else { return nil }
    return JSONObject(ObjectiveKey.all.map { ($0.name, $0.value(in: preset.settings)) })
  }

  /// The run's folder: as asked, or a new one named by date and model.
  static func folder(for resolved: ResolvedConfiguration, now: Date = Date()) -> RunFolder {
    if let run = resolved.values.run { return RunFolder.named(run) }
    let model = resolved.values.model.map { URL(fileURLWithPath: $0).lastPathComponent }
    return RunFolder.named(datedName(model ?? "arithmetic", now: now))
  }

  private static func datedName(_ name: String, now: Date = Date()) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyyMMdd-HHmmss"
    return "\(formatter.string(from: now))-\(name)"
  }
}
