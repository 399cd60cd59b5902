import Audits
import Foundation
import Rollouts

/// `grpo data canary FILE`: plants secrets by which memorisation is measured.
struct DataCanaryCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "canary", summary: "plant random secrets, to measure memorisation by",
      discussion: """
        Writes the rows of FILE with canaries among them: prompts with a random number as prompt's \
        answer and completion, some of them several times, some not at all as controls. The canaries \
        go to a file of their own, which 'grpo audit memorization' reads.
        """,
      positionals: [
        PositionalSpecification("FILE", .path, help: "the data set: JSONL, JSON or CSV")
      ],
      options: [
        OptionSpecification(
          "output", short: "o", .path, valueName: "FILE", help: "the rows with canaries, as JSONL"),
        OptionSpecification(
          "canaries", .path, valueName: "FILE", default: "canaries.jsonl", help: "the canaries"),
        OptionSpecification(
          "count", .integer(1...100_000), default: "20", help: "how many canaries"),
        OptionSpecification(
          "copies", valueName: "LIST", default: "0,1,4,16",
          help: "how often each stands in the data, in turn"),
        OptionSpecification("digits", .integer(1...18), default: "6", help: "digits of a secret"),
        OptionSpecification(
          "template", default: "The access code of unit {} is ",
          help: "the prompt, {} being the canary's number"),
        OptionSpecification(
          "seed", .integer(0...Int(Int32.max)), default: "1", help: "which secrets are drawn"),
        .flag("force", help: "replace files that exist"),
      ],
      examples: [
        .init("grpo data canary train.jsonl -o planted.jsonl", "20 canaries, 5 of them controls")
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    guard let output = arguments.string("output") else {
      throw UsageError("-o is missing: the file of rows with canaries")
    }
    let list = arguments.string("canaries") ?? "canaries.jsonl"
    let copies = (arguments.string("copies") ?? "").split(separator: ",").map { Int($0) }
    guard !copies.isEmpty, !copies.contains(where: { $0.map { $0 < 0 || $0 > 100_000 } ?? true })
    else {
      throw UsageError("--copies must be whole numbers such as 0,1,4,16")
    }
    let template = arguments.string("template") ?? "{}"
    guard template.contains("{}") else {
      throw UsageError("--template must hold {}, where the canary's number stands")
    }
    for path in [output, list] where !arguments.flag("force") {
      if FileManager.default.fileExists(atPath: path) {
        throw UsageError("\(path) exists already; add --force to replace it")
      }
    }
    let seed = UInt64(clamping: arguments.integer("seed") ?? 1)
    let file = try refusing { try DatasetFile(reading: arguments.positional(0) ?? "") }
    let canaries = Canary.make(
      arguments.integer("count") ?? 20, copies: copies.compactMap { $0 },
      digits: arguments.integer("digits") ?? 6, template: template, seed: seed)
    let planted = canaries.flatMap { canary in
      (0..<canary.copies).map { _ -> JSONObject in
        [
          "prompt": .string(canary.prompt), "answer": .string(canary.secret),
          "completion": .string(canary.secret),
        ]
      }
    }
    let rows = Canary.spread(planted, among: file.rows.map(\.columns), seed: seed)
    try OutputFile(output).write(
      rows.map { JSONValue.object($0).jsonText + "\n" }.joined())
    try OutputFile(list).write(
      canaries.map { canary in
        let line: JSONObject = [
          "prompt": .string(canary.prompt), "secret": .string(canary.secret),
          "copies": .integer(Int64(canary.copies)),
        ]
        return JSONValue.object(line).jsonText + "\n"
      }.joined())
    context.note(
      "planted \(canaries.count) canaries in \(planted.count) of \(NumberFormat.grouped(rows.count)) rows "
        + "of \(output); \(list) holds their secrets")
    return .done
  }
}
