import Audits
import Foundation
import Rollouts

/// `grpo audit epsilon`: what noise and sampling protect, before a run.
struct AuditEpsilonCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "epsilon", summary: "the (ε, δ) of noisy gradients, or the noise that an ε needs",
      discussion: """
        Accounts for steps that each draw a unit with probability --sampling-rate (Poisson), clip \
        its gradient to a norm and add Gaussian noise of --noise-multiplier times that norm, by Rényi \
        differential privacy (Mironov et al. 2019), as Opacus and dp-accounting do.
        """,
      options: [
        OptionSpecification(
          "noise-multiplier", .number(0...1e6), help: "noise by clipping norm, σ"),
        OptionSpecification(
          "epsilon", .number(0...1e6), help: "instead: the ε for which the least noise is sought"),
        OptionSpecification(
          "sampling-rate", .number(0...1), help: "the probability that a unit is drawn in a step"),
        OptionSpecification("steps", .integer(1...1_000_000_000), help: "how many steps"),
        OptionSpecification(
          "delta", .number(1e-300...1), default: "1e-05", help: "the δ at which ε holds"), .json,
      ],
      examples: [
        .init(
          "grpo audit epsilon --noise-multiplier 1.1 --sampling-rate 0.01 --steps 1000",
          "ε = 1.71 at δ = 1e-5")
      ])
  }

  init() {}

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    var faults = ["sampling-rate", "steps"].filter { !arguments.isGiven($0) }
      .map { "--\($0) is missing" }
    if arguments.isGiven("noise-multiplier") == arguments.isGiven("epsilon") {
      faults.append("give either --noise-multiplier or --epsilon")
    }
    guard faults.isEmpty, let rate = arguments.double("sampling-rate"),
      let steps = arguments.integer("steps"), let delta = arguments.double("delta")
    else { throw UsageError(faults) }
    let noise: Double
    if let wanted = arguments.double("epsilon") {
      guard
        let found = RenyiAccountant.noiseMultiplier(
          epsilon: wanted, delta: delta, steps: steps, samplingRate: rate)
      else { throw RunFailure("no noise multiplier up to 10⁶ keeps ε within \(wanted)") }
      noise = found
    } else {
      noise = arguments.double("noise-multiplier") ?? 0
    }
    var accountant = RenyiAccountant()
    accountant.add(steps: steps, noiseMultiplier: noise, samplingRate: rate)
    let (epsilon, order) = accountant.epsilon(delta: delta)
    if arguments.flag("json") {
      let json: JSONValue = [
        "epsilon": epsilon.isFinite ? .number(epsilon) : .null, "delta": .number(delta),
        "order": .number(order), "noise_multiplier": .number(noise), "sampling_rate": .number(rate),
        "steps": .integer(Int64(steps)),
      ]
      context.print(exactly: json.prettyJSONText)
    } else {
      context.print(
        "ε = \(NumberFormat.significant(epsilon)) at δ = \(NumberFormat.significant(delta)), noise "
          + "multiplier \(NumberFormat.significant(noise)), at order \(NumberFormat.significant(order))"
      )
    }
    return .done
  }
}
