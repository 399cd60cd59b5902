import Processes
import Rollouts
import Tensors

/// `grpo doctor --mpi`: whether the ranks that a launcher started can work together, and how fast.
struct RanksReport {
  private let ranks: Ranks
  private let speed: LinkSpeed?

  /// Joins the ranks, measures, and prints on rank 0.
  static func print(asJSON: Bool, _ context: CommandContext) throws -> ExitCode {
    try RankedCommand.run(context, always: true) { ranks, context in
      let report = RanksReport(
        ranks: ranks, speed: ranks.size > 1 ? try ranks.measureLinks() : nil)
      if asJSON {
        context.print(exactly: report.json.prettyJSONText)
      } else {
        let lines = report.lines
        let column = lines.map(\.name.count).max() ?? 0
        for line in lines {
          context.print(TextLayout.pad(line.name, to: column + 2) + line.value)
        }
        for advice in RankAdvice.sentences(ranks) { context.note("note: " + advice) }
      }
      return .done
    }
  }

  private var lines: [(name: String, value: String)] {
    var lines = [
      ("library", ranks.library ?? "none"),
      ("launcher", ranks.launcher?.kind.rawValue ?? "none: this process runs alone"),
      ("ranks", "\(ranks.size)"),
    ]
    for (rank, place) in ranks.places.enumerated() {
      lines.append(
        (
          "rank \(rank)",
          "\(place.host), process \(place.process), \(place.processors.count) "
            + "\(place.processors.count == 1 ? "processor" : "processors") (\(Self.ranges(place.processors)))"
        ))
    }
    if let speed {
      lines.append(("message", NumberFormat.duration(speed.latency)))
      lines.append(
        ("bandwidth", NumberFormat.bytes(Int(clamping: speed.bandwidth)) + "/s each way, as sent"))
    }
    return lines
  }

  private var json: JSONValue {
    let places = ranks.places.map { place -> JSONValue in
      [
        "host": .string(place.host), "process": .integer(Int64(place.process)),
        "processors": .array(place.processors.map { .integer(Int64($0)) }),
      ]
    }
    var members: JSONObject = [
      "library": ranks.library.map(JSONValue.string) ?? .null,
      "launcher": ranks.launcher.map { .string($0.kind.rawValue) } ?? .null,
      "ranks": .array(places),
      "notes": .array(RankAdvice.sentences(ranks).map(JSONValue.string)),
    ]
    if let speed {
      members["message_seconds"] = .number(speed.latency)
      members["bytes_per_second"] = .number(speed.bandwidth)
    }
    return .object(members)
  }

  /// Numbers as ranges: "0-3, 8".
  static func ranges(_ numbers: [Int]) -> String {
    var ranges: [ClosedRange<Int>] = []
    for number in numbers {
      if let last = ranges.last, last.upperBound + 1 == number {
        ranges[ranges.count - 1] = last.lowerBound...number
      } else {
        ranges.append(number...number)
      }
    }
    return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ", ")
  }
}
