import Foundation
import PolicyOptimization
import Rollouts
import Training

/// `grpo objective`: the arithmetic of the objective, on numbers from a file.
struct ObjectiveCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "objective", summary: "advantages, loss and gradients for numbers from a file",
      discussion: """
        Reads log-probabilities, rewards and masks from CASE.json ('-' for standard input) and prints, \
        as JSON, the advantages, the loss, its gradients and the metrics that training would have, once \
        for the settings of the command line or once for each entry of the case's 'configs'. Those \
        win over the command line, which wins over the preset.

        The layout of a case: num_generations; policy_logps, and optionally old_logps, ref_logps, \
        sampling_logps, entropies, mask, one row per completion; terminated; rewards as a list, or as \
        {name: list} with reward_weights {name: weight}, null where unscorable; steps for process \
        supervision.
        """,
      positionals: [
        PositionalSpecification("CASE", .path, help: "the numbers, as JSON", isRequired: false)
      ],
      options: [
        OptionSpecification(
          "like", valueName: "PRESET",
          help: "conventions of a paper or a peer: \(Preset.names.joined(separator: ", "))"),
        OptionSpecification(
          "explain", valueName: "PRESET",
          help: "print a preset in words and equations, with its source"),
        OptionSpecification(
          "max-completion-length", .integer(1 ... .max), default: "512", unit: "tokens",
          help: "the divisor of the constant normaliser"),
        OptionSpecification(
          "gradient-accumulation-steps", .integer(1 ... .max), default: "1",
          help: "cut the batch into so many micro-batches, each with its own denominators, as TRL"),
      ] + ObjectiveKey.all.map(OptionSpecification.init),
      examples: [
        .init("grpo objective --explain dapo", "DAPO's equations, settings and source"),
        .init(
          "grpo objective --like trl case.json", "what TRL computes for the case, to the digit"),
        .init(
          "grpo objective --like verl --beta 0.001 case.json",
          "verl's conventions with its usual KL term"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let explained = try arguments.string("explain").map(Self.preset)
    let preset = try arguments.string("like").map(Self.preset)
    if let explained {
      let text = explained.explanation(width: context.isTerminal ? context.width : 100)
      context.print(text.trimmingCharacters(in: .newlines))
      if arguments.positional(0) == nil { return .done }
    }
    guard let path = arguments.positional(0) else {
      throw UsageError("CASE is missing: the numbers as a JSON file, or --explain PRESET")
    }
    let options = try Self.options(arguments)
    let numbers = try refusing { try ObjectiveCase(JSONValue.parse(bytes: Self.bytes(of: path))) }
    let runs = try Self.runs(numbers, options: options, preset: preset, context: context)
    let results = try refusing { try runs.map { try $0.result() } }
    context.print(exactly: JSONValue.object(["results": .array(results)]).jsonText)
    return .done
  }

  private static func preset(_ name: String) throws(UsageError) -> Preset {
    if let preset = Preset(named: name) { return preset }
    let nearest = Spelling.nearest(to: name, among: Preset.names)
    throw UsageError(
      "'\(name)' is not a preset" + (nearest.map { "; did you mean \($0)?" } ?? "")
        + " (\(Preset.names.joined(separator: ", ")))")
  }

  private static func bytes(of path: String) throws(UsageError) -> [UInt8] {
    do throws(FileReadError) {
      return try FileReader.bytes(of: path == "-" ? "/dev/stdin" : path, limit: 1 << 28)
    } catch {
      throw UsageError("\(error)")
    }
  }

  /// The options of the command line as a config.
  private static func options(_ arguments: ParsedArguments) throws(UsageError) -> JSONObject {
    var config: JSONObject = [:]
    var faults: [String] = []
    for key in ObjectiveKey.all {
      let name = key.name.replacing("_", with: "-")
      guard arguments.isGiven(name), let word = arguments.string(name) else { continue }
      if let value = key.json(ofWord: word) {
        config[key.name] = value
      } else {
        faults.append("--\(name) must be \(key.kind.description), not '\(word)'")
      }
    }
    for name in ["max-completion-length", "gradient-accumulation-steps"]
    where arguments.isGiven(name) {
      config[name.replacing("-", with: "_")] = arguments.integer(name).map { .integer(Int64($0)) }
    }
    guard faults.isEmpty else { throw UsageError(faults) }
    return config
  }

  /// The case under each of its configs, all faults at once; warnings are written once each.
  private static func runs(
    _ numbers: ObjectiveCase, options: JSONObject, preset: Preset?, context: CommandContext
  ) throws(UsageError) -> [CaseRun] {
    var faults: [String] = []
    var warnings: [String] = []
    var runs: [CaseRun] = []
    for (index, entry) in (numbers.configs ?? [options]).enumerated() {
      let place = numbers.configs == nil ? "" : "configs[\(index)]: "
      var config = options
      for (name, value) in entry { config[ObjectiveKey.named(name)?.name ?? name] = value }
      do throws(CaseError) {
        var run = try CaseRun(
          numbers, config: config, over: preset?.settings ?? .default, hint: hint)
        run.config = entry
        let situation = ObjectiveSituation(
          groupSize: run.numbers.groupSize, hasReference: numbers.reference != nil,
          maxCompletionLength: run.maxCompletionLength, preset: preset, given: Set(config.keys))
        for fault in run.settings.validate(situation) {
          let sentence = fault.severity == .error ? place + fault.description : fault.description
          if fault.severity == .error { faults.append(sentence) } else { warnings.append(sentence) }
        }
        runs.append(run)
      } catch {
        faults.append(place + error.description)
      }
    }
    guard faults.isEmpty else { throw UsageError(faults) }
    var seen: Set<String> = []
    for warning in warnings where seen.insert(warning).inserted { context.warn(warning) }
    return runs
  }

  /// What to say of a name that isn't a setting of the objective.
  private static func hint(_ name: String) -> String? {
    for setting in SettingDeclaration.all {
      if let peer = setting.peers.first(where: { $0.matches(name) }) {
        return "it is \(peer.peer)'s name for \(setting.name)"
      }
    }
    let names = ObjectiveKey.all.map(\.name) + CaseRun.ownKeys
    return Spelling.nearest(to: name, among: names).map { "did you mean \($0)?" }
  }
}

extension OptionSpecification {
  /// The option of a setting of the objective.
  init(_ key: ObjectiveKey) {
    let kind: ArgumentKind =
      switch key.kind {
      case .number: .number
      case .integer: .integer
      case .boolean: .boolean
      case .choice(let names): .choice(names)
      case .optionalNumber, .optionalChoice: .text
      }
    let valueName: String? =
      switch key.kind {
      case .optionalNumber: "X|none"
      case .optionalChoice(let names): (names + ["none"]).joined(separator: "|")
      default: nil
      }
    let value = key.defaultValue
    self.init(
      key.name.replacing("_", with: "-"), kind, valueName: valueName,
      defaultDescription: value.isNull ? "none" : value.string ?? value.jsonText,
      help: key.summary, section: "Settings",
      peerNames: SettingDeclaration.named(key.name)?.peers ?? [])
  }
}

extension ObjectiveKey {
  /// An option's word as JSON, nil where it is of the wrong kind.
  fileprivate func json(ofWord word: String) -> JSONValue? {
    switch kind {
    case .boolean: ArgumentKind.boolean(word).map(JSONValue.bool)
    case .integer: ArgumentKind.integer(word).map { .integer(Int64($0)) }
    case .number: number(word)
    case .optionalNumber: word == "none" || word == "null" ? .null : number(word)
    case .choice: .string(word)
    case .optionalChoice(let names):
      word == "none" || word == "null" ? .null : names.contains(word) ? .string(word) : nil
    }
  }

  private func number(_ word: String) -> JSONValue? {
    guard let number = Double(word), number.isFinite else { return nil }
    return .number(number)
  }
}
