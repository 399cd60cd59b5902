import Foundation
import Rollouts
import Tensors
import Training
import Transformer

/// `grpo init`: a model randomly initialised.
struct InitCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "init", summary: "make a model with random weights",
      discussion: """
        The shape is a small Llama's, or that of a config.json (--like); sizes given as options \
        change it. The tokenizer is one token per character ('chars'), or copied from another model. \
        The same words make the same bytes.
        """,
      positionals: [
        PositionalSpecification("FOLDER", .path, help: "the new model's folder; must not exist yet")
      ],
      options: [
        OptionSpecification(
          "like", .path, valueName: "DIR|FILE",
          help: "a model's folder or a config.json whose shape is taken"),
        OptionSpecification(
          "tokenizer", valueName: "chars|none|DIR",
          defaultDescription: "that of --like if it has one; chars without --like",
          help: "a token per character, none, or the folder of a tokenizer to copy"),
        OptionSpecification(
          "alphabet", valueName: "TEXT", defaultDescription: "printable ASCII and the line feed",
          help: "the characters of 'chars', in the order of their ids"),
        OptionSpecification(
          "seed", .integer(0...Int(Int32.max)), default: "42", help: "what the weights are drawn by"
        ),
        .elementType,
      ]
        + sizes.map { size in
          OptionSpecification(
            size.option, .integer(1...100_000_000), valueName: "N",
            defaultDescription: NewModel.smallLlama[size.key]?.jsonText ?? size.fallback,
            help: size.help, section: "Sizes, where --like doesn't give them")
        } + [
          OptionSpecification(
            "tied", .boolean, defaultDescription: "true", help: "whether the head is the embedding",
            section: "Sizes, where --like doesn't give them")
        ],
      examples: [
        .init("grpo init models/small --alphabet '0123456789+-*=() '", "a policy for sums"),
        .init(
          "grpo init models/tiny-qwen --like Qwen/Qwen2.5-0.5B --layers 2",
          "a known shape with fewer layers, and its tokenizer"),
      ])
  }

  private struct Size {
    var option: String
    var key: String
    var help: String
    var olderKey: String?
    var fallback = "what follows from the others"
  }

  private static let sizes = [
    Size(
      option: "hidden-size", key: "hidden_size", help: "width of a token's state",
      olderKey: "n_embd"),
    Size(
      option: "intermediate-size", key: "intermediate_size", help: "width inside the feed-forward",
      olderKey: "n_inner"),
    Size(option: "layers", key: "num_hidden_layers", help: "layers", olderKey: "n_layer"),
    Size(option: "heads", key: "num_attention_heads", help: "query heads", olderKey: "n_head"),
    Size(option: "kv-heads", key: "num_key_value_heads", help: "key and value heads"),
    Size(option: "head-size", key: "head_dim", help: "width of a head"),
    Size(
      option: "vocab-size", key: "vocab_size", help: "rows of the embedding",
      fallback: "the tokenizer's"),
    Size(
      option: "context", key: "max_position_embeddings", help: "longest sequence, in tokens",
      olderKey: "n_positions"),
  ]

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let target = URL(fileURLWithPath: arguments.positional(0) ?? "")
    try arguments.refuseExisting(target)
    let model = try refusing { try Self.model(arguments, context) }
    let configuration = try refusing { try model.write(to: target) }
    context.print(
      "\(target.relativePath): \(configuration.modelType) of "
        + "\(NumberFormat.grouped(configuration.parameterCount)) weights, "
        + "\(configuration.layerCount) layers of width \(configuration.hiddenSize), vocabulary "
        + NumberFormat.grouped(configuration.vocabularySize))
    return .done
  }

  private static func model(_ arguments: ParsedArguments, _ context: CommandContext) throws
    -> NewModel
  {
    var json = NewModel.smallLlama
    var generation: JSONObject?
    var source: URL?
    if let like = arguments.string("like") {
      (json, generation, source) = try shape(like, context)
    }
    apply(arguments, to: &json)
    let words = try words(arguments, context, source: source)
    if source != nil, arguments.isGiven("tokenizer"), !words.isNone {
      // Another model's words: the special tokens and the size of the shape's own mean nothing.
      for key in ["bos_token_id", "eos_token_id", "pad_token_id"] { json[key] = nil }
      if !arguments.isGiven("vocab-size") { json["vocab_size"] = nil }
      generation = nil
    }
    if words.isNone, json["vocab_size"] == nil {
      throw UsageError("--vocab-size is missing: without a tokenizer nothing else tells it")
    }
    return NewModel(
      configuration: json, generation: generation, words: words,
      seed: UInt64(arguments.integer("seed") ?? 42), elementType: arguments.elementType)
  }

  /// The configuration that `--like` names, and the folder whose tokenizer goes with it.
  private static func shape(_ name: String, _ context: CommandContext) throws -> (
    JSONObject, JSONObject?, URL?
  ) {
    var isFolder: ObjCBool = false
    if name.hasSuffix(".json"),
      FileManager.default.fileExists(atPath: name, isDirectory: &isFolder),
      !isFolder.boolValue
    {
      let bytes = try FileReader.bytes(of: name, limit: 4 << 20)
      let value: JSONValue
      do throws(JSONError) { value = try JSONValue.parse(bytes: bytes) } catch {
        throw UsageError("\(name), \(error)")
      }
      guard let json = value.object else {
        throw UsageError("\(name) must be an object, as a model's config.json is")
      }
      return (try ModelConfiguration(json: json, path: name).original, nil, nil)
    }
    let folder = try ModelLocator.locate(name, environment: context.environment)
    let configuration = try ModelConfiguration(folder: folder)
    return (configuration.original, configuration.generation, folder)
  }

  private static func apply(_ arguments: ParsedArguments, to json: inout JSONObject) {
    for size in sizes {
      guard let value = arguments.integer(size.option) else { continue }
      // GPT-2 has its own names.
      let key = size.olderKey.flatMap { json[$0] == nil ? nil : $0 } ?? size.key
      json[key] = .integer(Int64(value))
    }
    if let tied = arguments.string("tied").flatMap(ArgumentKind.boolean) {
      json["tie_word_embeddings"] = .bool(tied)
    }
    let changesHeads = arguments.isGiven("hidden-size") || arguments.isGiven("heads")
    if changesHeads, !arguments.isGiven("head-size") { json["head_dim"] = nil }
    if arguments.isGiven("heads"), !arguments.isGiven("kv-heads"),
      let heads = json["num_attention_heads"]?.integer,
      let shared = json["num_key_value_heads"]?.integer, shared > 0,
      // All heads share a latent, and the file says so by as many key heads.
      heads % shared != 0 || json["kv_lora_rank"] != nil
    {
      json["num_key_value_heads"] = .integer(Int64(heads))
    }
    if arguments.isGiven("layers") { json["layer_types"] = nil }
  }

  private static func words(
    _ arguments: ParsedArguments, _ context: CommandContext, source: URL?
  ) throws -> NewModel.Words {
    let alphabet = arguments.string("alphabet").map(Array.init)
    let hasOwn = source.map {
      FileManager.default.fileExists(atPath: $0.appendingPathComponent("tokenizer.json").path)
    }
    switch arguments.string("tokenizer") {
    case nil where alphabet == nil && arguments.isGiven("like"):
      return hasOwn == true ? source.map(NewModel.Words.folder) ?? .none : .none
    case nil, "chars"?: return .characters(alphabet ?? NewModel.printableCharacters)
    case let name?:
      if alphabet != nil { throw UsageError("--alphabet is for --tokenizer chars") }
      if name == "none" { return .none }
      return .folder(try ModelLocator.locate(name, environment: context.environment))
    }
  }
}
