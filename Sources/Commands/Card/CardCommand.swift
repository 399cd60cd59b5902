import Foundation
import Rollouts
import Training
import TrajectoryStore

/// `grpo card RUN`: the model card of a trained model, from its log.
struct CardCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "card", summary: "write a model card from a run's log",
      discussion: """
        Writes README.md into the run's final/ in Hugging Face's model-card format: a YAML head with \
        base model, data sets, tags and evaluation results, then data, method with its citations, \
        evaluation with intervals, audits that were recorded, cost and limits. Every number is read \
        from the log.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest")
      ],
      options: [
        OptionSpecification(
          "output", short: "o", .path, valueName: "FILE", defaultDescription: "RUN/final/README.md",
          help: "where the card is written; '-' prints it"),
        OptionSpecification(
          "license", valueName: "NAME", help: "the model's license, for the head"),
        OptionSpecification(
          "language", valueName: "CODE", help: "the model's language, for the head", repeats: true),
        .flag("force", help: "replace a card that exists"),
      ],
      examples: [.init("grpo card runs/a -o -", "the card on the screen")])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let location = try refusing { try LogLocation(arguments.positional(0) ?? "latest") }
    var card = try ModelCard(location)
    card.license = arguments.string("license")
    card.languages = arguments.strings("language")
    let output = arguments.string("output")
    if output == "-" {
      context.print(exactly: card.text)
      return .done
    }
    let path: String
    if let output {
      path = output
    } else {
      let final = location.folder.appendingPathComponent("final")
      guard FileManager.default.fileExists(atPath: final.path) else {
        throw UsageError(
          "\(location.folder.relativePath) has no final/: the run has not ended; say -o FILE")
      }
      path = final.appendingPathComponent("README.md").path
    }
    if FileManager.default.fileExists(atPath: path), !arguments.flag("force") {
      throw UsageError("\(path) exists already; add --force to replace it")
    }
    try OutputFile(path).write(card.text + "\n")
    context.note("wrote \(path)")
    return .done
  }
}
