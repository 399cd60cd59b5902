import Audits
import Foundation
import Rollouts
import TrajectoryStore

/// `grpo log redact RUN`: a log without what should not be handed on.
struct LogRedactCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "redact", summary: "drop, hash or generalize columns; mask personal data in texts",
      discussion: """
        Columns of the problems are dropped, hashed with a salt, or generalized; personal data that \
        'grpo audit privacy' finds in prompts, completions, columns and remarks is replaced by its \
        kind in brackets. What was done is kept in the run's provenance, without the values.

        A text that changes loses its token ids and arrays, which say the same: its steps can't be \
        redone, replayed or trained from. Where only columns change, they can.

        Makes a copy with -o, or changes the log in place with --yes.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest")
      ],
      options: [
        OptionSpecification(
          "drop", valueName: "COLUMNS", help: "columns to leave out", repeats: true),
        OptionSpecification(
          "hash", valueName: "COLUMNS", help: "columns whose values are hashed", repeats: true),
        OptionSpecification(
          "salt", valueName: "TEXT", defaultDescription: "random, and thrown away",
          help: "what is hashed with them; keep it secret"),
        OptionSpecification(
          "generalize", valueName: "COLUMN=N",
          help: "numbers become ranges of width N", repeats: true),
        OptionSpecification(
          "truncate", valueName: "COLUMN=N", help: "texts keep N characters", repeats: true),
        OptionSpecification(
          "mask", .choice(["all"] + PersonalDataKind.allCases.map(\.rawValue)),
          help: "a kind of personal data to mask in texts", repeats: true),
        OptionSpecification(
          "names", .path, valueName: "FILE", help: "names to mask, one per line"),
        OptionSpecification(
          "output", short: "o", .path, valueName: "FILE", help: "the copy, which must not exist"),
        .flag("yes", help: "change the log in place"), .json,
      ],
      examples: [
        .init(
          "grpo log redact runs/clinic --hash patient --generalize age=10 --mask all -o shared.sqlite",
          "a log to hand on")
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let location = try refusing { try LogLocation(arguments.positional(0) ?? "latest") }
    let redaction = try redaction(arguments, location)
    let copy = arguments.string("output").map { URL(fileURLWithPath: $0) }
    guard (copy == nil) == arguments.flag("yes") else {
      throw UsageError("give either -o FILE for a copy, or --yes to change the log in place")
    }
    let outcome = try redaction.apply(to: location.log, copy: copy)
    if arguments.flag("json") {
      let json: JSONValue = [
        "columns": .integer(Int64(outcome.columns)), "texts": .integer(Int64(outcome.texts)),
        "steps": .array(outcome.steps.map { .integer(Int64($0)) }),
      ]
      context.print(exactly: json.prettyJSONText)
      return .done
    }
    context.print(
      "changed the columns of \(NumberFormat.grouped(outcome.columns)) rows and "
        + "\(NumberFormat.grouped(outcome.texts)) texts")
    context.print(
      outcome.steps.isEmpty
        ? "every step can still be redone, replayed and trained from; rewards that read changed "
          + "columns give other scores"
        : "\(outcome.steps.count) steps can't be redone, replayed or trained from: their tokens are "
          + "gone")
    return .done
  }

  private func redaction(
    _ arguments: ParsedArguments, _ location: LogLocation
  ) throws -> LogRedaction {
    var faults: [String] = []
    var columns: [String: LogRedaction.Treatment] = [:]
    func treat(_ name: String, _ treatment: LogRedaction.Treatment) {
      if columns.updateValue(treatment, forKey: name) != nil {
        faults.append("the column '\(name)' is named twice")
      }
    }
    func names(_ option: String) -> [String] {
      arguments.strings(option).flatMap { $0.split(separator: ",").map(String.init) }
    }
    for name in names("drop") { treat(name, .drop) }
    let hashed = names("hash")
    if hashed.isEmpty, arguments.isGiven("salt") { faults.append("--salt belongs to --hash") }
    let salt = arguments.string("salt") ?? Self.randomSalt()
    for name in hashed { treat(name, .hash(salt: salt)) }
    for option in ["generalize", "truncate"] {
      for word in arguments.strings(option) {
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, let number = Double(parts[1]), number > 0, number.isFinite else {
          faults.append("--\(option) must be COLUMN=N with N above 0, not '\(word)'")
          continue
        }
        treat(
          parts[0],
          option == "generalize"
            ? .generalize(width: number) : .truncate(length: Int(clamping: number)))
      }
    }
    let known = try TrajectoryReader(readOnly: location.log).columnNames()
    for name in columns.keys.sorted() where !known.contains(name) {
      let nearest = Spelling.nearest(to: name, among: known).map { "; did you mean '\($0)'?" }
      faults.append(
        "no problem has a column '\(name)'"
          + (nearest ?? "; there are \(known.joined(separator: ", "))"))
    }
    let words = arguments.strings("mask")
    let list = try arguments.string("names").map { try NameList.read($0) } ?? []
    var kinds = Set(words.compactMap(PersonalDataKind.init))
    if words.contains("all") { kinds = Set(PersonalDataKind.allCases) }
    if !list.isEmpty { kinds.insert(.name) }
    if words.contains("name"), list.isEmpty { faults.append("--mask name needs --names FILE") }
    if columns.isEmpty, kinds.isEmpty {
      faults.append("nothing to redact: give --drop, --hash, --generalize, --truncate or --mask")
    }
    guard faults.isEmpty else { throw UsageError(faults) }
    let scanner = PersonalDataScanner(kinds: kinds, names: list)
    return LogRedaction(
      columns: columns, kinds: kinds.sorted().map(\.rawValue), mask: { scanner.masked($0) })
  }

  private static func randomSalt() -> String {
    var generator = SystemRandomNumberGenerator()
    return "\(UInt64.random(in: .min ... .max, using: &generator))"
      + "\(UInt64.random(in: .min ... .max, using: &generator))"
  }
}
