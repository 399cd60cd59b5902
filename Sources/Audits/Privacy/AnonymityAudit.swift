// How well rows hide in the classes that their quasi-identifiers make.
//
// A class E is the rows that are alike in all quasi-identifiers; q is the distribution of a sensitive value in it, p that
// over all rows.
//
//   k-anonymity            min |E|                                                Sweeney 2002
//   (α, k)-anonymity       α = max q(s) over classes and values                    Wong et al. 2006
//   distinct l-diversity   min number of values in E                              Machanavajjhala et al. 2007
//   entropy l-diversity    min exp(H(q)), H in nats
//   recursive (c, l)       the largest l with r₁ < c (r_l + … + r_m) in every class, counts r descending
//   t-closeness            max distance of q from p: ½ Σ |q − p| of names, the ordered Earth Mover's
//                          1/(m−1) Σ |Σ_{j≤i} (q_j − p_j)| of numbers              Li et al. 2007
//
// Risks as ARX names them: prosecutor = journalist = 1 / smallest class, the highest risk of a record; marketer =
// classes / records, the share that an attacker finds. pycanon's average is the mean of 1 / |E| over the classes.

import Foundation
import Rollouts

/// Rows as privacy sees them.
public struct AnonymityAudit: Sendable {
  /// A value of a sensitive column: a number where all of the column's are.
  public enum Sensitive: Sendable, Hashable, Comparable {
    case number(Double)
    case name(String)
  }

  /// The classes in the order of their values: the rows of each.
  public let classes: [(values: [String], rows: [Int])]
  /// The number of rows.
  public let rowCount: Int

  /// Sorts rows into classes.
  /// - Parameter quasi: The values of the quasi-identifiers of each row.
  public init(quasi: [[String]]) {
    rowCount = quasi.count
    var rows: [[String]: [Int]] = [:]
    for (index, values) in quasi.enumerated() { rows[values, default: []].append(index) }
    classes = rows.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
  }

  /// The size of the smallest class; 0 without rows.
  public var k: Int { classes.map(\.rows.count).min() ?? 0 }

  /// The risk of the record that is easiest to find: 1 / k; 0 without rows.
  public var prosecutorRisk: Double { k > 0 ? 1 / Double(k) : 0 }

  /// The share of records that an attacker who tries all finds: classes / records.
  public var marketerRisk: Double {
    rowCount > 0 ? Double(classes.count) / Double(rowCount) : 0
  }

  /// The mean of 1 / |E| over the classes, which pycanon calls the average.
  public var averageClassRisk: Double {
    classes.isEmpty
      ? 0 : classes.reduce(0) { $0 + 1 / Double($1.rows.count) } / Double(classes.count)
  }

  /// The share of records whose risk is above 1 / k.
  public func recordsAtRisk(_ k: Int) -> Double {
    guard rowCount > 0 else { return 0 }
    let count = classes.reduce(0) { $0 + ($1.rows.count < k ? $1.rows.count : 0) }
    return Double(count) / Double(rowCount)
  }

  /// The classes of the fewest rows, the smallest first.
  public func smallestClasses(_ limit: Int) -> [(values: [String], rows: [Int])] {
    Array(
      classes.enumerated().sorted {
        ($0.element.rows.count, $0.offset) < ($1.element.rows.count, $1.offset)
      }.map(\.element).prefix(limit))
  }

  /// What the classes give away of a sensitive column.
  /// - Parameters:
  ///   - values: The value of each row.
  ///   - c: The constant of recursive (c, l)-diversity.
  public func diversity(of values: [Sensitive], c: Double = 3) -> Diversity {
    let kinds = Set(values).sorted()
    let number = Dictionary(uniqueKeysWithValues: kinds.enumerated().map { ($1, $0) })
    func counts(_ rows: some Collection<Int>) -> [Double] {
      var counts = [Double](repeating: 0, count: kinds.count)
      for row in rows { counts[number[values[row]] ?? 0] += 1 }
      return counts
    }
    let all = counts(values.indices)
    let isNumeric = kinds.allSatisfy { if case .number = $0 { true } else { false } }
    var result = Diversity(
      distinct: .max, entropy: .infinity, recursive: .max, closeness: 0, alpha: 0)
    for rows in classes.map(\.rows) {
      let counts = counts(rows)
      let total = Double(rows.count)
      let present = counts.filter { $0 > 0 }
      result.distinct = min(result.distinct, present.count)
      let entropy = -present.reduce(0) { $0 + $1 / total * log($1 / total) }
      result.entropy = min(result.entropy, exp(entropy))
      result.recursive = min(result.recursive, Self.recursive(present, c: c))
      result.alpha = max(result.alpha, (present.max() ?? 0) / total)
      let difference = zip(counts, all).map { $0 / total - $1 / Double(values.count) }
      result.closeness = max(
        result.closeness, Self.distance(difference, isOrdered: isNumeric && kinds.count > 1))
    }
    return classes.isEmpty
      ? Diversity(distinct: 0, entropy: 0, recursive: 0, closeness: 0, alpha: 0) : result
  }

  /// The largest l ≥ 1 with r₁ < c (r_l + … + r_m); 0 where even l = 1 fails.
  private static func recursive(_ counts: [Double], c: Double) -> Int {
    let descending = counts.sorted(by: >)
    guard let largest = descending.first else { return 0 }
    var tail = 0.0
    for l in stride(from: descending.count, through: 1, by: -1) {
      tail += descending[l - 1]
      if largest < c * tail { return l }
    }
    return 0
  }

  private static func distance(_ difference: [Double], isOrdered: Bool) -> Double {
    guard isOrdered else { return difference.reduce(0) { $0 + $1.magnitude } / 2 }
    var (sum, total) = (0.0, 0.0)
    for value in difference {
      sum += value
      total += sum.magnitude
    }
    return total / Double(difference.count - 1)
  }

  /// What classes give away of a sensitive column.
  public struct Diversity: Sendable, Equatable {
    /// The fewest different values in a class.
    public var distinct: Int
    /// The least exp(H) of a class; pycanon rounds it down.
    public var entropy: Double
    /// The largest l of recursive (c, l)-diversity.
    public var recursive: Int
    /// The largest distance of a class's distribution from that of all rows.
    public var closeness: Double
    /// The largest share of one value in a class.
    public var alpha: Double
  }
}
