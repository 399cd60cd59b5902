import Foundation
import Rollouts
import Tensors
import Training
import Transformer

/// `grpo bench`: how fast a shape is sampled and trained here.
struct BenchCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "bench", summary: "tokens per second of sampling and updates, and peak memory",
      discussion: """
        Makes a model of a shape with random weights and times whole steps: prefill (prompt tokens per \
        second), sampling and update (completion tokens per second; sampling includes its prompts). \
        Completions have exactly the given length. The first repeats only warm up; best and median of \
        the others are shown. Peak memory is that of the whole process.

        Presets: small is a Llama of hidden size 128, 4 layers, vocabulary 1024, 8 prompts × 8 \
        completions × 64 tokens with prompts of 32; small-long has prompts of 256; smollm2 is \
        SmolLM2-135M's shape with 2 × 4 × 32.
        """,
      options: [
        OptionSpecification(
          "preset", .choice(BenchmarkWorkload.presets.map(\.name)), default: "small",
          help: "the shape and the amount of work"),
        OptionSpecification(
          "model", .path, valueName: "DIR",
          help: "take the shape of this model's config.json instead; its weights are not read"),
        count("prompts", "prompts per step"), count("group", "completions per prompt"),
        count("prompt-length", "tokens of a prompt"),
        count("completion-length", "tokens of a completion"),
        OptionSpecification(
          "phase", .choice(Benchmark.Phase.allCases.map(\.rawValue)),
          defaultDescription: "all three", help: "what is measured; may be repeated", repeats: true
        ),
        OptionSpecification(
          "warmup", .integer(0...1000), default: "1", unit: "repeats", help: "repeats before those"),
        OptionSpecification(
          "repeats", .integer(1...100_000), default: "5", unit: "repeats", help: "measured repeats"),
        OptionSpecification(
          "forward", .choice(["own", "openblas"]), default: "own",
          help: "who computes the forward products: our kernels, or OpenBLAS for comparison"),
        .flag(
          "ceilings",
          help: "measure the processor's peaks too, and print each row as a share of its bound"),
        .precision, .threads, .json,
      ],
      examples: [
        .init("grpo bench --repeats 20", "the small shape"),
        .init("grpo bench --preset smollm2 --json", "SmolLM2-135M's shape, for programs"),
      ])
  }

  private static func count(_ name: String, _ help: String) -> OptionSpecification {
    OptionSpecification(
      name, .integer(1...1_000_000), valueName: "N", defaultDescription: "the preset's", help: help)
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    let workload = try refusing { try Self.workload(arguments, context) }
    let isOpenBLAS = arguments.string("forward") == "openblas"
    guard !isOpenBLAS || arguments.precision == .float32 else {
      throw UsageError(
        "--forward openblas cannot be combined with --precision \(arguments.precision.rawValue): OpenBLAS multiplies "
          + "in float32")
    }
    let compute = Compute(
      threads: arguments.integer("threads"), forwardProducts: isOpenBLAS ? .openBLAS : .own,
      precision: arguments.precision)
    let benchmark = try refusing { try Benchmark(workload, compute: compute) }
    context.interrupts.install()
    let phases = arguments.strings("phase").compactMap(Benchmark.Phase.init)
    let times = try benchmark.run(
      phases: Set(phases.isEmpty ? Benchmark.Phase.allCases : phases),
      warmups: arguments.integer("warmup") ?? 1, repeats: arguments.integer("repeats") ?? 5,
      isCancelled: { context.interrupts.isRaised })
    let result = Result(
      workload: workload, benchmark: benchmark, compute: compute, times: times,
      peak: MachineMemory.peakResident ?? 0,
      ceilings: arguments.flag("ceilings") ? compute.measureCeilings() : nil)
    if arguments.flag("json") {
      context.print(exactly: result.json.prettyJSONText)
    } else {
      result.show(context)
    }
    try context.interrupts.check()
    return .done
  }

  private static func workload(
    _ arguments: ParsedArguments, _ context: CommandContext
  ) throws -> BenchmarkWorkload {
    let name = arguments.string("preset") ?? "small"
    guard var workload = BenchmarkWorkload.presets.first(where: { $0.name == name }) else {
      throw UsageError("there is no preset '\(name)'")
    }
    if arguments.isGiven("model") {
      let folder = try arguments.modelFolder(context)
      workload.configuration = try ModelConfiguration(folder: folder).original
      workload.name = folder.lastPathComponent
    }
    workload.prompts = arguments.integer("prompts") ?? workload.prompts
    workload.group = arguments.integer("group") ?? workload.group
    workload.promptLength = arguments.integer("prompt-length") ?? workload.promptLength
    workload.completionLength = arguments.integer("completion-length") ?? workload.completionLength
    return workload
  }
}
