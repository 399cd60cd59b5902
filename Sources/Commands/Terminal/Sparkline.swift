import Rollouts

/// A curve in one line of block characters.
enum Sparkline {
  private static let blocks = Array("▁▂▃▄▅▆▇█")

  /// The values from the least (▁) to the greatest (█), averaged down to `width` columns.
  ///
  /// Values that are not finite are left out of their column; a column without any is a space. A
  /// curve with a single value is drawn at half height.
  static func draw(_ values: [Double], width: Int = 40) -> String {
    guard !values.isEmpty, width > 0 else { return "" }
    let columns = min(width, values.count)
    let means: [Double?] = (0..<columns).map { column in
      let range = column * values.count / columns..<(column + 1) * values.count / columns
      let finite = values[range].filter(\.isFinite)
      return finite.isEmpty ? nil : finite.reduce(0) { $0 + $1 / Double(finite.count) }
    }
    let known = means.compactMap(\.self)
    guard let low = known.min(), let high = known.max() else {
      return String(repeating: " ", count: columns)
    }
    return String(
      means.map { mean -> Character in
        guard let mean else { return " " }
        guard high > low else { return blocks[3] }
        // Halves first: high - low overflows for values near the largest double.
        let height = (mean / 2 - low / 2) / (high / 2 - low / 2)
        return blocks[min(7, max(0, Int(clamping: height * 8)))]
      })
  }
}
