import Rollouts
import Tensors

/// Weights that make group and label independent (Kamiran and Calders 2012, section 5.1).
///
///     w(a, y) = P(a) P(y) / P(a, y)
///
/// The weighted rate of favourable labels is then the same in every group.
public struct Reweighing: Sendable {
  private struct Cell: Hashable {
    var group: String
    var label: String
  }

  private let cells: [Cell]
  private let counts: [Cell: Int]
  private let groups: [String: Int]
  private let labels: [String: Int]

  /// Counts rows by group and label.
  public init(groups: [String], labels: [String]) {
    precondition(groups.count == labels.count, "every row has both")
    cells = zip(groups, labels).map { Cell(group: $0, label: $1) }
    counts = cells.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    self.groups = groups.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    self.labels = labels.reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  /// The weight of each row.
  public var weights: [Double] {
    cells.map { expected($0) / Double(counts[$0] ?? 1) }
  }

  /// The rows that a cell would have, were group and label independent.
  private func expected(_ cell: Cell) -> Double {
    Double(groups[cell.group] ?? 0) * Double(labels[cell.label] ?? 0) / Double(max(1, cells.count))
  }

  /// So many rows in which group and label are independent but for rounding: uniform sampling, section 5.2.
  ///
  /// Each group and label gives its expected share, rows drawn without repeats while there are any, then again; a
  /// combination that has no row gives none.
  public func sample(_ count: Int, seed: UInt64) -> [Int] {
    let order = counts.keys.sorted { ($0.group, $0.label) < ($1.group, $1.label) }
    let total = order.reduce(0) { $0 + expected($1) }
    guard total > 0, count > 0 else { return [] }
    let exact = order.map { expected($0) / total * Double(count) }
    var shares = exact.map { Int(clamping: $0.rounded(.down)) }
    // What rounding left goes to the largest remainders.
    let remainders = exact.indices.sorted {
      (Double(shares[$0]) - exact[$0], $0) < (Double(shares[$1]) - exact[$1], $1)
    }
    for index in remainders.prefix(count - shares.reduce(0, +)) { shares[index] += 1 }
    let rows = Dictionary(grouping: cells.indices) { cells[$0] }
    var chosen: [Int] = []
    for (index, cell) in order.enumerated() {
      let members = rows[cell] ?? []
      let drawn = Philox(seed: seed, purpose: .data, step: 6, draw: index)
        .permutation(of: members.count)
      for place in 0..<shares[index] { chosen.append(members[drawn[place % drawn.count]]) }
    }
    return chosen
  }
}
