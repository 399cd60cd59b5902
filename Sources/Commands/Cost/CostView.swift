import Audits
import Rollouts

/// What `grpo cost` prints.
struct CostView {
  let name: String
  let workload: CostWorkload?
  let operations: [CostPhase: Double]
  /// Seconds of a device by phase, over all devices.
  var seconds: [CostPhase: Double]
  let rates: CostRates
  /// Whether the rates were measured, not assumed.
  let isMeasured: Bool
  let ranks: Double
  let prices: CostPrices

  private var deviceHours: Double { seconds.values.reduce(0, +) / 3600 }
  private var phases: [CostPhase] { CostPhase.allCases.filter { (operations[$0] ?? 0) > 0 } }

  func text(style: Style) -> String {
    var lines = [name]
    if let workload {
      lines.append(
        "\(Self.short(workload.steps)) steps of \(Self.short(workload.prompts)) prompts × "
          + "\(Self.short(workload.group)) completions; \(Self.short(workload.promptTokens)) prompt "
          + "tokens, \(Self.short(workload.completionTokens)) sampled tokens")
    }
    var table = Table([
      .text("phase"), .number("operations"), .number("device time"), .number("operations/s"),
    ])
    for phase in phases {
      let (count, time) = (operations[phase] ?? 0, seconds[phase] ?? 0)
      table.append(
        phase.rawValue, Self.short(count), Self.time(time),
        time > 0 ? Self.short(count / time) : "–")
    }
    let total = operations.values.reduce(0, +)
    table.append("all", Self.short(total), Self.time(deviceHours * 3600), "")
    lines += ["", table.text(style: style), ""]
    var facts = Table([.text(""), .text("")])
    facts.append("device hours", Self.short(deviceHours) + errorText)
    if ranks > 1 {
      facts.append(
        "wall time on \(Self.short(ranks))", Self.time(deviceHours * 3600 / ranks))
    }
    prices.energy(deviceHours: deviceHours).map {
      facts.append("energy (estimate)", "\(Self.short($0)) kWh")
    }
    prices.money(deviceHours: deviceHours).map { facts.append("money", Self.short($0)) }
    prices.carbon(deviceHours: deviceHours).map {
      facts.append("CO2 (estimate)", "\(Self.short($0)) kg")
    }
    lines.append(
      facts.rows.map { "  " + TextLayout.pad($0[0], to: 24) + $0[1] }.joined(separator: "\n"))
    if !isMeasured { lines.append("rates are assumed, not measured") }
    return lines.joined(separator: "\n")
  }

  private var errorText: String {
    rates.error.map { " ± " + NumberFormat.percent($0) } ?? ""
  }

  private static func short(_ value: Double) -> String {
    value.magnitude < 1e6 && value == value.rounded()
      ? NumberFormat.grouped(Int(clamping: value)) : NumberFormat.significant(value)
  }

  /// A time that may be far longer than anybody waits.
  private static func time(_ seconds: Double) -> String {
    seconds < 1e7 ? NumberFormat.duration(seconds) : short(seconds / 3600) + " h"
  }

  var json: JSONValue {
    func number(_ value: Double?) -> JSONValue {
      value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null
    }
    func byPhase(_ values: [CostPhase: Double]) -> JSONValue {
      .object(JSONObject(phases.map { ($0.rawValue, number(values[$0])) }))
    }
    var object: JSONObject = ["about": .string(name), "measured": .bool(isMeasured)]
    if let workload {
      object["steps"] = number(workload.steps)
      object["prompt_tokens"] = number(workload.promptTokens)
      object["completion_tokens"] = number(workload.completionTokens)
    }
    object["operations"] = byPhase(operations)
    object["total_operations"] = number(operations.values.reduce(0, +))
    object["device_seconds"] = byPhase(seconds)
    object["device_hours"] = number(deviceHours)
    object["relative_error"] = number(rates.error)
    object["wall_hours"] = number(deviceHours / ranks)
    object["energy_kwh_estimate"] = number(prices.energy(deviceHours: deviceHours))
    object["money"] = number(prices.money(deviceHours: deviceHours))
    object["co2_kg_estimate"] = number(prices.carbon(deviceHours: deviceHours))
    return .object(object)
  }
}
