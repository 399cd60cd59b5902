/// Seconds by phase of a step, under `time/…`; a phase may come several times.
struct PhaseClock {
  private var last = ContinuousClock.now
  private(set) var phases: [(name: String, seconds: Double)] = []

  /// Ends a phase that began where the one before ended.
  mutating func lap(_ name: String) {
    let now = ContinuousClock.now
    let seconds = (now - last).seconds
    if let place = phases.firstIndex(where: { $0.name == name }) {
      phases[place].seconds += seconds
    } else {
      phases.append((name, seconds))
    }
    last = now
  }

  /// Tokens per second in a phase.
  func rate(_ tokens: Int, _ name: String) -> Double {
    let seconds = phases.first { $0.name == name }?.seconds ?? 0
    return seconds > 0 ? Double(tokens) / seconds : 0
  }

  var metrics: [(name: String, value: Double)] {
    phases.map { ("time/\($0.name)", $0.seconds) }
      + [("time/step", phases.reduce(0) { $0 + $1.seconds })]
  }
}
