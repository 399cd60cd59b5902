import Rollouts

/// Curves in one frame of the page, with what its axes need to say.
struct PageChart {
  var title: String
  /// What the vertical axis counts.
  var unit: String
  /// How the vertical axis is scaled.
  var scale = Scale.fitted
  var curves: [PageCurve]
  /// Those that matter most are shown first, the others when asked for.
  var isMain = true

  enum Scale: String {
    /// From the least to the greatest value.
    case fitted
    /// A share that is good or bad by its size: 0 to 1.
    case unit
    /// From 0 up: its distance from 0 is what a number says.
    case zero
  }

  /// The chart without curves that hold no number; nil where none is left.
  var shown: PageChart? {
    var chart = self
    chart.curves = curves.filter { $0.curve.values.contains(where: \.isFinite) }
    return chart.curves.isEmpty ? nil : chart
  }

  var json: JSONValue {
    [
      "title": .string(title), "unit": .string(unit), "scale": .string(scale.rawValue),
      "main": .bool(isMain), "curves": .array(curves.map(\.json)),
    ]
  }
}

/// A number over the steps as the page draws it.
struct PageCurve {
  var curve: ReportSection.Curve
  /// The ends of an interval around each value.
  var band: (low: [Double], high: [Double])?
  /// Whether each value stands for itself: drawn as points, never smoothed.
  var isExact = false

  /// Points of a curve: more than a screen has columns help nobody.
  private static let pointLimit = 600

  init(_ curve: ReportSection.Curve, isExact: Bool = false) {
    self.curve = curve
    self.isExact = isExact
  }

  /// At most so many points: means of stretches of equal length.
  ///
  /// The last value is given apart, as it is.
  var json: JSONValue {
    let count = min(curve.values.count, Self.pointLimit)
    var steps: [JSONValue] = []
    var columns: [[JSONValue]] = [[], [], []]
    let rows = [curve.values] + (band.map { [$0.low, $0.high] } ?? [])
    for point in 0..<count {
      let range =
        point * curve.values.count / count..<(point + 1) * curve.values.count / count
      guard curve.values[range].contains(where: \.isFinite) else { continue }
      steps.append(.integer(Int64(curve.steps[range.lowerBound])))
      for (place, values) in rows.enumerated() {
        columns[place].append(.number(Self.mean(values[range])))
      }
    }
    var object: JSONObject = [
      "name": .string(curve.name), "steps": .array(steps), "values": .array(columns[0]),
    ]
    if band != nil { (object["low"], object["high"]) = (.array(columns[1]), .array(columns[2])) }
    if isExact { object["exact"] = .bool(true) }
    if let last = curve.values.indices.last(where: { curve.values[$0].isFinite }) {
      object["last"] = [.integer(Int64(curve.steps[last])), .number(curve.values[last])]
    }
    return .object(object)
  }

  private static func mean(_ values: ArraySlice<Double>) -> Double {
    let finite = values.filter(\.isFinite)
    return finite.count == 1
      ? finite[0] : finite.reduce(0, +) / Double(max(1, finite.count))
  }
}
