import Foundation
import Rollouts
import Tensors
import Tokenizers
import Training
import Transformer

/// Options that the commands around a trained model share.
extension OptionSpecification {
  /// `--model`, which must be given.
  static let model = OptionSpecification(
    "model", .path, valueName: "DIR",
    help: "model folder, such as a run's final/, or a hub name that is in the cache")

  /// `--system`.
  static let system = OptionSpecification(
    "system", help: "a system message before each prompt; text prompts get it as a prefix")

  /// `--chat-template`.
  static let chatTemplate = OptionSpecification(
    "chat-template", .path, valueName: "FILE",
    help: "Jinja template for prompts of messages, instead of the model's own")

  /// `--chat-template-kwargs`.
  static let chatTemplateKwargs = OptionSpecification(
    "chat-template-kwargs", valueName: "JSON",
    help: "names for the chat template, such as '{enable_thinking: false}'; a row's own win",
    peerNames: [PeerName(peer: "verl", name: "apply_chat_template_kwargs")])

  /// `--continue-final-message`.
  static let continueFinalMessage = OptionSpecification(
    "continue-final-message", .boolean, default: "true",
    help: "an assistant's message at a prompt's end is continued; false closes it, opens a turn")

  /// `--threads`.
  static let threads = OptionSpecification(
    "threads", .integer(1...256), defaultDescription: "the processors that may be used",
    help: "threads of the arithmetic; the results don't depend on it")

  /// `--precision`.
  static let precision = OptionSpecification(
    "precision", .choice(Precision.allCases.map(\.rawValue)), default: "float32",
    help: "what products round their operands to; a run's own is in its config.json",
    peerNames: [
      PeerName(peer: "TRL", name: "dtype"), PeerName(peer: "verl", name: "rollout.dtype"),
    ])
}

extension ParsedArguments {
  /// The folder that an option names.
  /// - Throws: `UsageError` where the option isn't given, `ModelError` where there is no such model.
  func modelFolder(_ context: CommandContext, option: String = "model") throws -> URL {
    guard let name = string(option) else {
      throw UsageError(
        "--\(option) is missing: a model's folder, such as --\(option) runs/NAME/final")
    }
    return try ModelLocator.locate(name, environment: context.environment)
  }

  /// The model that an option names, with its tokenizer.
  /// - Throws: `UsageError`, `ModelError`, `TokenizerError` and their like.
  func policy(_ context: CommandContext, option: String = "model") throws -> Policy {
    try Policy(
      folder: modelFolder(context, option: option),
      compute: Compute(threads: integer("threads"), precision: precision))
  }

  /// The precision that is asked for.
  var precision: Precision { string("precision").flatMap(Precision.init) ?? .float32 }

  private func chatTemplateKwargs() throws -> JSONObject {
    guard let word = string("chat-template-kwargs") else { return [:] }
    do { return try ChatResources.variables(fromJSON5: word) } catch {
      throw UsageError("--chat-template-kwargs \(error)")
    }
  }

  /// The encoder of prompts by `--system`, `--chat-template` and what they are rendered with; nil for a model
  /// without tokenizer.
  func promptEncoder(_ policy: Policy, stop: [String] = []) throws -> PromptEncoder? {
    guard let tokenizer = policy.tokenizer else { return nil }
    return PromptEncoder(
      tokenizer: tokenizer,
      chatTemplate: try string("chat-template").map {
        try ChatTemplate(file: $0, specialTokens: tokenizer.specialTokens)
      },
      templateVariables: try chatTemplateKwargs(),
      continuesFinalMessage: flag("continue-final-message"),
      system: string("system"), contextLength: policy.model.configuration.maximumPositions,
      stop: stop)
  }
}
