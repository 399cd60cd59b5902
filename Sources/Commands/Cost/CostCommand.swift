import Audits
import Foundation
import Rollouts
import Training
import TrajectoryStore
import Transformer

/// `grpo cost`: what a run took, or what one would take.
struct CostCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "cost", summary: "what a run took, or would take on other machines and models",
      discussion: """
        With RUN: operations as its model's parts have them, seconds and rates by phase, and by your \
        prices energy, money and CO2. With --model or --hardware as well, a projection to them from \
        the run's measured rates, with the 95% error that the run's own steps had.

        Without RUN: a projection for --model (or --parameters) on --hardware at an assumed \
        utilization. With --tokens, training on so many tokens, 6 N T operations.

        'grpo query RUN cost' has the run's own seconds by reward, problem and point gained.
        """,
      positionals: [
        PositionalSpecification(
          "RUN", .path, help: "a run folder, a log, a run's name under runs/, or latest",
          isRequired: false)
      ],
      options: CostOptions.all + [.json],
      examples: [
        .init("grpo cost runs/a --watts 65 --price-per-kwh 0.3", "what a run took"),
        .init(
          "grpo cost runs/a --model models/small --max-steps 1000",
          "another model here, by the run's rates"),
        .init(
          "grpo cost --parameters 37e9 --tokens 14.8e12 --hardware h800 --utilization 0.347 "
            + "--price-per-hour 2 --ranks 2048", "DeepSeek-V3's pre-training"),
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let options = CostOptions(arguments)
    let view =
      try arguments.positional(0).map { word in
        try refusing { try options.view(ofRun: word, context) }
      } ?? options.view(context)
    if arguments.flag("json") {
      context.print(exactly: view.json.prettyJSONText)
    } else {
      context.print(view.text(style: context.style))
    }
    return .done
  }
}

/// The options of `grpo cost`, and what follows from them.
struct CostOptions {
  static let all: [OptionSpecification] = [
    OptionSpecification(
      "model", .path, valueName: "DIR", help: "the model to project to; its config.json is read"),
    OptionSpecification(
      "parameters", .number(1...1e18),
      help: "instead: active parameters, 2 operations each per token"),
    OptionSpecification(
      "tokens", .number(1...1e24), unit: "tokens", help: "training on tokens instead of steps"),
    OptionSpecification(
      "dataset", .path, valueName: "FILE",
      help: "the length of prompts: its mean, 4 characters per token"),
    OptionSpecification(
      "max-steps", .number(1...1e12), defaultDescription: "the run's, or 1000", unit: "steps",
      help: "steps"),
    OptionSpecification(
      "prompts-per-step", .number(1...1e9), defaultDescription: "the run's, or 8", help: "prompts"),
    OptionSpecification(
      "num-generations", .number(1...1e6), defaultDescription: "the run's, or 8",
      help: "completions per prompt"),
    OptionSpecification(
      "prompt-length", .number(1...1e7), defaultDescription: "the run's mean, or 256",
      unit: "tokens",
      help: "tokens of a prompt"),
    OptionSpecification(
      "completion-length", .number(1...1e7), defaultDescription: "the run's mean, or 256",
      unit: "tokens", help: "tokens of a completion"),
    OptionSpecification(
      "ranks", .integer(1...1_000_000), default: "1", help: "devices that share the work"),
    OptionSpecification(
      "hardware", .choice(CostHardware.known.map(\.name)),
      help: "the device, by its data sheet's peak at bf16"),
    OptionSpecification(
      "utilization", .number(1e-6...1), default: "0.35",
      help: "with --hardware: the share of the peak that updates reach"),
    OptionSpecification(
      "sampling-utilization", .number(1e-6...1), default: "0.08",
      help: "with --hardware: the share that sampling reaches"),
    OptionSpecification("price-per-hour", .number(0...1e9), help: "money for a device's hour"),
    OptionSpecification(
      "watts", .number(0...1e6), defaultDescription: "the hardware's",
      help: "watts of a device at work"),
    OptionSpecification("price-per-kwh", .number(0...1e9), help: "money for a kilowatt-hour"),
    OptionSpecification(
      "co2-per-kwh", .number(0...1e9), unit: "grams", help: "CO2 for a kilowatt-hour"),
  ]

  private let arguments: ParsedArguments
  private let hardware: CostHardware?

  init(_ arguments: ParsedArguments) {
    self.arguments = arguments
    hardware = arguments.string("hardware").flatMap { name in
      CostHardware.known.first { $0.name == name }
    }
  }

  private var prices: CostPrices {
    CostPrices(
      perDeviceHour: arguments.double("price-per-hour"),
      watts: arguments.double("watts") ?? hardware?.watts,
      perKilowattHour: arguments.double("price-per-kwh"),
      gramsPerKilowattHour: arguments.double("co2-per-kwh"))
  }

  /// Rates of `--hardware`; nil where none is named.
  private var assumedRates: CostRates? {
    hardware.map { hardware in
      CostRates(
        sampling: hardware.peak * (arguments.double("sampling-utilization") ?? 0.08),
        update: hardware.peak * (arguments.double("utilization") ?? 0.35))
    }
  }

  /// Operations of a token's forward pass; nil where neither a model nor parameters are named.
  private func forward(_ context: CommandContext) throws -> ((Double, Bool) -> Double)? {
    if let parameters = arguments.double("parameters") {
      if arguments.isGiven("model") {
        throw UsageError("--model and --parameters: give one of them")
      }
      return { _, _ in 2 * parameters }
    }
    guard let name = arguments.string("model") else { return nil }
    let folder = try refusing { try ModelLocator.locate(name, environment: context.environment) }
    return Self.forward(try refusing { try ModelConfiguration(folder: folder) })
  }

  private static func forward(_ model: ModelConfiguration) -> (Double, Bool) -> Double {
    { context, meetsVocabulary in
      Double(model.flops(context: Int(clamping: context), meetsVocabulary: meetsVocabulary))
    }
  }

  /// A projection without a run.
  func view(_ context: CommandContext) throws -> CostView {
    var faults: [String] = []
    if !arguments.isGiven("model"), !arguments.isGiven("parameters") {
      faults.append("what it is about is missing: RUN, --model DIR, or --parameters N")
    }
    if hardware == nil {
      faults.append("--hardware is missing: without a run nothing was measured")
    }
    guard faults.isEmpty, let forward = try forward(context), let rates = assumedRates else {
      throw UsageError(faults)
    }
    if let tokens = arguments.double("tokens") {
      guard let parameters = arguments.double("parameters") else {
        throw UsageError("--tokens needs --parameters: 6 operations per parameter and token")
      }
      let operations = trainingOperations(activeParameters: parameters, tokens: tokens)
      return view("projection", nil, [.update: operations], rates, isMeasured: false)
    }
    let workload = try workload(measured: nil)
    return view(
      "projection", workload, workload.operations(forward: forward), rates, isMeasured: false)
  }

  /// What a run took, or a projection from its rates.
  func view(ofRun word: String, _ context: CommandContext) throws -> CostView {
    if arguments.isGiven("tokens") {
      throw UsageError("--tokens is for a projection without a run")
    }
    let run = try MeasuredRun(try LogLocation(word))
    let own = Self.forward(try run.model())
    guard let measured = CostRates.measured(run.steps.map { $0.work(forward: own, run) }) else {
      throw RunFailure("\(word) has no step with a time: its log was made without training")
    }
    let changes = [
      "model", "parameters", "hardware", "max-steps", "prompts-per-step", "num-generations",
      "prompt-length", "completion-length", "dataset",
    ]
    let isProjection =
      changes.contains(where: arguments.isGiven) || arguments.integer("ranks") ?? 1 > 1
    let workload = try workload(measured: run)
    guard isProjection else {
      let operations = run.workload.operations(forward: own)
      var view = view(word, run.workload, operations, measured, isMeasured: true)
      view.seconds = run.seconds(view.seconds)
      return view
    }
    let forward = try forward(context) ?? own
    return view(
      "projection from \(word)", workload, workload.operations(forward: forward),
      assumedRates ?? measured, isMeasured: assumedRates == nil)
  }

  private func view(
    _ name: String, _ workload: CostWorkload?, _ operations: [CostPhase: Double],
    _ rates: CostRates, isMeasured: Bool
  ) -> CostView {
    CostView(
      name: name, workload: workload, operations: operations, seconds: rates.seconds(operations),
      rates: rates, isMeasured: isMeasured, ranks: Double(arguments.integer("ranks") ?? 1),
      prices: prices)
  }

  private func workload(measured run: MeasuredRun?) throws -> CostWorkload {
    let own = run?.workload
    var promptLength = arguments.double("prompt-length") ?? own?.promptLength ?? 256
    if let path = arguments.string("dataset"), !arguments.isGiven("prompt-length") {
      let dataset = try refusing { try Dataset.read([path]) }
      let characters = dataset.problems.reduce(0) { $0 +| $1.prompt.plainText.count }
      promptLength = Double(characters) / Double(max(1, dataset.problems.count)) / 4
    }
    return CostWorkload(
      steps: arguments.double("max-steps") ?? own?.steps ?? 1000,
      prompts: arguments.double("prompts-per-step") ?? own?.prompts ?? 8,
      group: arguments.double("num-generations") ?? own?.group ?? 8, promptLength: promptLength,
      completionLength: arguments.double("completion-length") ?? own?.completionLength ?? 256,
      iterations: own?.iterations ?? 1, hasReference: own?.hasReference ?? false)
  }
}
