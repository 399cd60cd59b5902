/// A run's steps cut into stretches of equal length, so that a long run fits a screen.
struct StepBuckets {
  var first: Int
  var last: Int
  /// The first step of each stretch, ascending.
  private let starts: [Int]

  /// How many stretches there are.
  var count: Int { starts.count }

  /// The stretches of the steps that a filter lets through; nil where there are none.
  init?(_ request: ReportRequest, run: Int, count: Int = 12) throws(StoreError) {
    let conditions = request.filter.stepConditions(run: run)
    let rows = try request.session.select(
      "SELECT min(step), max(step) FROM steps WHERE \(conditions.sql)", conditions.parameters)
    guard let row = rows.first, let first = row[0].integer, let last = row[1].integer else {
      return nil
    }
    self.init(first: first, last: last, count: count)
  }

  /// At most `count` stretches of the steps from `first` to `last`, whatever numbers those are.
  init(first: Int, last: Int, count: Int) {
    (self.first, self.last) = (first, last)
    let size = Int128(last) - Int128(first) + 1
    let count = min(Int128(count), size)
    // The least step whose share of the way, in stretches, reaches the stretch's number.
    starts = (0..<count).map { Int(Int128(first) + ($0 * size + count - 1) / count) }
  }

  /// The stretch that a step is in.
  func index(of step: Int) -> Int {
    max(0, starts.prefix { $0 <= step }.count - 1)
  }

  /// The stretch of a column `step`, as SQL: comparisons alone, which no number makes overflow.
  var sql: String {
    "(0" + starts.dropFirst().map { " + (steps.step >= \($0))" }.joined() + ")"
  }

  /// The steps of a stretch, for people.
  func name(_ index: Int) -> String {
    let low = starts[index]
    let high = index + 1 < starts.count ? starts[index + 1] - 1 : last
    return low == high ? "\(low)" : "\(low)–\(high)"
  }
}
