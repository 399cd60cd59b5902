// What work costs: operations, time, energy, money and CO2, from sizes and rates.
//
// A forward pass of a token that sees c positions takes f(c) operations, a backward pass twice as many. A step of B
// prompts of P tokens with G completions of C tokens each, learned from n times, takes
//
//   prefill    B · P f(P/2)
//   decode     B · G C f(P + C/2)
//   reference  prefill + decode, where there is one
//   update     3 n (prefill + decode)
//
// since a prompt is processed once for its group. Training on T tokens with N active parameters takes 6 N T (Kaplan et al.
// 2020, arXiv 2001.08361, section 2.1).

import Rollouts

/// The parts of a step that take time.
public enum CostPhase: String, CaseIterable, Sendable {
  case prefill, decode, reference, update
}

/// How much work is done.
public struct CostWorkload: Sendable, Equatable {
  /// Steps.
  public var steps: Double
  /// Prompts per step.
  public var prompts: Double
  /// Completions per prompt.
  public var group: Double
  /// Tokens of a prompt, on average.
  public var promptLength: Double
  /// Tokens of a completion, on average.
  public var completionLength: Double
  /// How often a rollout is learned from.
  public var iterations: Double
  /// Whether a reference model scores it.
  public var hasReference: Bool

  /// A workload of its sizes.
  public init(
    steps: Double, prompts: Double, group: Double, promptLength: Double, completionLength: Double,
    iterations: Double = 1, hasReference: Bool = false
  ) {
    self.steps = steps
    self.prompts = prompts
    self.group = group
    self.promptLength = promptLength
    self.completionLength = completionLength
    self.iterations = iterations
    self.hasReference = hasReference
  }

  /// Prompt tokens over all steps, each prompt once for its group.
  public var promptTokens: Double { steps * prompts * promptLength }
  /// Completion tokens over all steps.
  public var completionTokens: Double { steps * prompts * group * completionLength }

  /// Operations of each phase over all steps.
  /// - Parameter forward: Operations of a token's forward pass by the positions that it sees, and whether it meets the
  ///   vocabulary.
  public func operations(
    forward: (_ context: Double, _ meetsVocabulary: Bool) -> Double
  ) -> [CostPhase: Double] {
    let prefill = promptTokens * forward(promptLength / 2, false)
    let decode = completionTokens * forward(promptLength + completionLength / 2, true)
    return [
      .prefill: prefill, .decode: decode, .reference: hasReference ? prefill + decode : 0,
      .update: 3 * iterations * (prefill + decode),
    ]
  }
}

/// What time, energy and money go by.
public struct CostPrices: Sendable, Equatable {
  /// Money for a device's hour.
  public var perDeviceHour: Double?
  /// Watts of a device at work, an estimate.
  public var watts: Double?
  /// Money for a kilowatt-hour.
  public var perKilowattHour: Double?
  /// Grams of CO2 for a kilowatt-hour.
  public var gramsPerKilowattHour: Double?

  /// Prices; what is nil is not computed.
  public init(
    perDeviceHour: Double? = nil, watts: Double? = nil, perKilowattHour: Double? = nil,
    gramsPerKilowattHour: Double? = nil
  ) {
    self.perDeviceHour = perDeviceHour
    self.watts = watts
    self.perKilowattHour = perKilowattHour
    self.gramsPerKilowattHour = gramsPerKilowattHour
  }

  /// Kilowatt-hours of so many device hours; nil without watts.
  public func energy(deviceHours: Double) -> Double? { watts.map { deviceHours * $0 / 1000 } }

  /// Money for so many device hours and their energy; nil where nothing has a price.
  public func money(deviceHours: Double) -> Double? {
    let energy = self.energy(deviceHours: deviceHours)
    let time = perDeviceHour.map { $0 * deviceHours }
    var used: Double?
    if let energy, let perKilowattHour { used = energy * perKilowattHour }
    return time == nil && used == nil ? nil : (time ?? 0) + (used ?? 0)
  }

  /// Kilograms of CO2 of so many device hours.
  public func carbon(deviceHours: Double) -> Double? {
    guard let gramsPerKilowattHour, let energy = self.energy(deviceHours: deviceHours) else {
      return nil
    }
    return energy * gramsPerKilowattHour / 1000
  }
}

/// A machine by what its maker says of it.
public struct CostHardware: Sendable, Equatable {
  /// What `--hardware` calls it.
  public var name: String
  /// Dense bf16 operations per second at most.
  public var peak: Double
  /// Watts at most.
  public var watts: Double

  /// Machines that people name; the makers' data sheets.
  public static let known: [CostHardware] = [
    CostHardware(name: "a100", peak: 312e12, watts: 400),
    CostHardware(name: "h100", peak: 989.4e12, watts: 700),
    CostHardware(name: "h200", peak: 989.4e12, watts: 700),
    CostHardware(name: "h800", peak: 989.4e12, watts: 700),
    CostHardware(name: "l40s", peak: 362e12, watts: 350),
    CostHardware(name: "mi300x", peak: 1307.4e12, watts: 750),
  ]
}

/// How fast a machine does the work, with how far that is known.
public struct CostRates: Sendable, Equatable {
  /// Operations per second of prefill, decode and reference together.
  public var sampling: Double
  /// Operations per second of updates.
  public var update: Double
  /// The relative half-width of the 95% interval, as the measured steps spread; nil where the rates are assumed.
  public var error: Double?

  /// Rates of the two kinds of work.
  public init(sampling: Double, update: Double, error: Double? = nil) {
    (self.sampling, self.update, self.error) = (sampling, update, error)
  }

  /// Seconds of a device for some operations.
  public func seconds(_ operations: [CostPhase: Double]) -> [CostPhase: Double] {
    Dictionary(
      uniqueKeysWithValues: operations.map { phase, count in
        (phase, count / (phase == .update ? update : sampling))
      })
  }

  /// Rates that measured steps had: operations by seconds, over all of them.
  ///
  /// - Parameter steps: For each step its operations and seconds of sampling and of the update.
  /// - Returns: nil where no step has a time.
  public static func measured(
    _ steps: [(
      sampling: (operations: Double, seconds: Double), update: (operations: Double, seconds: Double)
    )]
  ) -> CostRates? {
    let sampling = steps.reduce((0.0, 0.0)) {
      ($0.0 + $1.sampling.operations, $0.1 + $1.sampling.seconds)
    }
    let update = steps.reduce((0.0, 0.0)) {
      ($0.0 + $1.update.operations, $0.1 + $1.update.seconds)
    }
    guard sampling.1 > 0, update.1 > 0, sampling.0 > 0, update.0 > 0 else { return nil }
    let rates = CostRates(sampling: sampling.0 / sampling.1, update: update.0 / update.1)
    // How far each step's time is from what the rates say of it.
    let residuals = steps.compactMap { step -> Double? in
      let expected =
        step.sampling.operations / rates.sampling + step.update.operations / rates.update
      guard expected > 0 else { return nil }
      return (step.sampling.seconds + step.update.seconds) / expected - 1
    }
    guard residuals.count > 1 else { return rates }
    let squares = residuals.reduce(0) { $0 + $1 * $1 }
    let deviation = (squares / Double(residuals.count - 1)).squareRoot()
    return CostRates(
      sampling: rates.sampling, update: rates.update,
      error: 1.959963984540054 * deviation / Double(residuals.count).squareRoot())
  }
}

/// Operations of training on tokens: 6 N T.
public func trainingOperations(activeParameters: Double, tokens: Double) -> Double {
  6 * activeParameters * tokens
}
