/// Rows sorted into groups by some of the audit's columns, with the sums of each unit at hand for resamples.
struct GroupTable {
  /// The groups in the order of their names: a value per column.
  let names: [[String]]
  /// Rows per group.
  private(set) var rowCounts: [Int]
  /// Units per group.
  private(set) var unitCounts: [Int]
  /// The sums of each unit: one entry per group that it has rows in.
  private(set) var units: [[(group: Int, sums: ArraySlice<Double>)]]

  private let rows: [BiasRow]
  private let groupOfRow: [Int]
  private let measures: Int

  init(_ rows: [BiasRow], places: [Int], measures: Int) {
    self.rows = rows
    self.measures = measures
    let keys = rows.map { row in places.map { row.groups[$0] } }
    names = Set(keys).sorted { $0.lexicographicallyPrecedes($1) }
    let number = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    groupOfRow = keys.map { number[$0] ?? 0 }
    rowCounts = names.map { _ in 0 }
    unitCounts = names.map { _ in 0 }
    units = []
    var rowsOfUnit: [Int: [Int]] = [:]
    var order: [Int] = []
    for (index, row) in rows.enumerated() {
      rowCounts[groupOfRow[index]] += 1
      if rowsOfUnit[row.unit] == nil { order.append(row.unit) }
      rowsOfUnit[row.unit, default: []].append(index)
    }
    for unit in order {
      var parts: [Int: GroupSums] = [:]
      for index in rowsOfUnit[unit] ?? [] {
        parts[groupOfRow[index], default: GroupSums(groups: 1, measures: measures)]
          .add(rows[index], group: 0)
      }
      for group in parts.keys { unitCounts[group] += 1 }
      units.append(parts.sorted { $0.key < $1.key }.map { ($0.key, $0.value.part(of: 0)) })
    }
  }

  /// The sums over some units, each as often as it is drawn.
  func sums(of drawn: some Sequence<Int>) -> GroupSums {
    var sums = GroupSums(groups: names.count, measures: measures)
    for unit in drawn {
      for part in units[unit] { sums.add(part.sums, group: part.group) }
    }
    return sums
  }

  /// z s √(1/n₁ + 1/n₂) of the two groups with the fewest units, s² being the variance within the judged groups.
  ///
  /// Of values that are 0 or 1, s² = p (1 − p). Nil where fewer than two groups have the value.
  func smallestDifference(_ judged: [Int], _ value: (BiasRow) -> Double?) -> Double? {
    var values: [Int: [Double]] = [:]
    var units: [Int: Set<Int>] = [:]
    for (index, row) in rows.enumerated() {
      guard let number = value(row) else { continue }
      values[groupOfRow[index], default: []].append(number)
      units[groupOfRow[index], default: []].insert(row.unit)
    }
    let known = judged.filter { values[$0] != nil }
    let counts = known.map { Double(units[$0]?.count ?? 0) }.sorted()
    guard counts.count > 1 else { return nil }
    let all = known.flatMap { values[$0] ?? [] }
    let isShare = all.allSatisfy { $0 == 0 || $0 == 1 }
    let variance: Double
    if isShare {
      let share = all.reduce(0, +) / Double(all.count)
      // Where all are alike, what one row more could be keeps the width above nothing.
      let smoothed = (share * Double(all.count) + 1) / (Double(all.count) + 2)
      variance = smoothed * (1 - smoothed)
    } else {
      let squares = known.map { group -> Double in
        let part = values[group] ?? []
        let mean = part.reduce(0, +) / Double(part.count)
        return part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      }
      variance = squares.reduce(0, +) / Double(max(1, all.count - known.count))
    }
    return 1.959963984540054 * (variance * (1 / counts[0] + 1 / counts[1])).squareRoot()
  }
}
