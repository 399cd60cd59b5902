/// A run's steps cut into equal stretches, so that a long run fits a screen.
struct StepBuckets {
  var first: Int
  var last: Int
  var count: Int

  /// The stretches of the steps that a filter lets through; nil where there are none.
  init?(_ request: ReportRequest, run: Int, count: Int = 12) throws(StoreError) {
    let conditions = request.filter.stepConditions(run: run)
    let rows = try request.session.select(
      "SELECT min(step), max(step) FROM steps WHERE \(conditions.sql)", conditions.parameters)
    guard let row = rows.first, let first = row[0].double, let last = row[1].double else {
      return nil
    }
    self.first = Int(first)
    self.last = Int(last)
    self.count = min(count, self.last - self.first + 1)
  }

  /// The stretch that a step is in.
  func index(of step: Int) -> Int {
    min(count - 1, max(0, (step - first) * count / (last - first + 1)))
  }

  /// The stretch of a column `step`, as SQL.
  var sql: String { "(steps.step - \(first)) * \(count) / \(last - first + 1)" }

  /// The steps of a stretch, for people.
  func name(_ index: Int) -> String {
    let size = last - first + 1
    // The least step whose index is `index`, and the one before the next stretch's.
    let low = first + (index * size + count - 1) / count
    let high = first + ((index + 1) * size + count - 1) / count - 1
    return low == high ? "\(low)" : "\(low)–\(high)"
  }
}
