import Foundation
import Tensors
import Training
import Transformer

/// `grpo export`: a model's folder with its weights in another type.
struct ExportCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "export", summary: "copy a model with its weights in another type",
      discussion: """
        Writes a Hugging Face folder that transformers, vLLM and llama.cpp's converter load: \
        config.json, model.safetensors, the tokenizer's files, and provenance.json with what made the \
        model and the SHA-256 of every file. Rounding is to nearest, ties to even. With --merge, a LoRA \
        adapter becomes a whole model: W + s B A, each element summed in double precision.
        """,
      positionals: [
        PositionalSpecification("MODEL", .path, help: "model folder, such as a run's final/"),
        PositionalSpecification("FOLDER", .path, help: "the new folder; must not exist yet"),
      ],
      options: [
        .elementType,
        .flag("merge", help: "MODEL is a LoRA adapter: merge it into its base model"),
      ],
      examples: [
        .init(
          "grpo export runs/sums/final sums-bf16 --dtype bfloat16", "half the size, for inference"),
        .init(
          "grpo export --merge runs/lora/final whole", "a LoRA adapter and its base as one model"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let target = URL(fileURLWithPath: arguments.positional(1) ?? "")
    let export = try refusing {
      try ModelExport(
        ModelLocator.locate(arguments.positional(0) ?? "", environment: context.environment),
        merging: arguments.flag("merge"))
    }
    try arguments.refuseExisting(target)
    let type = arguments.elementType
    try export.write(to: target, elementType: type)
    context.print(
      "\(target.relativePath): \(NumberFormat.grouped(export.parameterCount)) weights in "
        + type.torchName)
    return .done
  }
}

extension OptionSpecification {
  /// `--dtype`.
  static let elementType = OptionSpecification(
    "dtype", .choice(ElementType.writable.map(\.torchName)), default: ElementType.float32.torchName,
    help: "how the weights are stored")
}

extension ParsedArguments {
  /// The type that `--dtype` names.
  var elementType: ElementType {
    ElementType.writable.first { $0.torchName == string("dtype") } ?? .float32
  }

  /// Refuses to write where something stands.
  /// - Throws: `UsageError`.
  func refuseExisting(_ url: URL) throws(UsageError) {
    if FileManager.default.fileExists(atPath: url.path) {
      throw UsageError(
        "\(url.relativePath) is there already and nothing is ever overwritten; name a new folder, or "
          + "remove it first")
    }
  }
}
