import Foundation
import Rollouts

/// What a problem can teach: the spread of its rewards is p (1 − p), and without spread a group has no advantage.
///
/// p is not known but has the posterior Beta(1 + solved, 1 + missed), by which the expected value is
///
///     E[p (1 − p)] = α β / ((α + β)(α + β + 1))
///
/// A problem that was never asked has 1/6: more than one that was solved, or missed, four times out of four.
public enum LearningValue {
  /// The expected value of a problem of which so many completions were solved.
  public static func expected(solved: Int, of count: Int) -> Double {
    let (alpha, beta) = (1 + Double(solved), 1 + Double(max(0, count - solved)))
    return alpha * beta / ((alpha + beta) * (alpha + beta + 1))
  }

  /// The rows of greatest value, the earlier first among equals.
  public static func best(_ values: [Double], count: Int) -> [Int] {
    Array(values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }.prefix(count))
  }

  /// So many rows, the kinds taking turns, in each the rows of greatest value first.
  public static func balanced(_ values: [Double], kinds: [Int], count: Int) -> [Int] {
    var queues = Dictionary(grouping: values.indices) { kinds[$0] }.sorted { $0.key < $1.key }
      .map { $0.value.sorted { (-values[$0], $0) < (-values[$1], $1) }[...] }
    var chosen: [Int] = []
    while chosen.count < count, queues.contains(where: { !$0.isEmpty }) {
      for index in queues.indices where chosen.count < count {
        if let row = queues[index].popFirst() { chosen.append(row) }
      }
    }
    return chosen
  }
}
