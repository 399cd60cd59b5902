import Rollouts
import Tensors
import Training
import Transformer

extension BenchCommand {
  /// What was measured, as people and programs read it.
  struct Result {
    var workload: BenchmarkWorkload
    var benchmark: Benchmark
    var compute: Compute
    var times: [Benchmark.Times]
    /// Bytes.
    var peak: Int
    /// Nil where they were not asked for.
    var ceilings: Ceilings?

    /// Tokens per second of a phase that reaches its bound.
    private func bound(of phase: Benchmark.Times) -> Double? {
      ceilings.map { Double(phase.tokens) / benchmark.bound(of: phase.phase, on: compute, $0) }
    }

    func show(_ context: CommandContext) {
      context.note(
        "\(workload.name): \(NumberFormat.grouped(benchmark.configuration.parameterCount)) weights, "
          + "\(workload.prompts) prompts × \(workload.group) completions × "
          + "\(workload.completionLength) tokens, prompts of \(workload.promptLength); "
          + "\(compute.threads) threads, \(compute.instructionSet.rawValue), "
          + compute.precision.rawValue)
      var columns: [Table.Column] = [
        .text("phase"), .number("best"), .number("median"), .number("best time"), .text(""),
      ]
      if ceilings != nil { columns += [.number("bound"), .number("of it")] }
      let rows = times.map { phase in
        var cells = [
          phase.phase.rawValue, NumberFormat.grouped(Int(clamping: phase.best)),
          NumberFormat.grouped(Int(clamping: phase.median)),
          NumberFormat.duration(phase.seconds.min() ?? 0),
          phase.phase == .prefill ? "prompt tokens/s" : "completion tokens/s",
        ]
        if let bound = bound(of: phase) {
          cells += [
            NumberFormat.grouped(Int(clamping: bound)),
            "\(Int(clamping: (100 * phase.best / bound).rounded()))%",
          ]
        }
        return cells
      }
      context.print(Table(columns, rows: rows).text(width: nil, style: context.style))
      context.print("peak memory \(NumberFormat.bytes(peak))")
      if let ceilings { show(ceilings, context) }
    }

    private func show(_ ceilings: Ceilings, _ context: CommandContext) {
      var table = Table([
        .text("ceiling"), .number("one thread"), .number("\(compute.threads) threads"), .text(""),
      ])
      func append(_ name: String, _ rate: Ceilings.Rate, _ unit: String) {
        table.append(
          name, NumberFormat.grouped(Int(clamping: rate.one / 1e9)),
          NumberFormat.grouped(Int(clamping: rate.all / 1e9)), unit)
      }
      append("float32", ceilings.float32, "GFLOP/s")
      append("bf16", ceilings.bf16, "GFLOP/s")
      for level in ceilings.levels { append("reading " + level.name, level.bandwidth, "GB/s") }
      context.print(table.text(width: nil, style: context.style))
    }

    var json: JSONValue {
      let phases = times.map { phase -> (String, JSONValue) in
        var fields: [(String, JSONValue)] = [
          ("tokens", .integer(Int64(phase.tokens))),
          ("best_tokens_per_second", .number(phase.best)),
          ("median_tokens_per_second", .number(phase.median)),
          ("seconds", .array(phase.seconds.map(JSONValue.number))),
        ]
        if let bound = bound(of: phase) {
          fields += [
            ("bound_tokens_per_second", .number(bound)),
            ("share_of_bound", .number(phase.best / bound)),
          ]
        }
        return (phase.phase.rawValue, .object(JSONObject(fields)))
      }
      var fields: [(String, JSONValue)] = [
        (
          "workload",
          [
            "name": .string(workload.name),
            "parameters": .integer(Int64(benchmark.configuration.parameterCount)),
            "prompts": .integer(Int64(workload.prompts)), "group": .integer(Int64(workload.group)),
            "prompt_length": .integer(Int64(workload.promptLength)),
            "completion_length": .integer(Int64(workload.completionLength)),
          ]
        ),
        ("threads", .integer(Int64(compute.threads))),
        ("instruction_set", .string(compute.instructionSet.rawValue)),
        ("precision", .string(compute.precision.rawValue)),
        ("forward", .string(compute.forwardProducts.rawValue)),
        ("phases", .object(JSONObject(phases))),
        ("peak_memory_bytes", .integer(Int64(peak))),
      ]
      if let ceilings { fields.append(("ceilings", Self.json(ceilings))) }
      return .object(JSONObject(fields))
    }

    private static func json(_ ceilings: Ceilings) -> JSONValue {
      func rate(_ rate: Ceilings.Rate) -> JSONValue {
        ["one_thread": .number(rate.one), "all_threads": .number(rate.all)]
      }
      return .object([
        "float32_flops_per_second": rate(ceilings.float32),
        "bf16_flops_per_second": rate(ceilings.bf16),
        "read_bytes_per_second": .object(
          JSONObject(ceilings.levels.map { ($0.name, rate($0.bandwidth)) })),
      ])
    }
  }
}
