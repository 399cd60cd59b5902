import Foundation
import Rollouts
import Training

/// `grpo sft`: the supervised stage by itself.
struct SftCommand: Command {
  /// The settings that mean something without reinforcement; a config file may hold all of them.
  private static let settings: [SettingDeclaration] = {
    let names: Set<String> = [
      "run", "seed", "threads", "memory_limit", "micro_batch_tokens",
      "gradient_checkpointing", "model", "use_peft", "lora_r", "lora_alpha", "lora_dropout",
      "lora_target_modules", "use_rslora", "system",
      "chat_template", "dataset", "eval_dataset", "columns", "max_train_rows", "max_prompt_length",
      "overlong_prompts", "eval_steps", "max_eval_rows", "adam_beta1", "adam_beta2", "adam_epsilon",
      "weight_decay", "max_grad_norm", "parameter_groups", "save_steps", "save_total_limit",
      "save_dtype", "logging_steps", "tensorboard",
    ]
    return SettingDeclaration.all.filter {
      names.contains($0.name) || ($0.name.hasPrefix("sft_") && $0.name != "sft_stop_at")
    }
  }()

  static var specification: CommandSpecification {
    CommandSpecification(
      name: "sft", summary: "train a model on given completions (SFT)",
      discussion: """
        The supervised stage of 'grpo train' by itself, with the same settings: the mean negative \
        log-likelihood of completions, of assistant turns, or of whole texts is lowered by AdamW. A \
        step is an optimiser update. Rows are sft_dataset's, or dataset's where that isn't given; \
        eval_dataset's loss is measured at the start, every eval_steps and at the end.

        The run's folder gets config.json, metrics.jsonl, tensorboard/, checkpoints/ and final/. \
        Ctrl-C saves and says how to resume.
        """,
      options: [
        .config,
        OptionSpecification(
          "resume", .path, valueName: "RUN", help: "go on with a run where it stopped"),
      ] + settings.map(OptionSpecification.init),
      examples: [
        .init(
          "grpo sft --model models/small --sft-dataset train.jsonl --sft-learning-rate 1e-3",
          "teach a new model the form of the answers"),
        .init("grpo sft --resume runs/NAME", "go on with a run"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let resumed = arguments.string("resume")
    let folder = resumed.map(RunFolder.named)
    let resolved = try refusing {
      let own = folder.map { [$0.configuration.path] } ?? []
      if let folder, !FileManager.default.fileExists(atPath: folder.configuration.path) {
        throw SupervisedRunError.notARun(folder)
      }
      let asked = try ResolvedConfiguration.resolve(
        options: Self.words(arguments), files: own + arguments.strings("config"),
        preset: TrainCommand.preset, isOfRun: folder != nil)
      if let folder {
        let recorded = try ResolvedConfiguration.resolve(
          options: [:], files: own, preset: TrainCommand.preset, isOfRun: true)
        let faults = ResumedSettings(recorded: recorded, asked: asked).faults(of: "sft", in: folder)
        guard faults.isEmpty else { throw UsageError(faults.joined(separator: "\n")) }
      }
      return asked
    }
    let progress = ProgressLine(context)
    let observer = TrainingObserver(
      observe: { Self.show($0, progress, context, every: resolved.loggingSteps) },
      isCancelled: { context.interrupts.isRaised })
    let run = try refusing {
      try SupervisedRun(
        resolved, folder: folder ?? TrainCommand.folder(for: resolved), resuming: resumed != nil,
        observer: observer)
    }
    context.interrupts.install()
    let path = run.folder.displayPath
    switch try run.run() {
    case .done:
      progress.print("The model is in \(path)/final; ask it: grpo sample --model \(path)/final")
      return .done
    case .interrupted(let update):
      progress.finish()
      throw Interrupted("stopped after update \(update); go on with: grpo sft --resume \(path)")
    }
  }

  private static func words(_ arguments: ParsedArguments) -> [String: [String]] {
    var words: [String: [String]] = [:]
    for setting in settings where arguments.isGiven(setting.optionName) {
      words[setting.name] = arguments.strings(setting.optionName)
    }
    return words
  }

  private static func show(
    _ event: TrainingEvent, _ progress: ProgressLine, _ context: CommandContext, every: Int
  ) {
    switch event {
    case .note(let text): progress.print(text)
    case .warning(let text): progress.print(context.errorStyle.yellow("warning: ") + text)
    case .supervised(let stage):
      let pace = stage.seconds / Double(max(1, stage.update))
      let left = pace * Double(stage.total - stage.update)
      let line =
        "update \(stage.update)/\(stage.total)  loss \(NumberFormat.fixed(stage.loss, 4))  "
        + NumberFormat.duration(stage.seconds)
        + (stage.update < stage.total ? "  \(NumberFormat.duration(left)) left" : "")
      let isLogged = stage.update % every == 0 || stage.update == stage.total
      isLogged ? progress.print(line) : progress.update(line)
    case .checkpoint, .sampling, .step, .evaluation: break
    }
  }
}

extension ResolvedConfiguration {
  /// Steps between lines on the screen.
  fileprivate var loggingSteps: Int { max(1, values.loggingSteps) }
}
