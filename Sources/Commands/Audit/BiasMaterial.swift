import Audits
import Foundation
import Rollouts
import Training
import TrajectoryStore

/// What a bias audit is made of, wherever it came from.
struct BiasMaterial {
  /// What was read, for the heading.
  var name: String
  /// The rows that have a group.
  var rows: [BiasRow]
  /// What is measured of each row.
  var measures: [BiasMeasure]
  /// Rows without a value of a group's column.
  var rowsWithoutGroup = 0
  /// An outcome from this on is favourable.
  var favourableAt: Double
  /// The words that were exchanged.
  var exchange: WordExchange?
  /// Rows whose prompt has a word of the exchange.
  var counterfactuals: [CounterfactualRow] = []
  /// What is compared pair by pair.
  var pairMeasures: [BiasMeasure] = []
}

/// A completion as logs and models have it.
struct AuditedCompletion {
  var problem: Int
  var columns: JSONObject
  var prompt: String
  var text: String
  var reward: Double?
  var length: Int
}

/// Reads what a bias audit is made of.
struct BiasReader {
  let arguments: ParsedArguments
  private let groups: [String]
  private let exchange: WordExchange?

  init(_ arguments: ParsedArguments) throws {
    self.arguments = arguments
    groups = arguments.strings("group")
    exchange = try arguments.string("pairs").map { path in
      try refusing {
        try WordExchange(try DatasetFile(reading: path).rows.map(\.columns), name: path)
      }
    }
  }

  // MARK: Files

  /// Reads a file of scores.
  /// - Throws: `DatasetError`, or `UsageError` naming the columns that there are.
  func material(ofFile path: String) throws -> BiasMaterial {
    for option in ["step", "evaluation"] where arguments.isGiven(option) {
      throw UsageError("--\(option) belongs to runs; \(path) is a file of scores")
    }
    let file = try DatasetFile(reading: path)
    let rows = file.rows.map(\.columns)
    let columns = ColumnValues(rows: rows, source: path)
    let outcome = try outcomeColumn(columns)
    try columns.require(groups, "--group")
    let labels = try labels(of: rows, columns)
    let unit = arguments.string("unit")
    if let unit { try columns.require([unit], "--unit") }
    let scores = try rows.indices.map { index -> Double? in
      let value = columns.value(outcome, index)
      if value.isNull { return nil }
      guard let score = ColumnValues.number(value) else {
        throw UsageError(
          "\(path), \(file.rows[index].place): '\(outcome)' must be a number or true or false, not "
            + value.jsonText)
      }
      return score
    }
    let known = scores.compactMap { $0 }
    let cut = arguments.double("favourable-at") ?? Self.middle(known)
    let isBinary = known.allSatisfy { $0 == 0 || $0 == 1 }
    let score = BiasMeasure("score", isConditional: true)
    var material = BiasMaterial(
      name: path, rows: [], measures: isBinary ? [] : [score], favourableAt: cut)
    var units: [String: Int] = [:]
    for index in rows.indices {
      let number = unit.map { unit in
        let name = ColumnValues.text(columns.value(unit, index))
        return units[name]
          ?? { () -> Int in
            units[name] = units.count
            return units.count - 1
          }()
      }
      guard let names = columns.texts(groups, index) else {
        material.rowsWithoutGroup += 1
        continue
      }
      material.rows.append(
        BiasRow(
          groups: names, label: labels?[index], isFavourable: scores[index].map { $0 >= cut },
          values: isBinary ? [] : [scores[index]], unit: number ?? index))
    }
    try addPairs(
      to: &material, measures: [score],
      rows.indices.map { index in
        let prompt = columns.value("prompt", index)
        return ((try? Prompt(json: prompt))?.plainText ?? "", [scores[index]])
      })
    return material
  }

  private func outcomeColumn(_ columns: ColumnValues) throws -> String {
    if let name = arguments.string("outcome") {
      try columns.require([name], "--outcome")
      return name
    }
    let usual = ["reward", "score", "prediction", "outcome", "selected"]
    guard let name = usual.first(where: columns.has) else {
      throw UsageError(
        "\(columns.source) has none of the columns \(usual.joined(separator: ", ")); say which is "
          + "judged: --outcome COLUMN, of \(columns.list)")
    }
    return name
  }

  /// 0.5 of scores from 0 to 1, otherwise the middle of their range.
  private static func middle(_ scores: [Double]) -> Double {
    guard let least = scores.min(), let greatest = scores.max() else { return 0.5 }
    return least >= 0 && greatest <= 1 ? 0.5 : least + (greatest - least) / 2
  }

  // MARK: Completions

  /// Reads a run's rollouts, or its newest evaluation.
  func material(ofLog word: String) throws -> BiasMaterial {
    for option in ["outcome", "unit"] where arguments.isGiven(option) {
      throw UsageError("--\(option) belongs to files of scores; a run's reward is judged")
    }
    let location = try LogLocation(word)
    let completions =
      try arguments.flag("evaluation")
      ? AuditedCompletion.ofNewestEvaluation(in: location)
      : AuditedCompletion.ofRollouts(in: location, steps: arguments.string("step"))
    return try material(of: completions, name: word)
  }

  /// Asks a model.
  func material(ofModel context: CommandContext) throws -> BiasMaterial {
    let model = EvaluatedModel(arguments: arguments)
    let dataset = try model.dataset()
    if !groups.isEmpty {
      try ColumnValues(rows: dataset.problems.map(\.columns), source: dataset.name)
        .require(groups, "--group")
    }
    // The problems as they are, then each that has words to exchange once for every group.
    var asked = dataset
    if groups.isEmpty { asked.problems = [] }
    let originals = asked.problems.count
    if let exchange {
      for problem in dataset.problems {
        asked.problems += (0..<exchange.groups.count).compactMap { group in
          problem.exchanging(exchange, group: group)
        }
      }
    }
    guard !asked.problems.isEmpty else {
      throw UsageError("no prompt of \(dataset.name) has a word of the table of --pairs")
    }
    asked = Dataset(
      name: dataset.name, problems: asked.problems, contentHash: dataset.contentHash)
    let report = try model.ask(asked, context)
    let samples = max(1, report.samples)
    let all = report.completions.enumerated().map { index, record in
      var completion = AuditedCompletion(record)
      completion.problem = index / samples
      return completion
    }
    let name = "\(arguments.string("model") ?? "") on \(dataset.name)"
    var material = try material(
      of: Array(all.prefix(originals * samples)), name: name,
      pairs: all.dropFirst(originals * samples))
    if groups.isEmpty { material.rows = [] }
    return material
  }

  private func material(
    of completions: [AuditedCompletion], name: String,
    pairs: ArraySlice<AuditedCompletion>? = nil
  ) throws -> BiasMaterial {
    let columns = ColumnValues(rows: completions.map(\.columns), source: name)
    if !completions.isEmpty { try columns.require(groups, "--group") }
    let labels = completions.isEmpty ? nil : try labels(of: completions.map(\.columns), columns)
    let all = completions + (pairs ?? [])
    guard !all.isEmpty else { throw UsageError("\(name) has no completions to audit") }
    // What is right gets the full reward: the highest that was seen.
    let cut = arguments.double("favourable-at") ?? all.compactMap(\.reward).max() ?? 1
    let refusal = Refusal(adding: arguments.strings("refusal"))
    let measures = [
      BiasMeasure("reward", isConditional: true), BiasMeasure("refusal"),
      BiasMeasure("length", isJudged: false),
    ]
    func values(_ completion: AuditedCompletion) -> [Double?] {
      [completion.reward, refusal.isRefusal(completion.text) ? 1 : 0, Double(completion.length)]
    }
    func isRight(_ completion: AuditedCompletion) -> Bool? {
      completion.reward.map { $0 >= cut - 1e-9 }
    }
    var material = BiasMaterial(name: name, rows: [], measures: measures, favourableAt: cut)
    for (index, completion) in completions.enumerated() {
      guard let names = columns.texts(groups, index) else {
        material.rowsWithoutGroup += 1
        continue
      }
      material.rows.append(
        BiasRow(
          groups: names, label: labels?[index], isFavourable: isRight(completion),
          values: values(completion), unit: completion.problem))
    }
    try addPairs(
      to: &material, measures: [BiasMeasure("accuracy")] + measures,
      (pairs.map(Array.init) ?? completions).map {
        ($0.prompt, [isRight($0).map { $0 ? 1 : 0 }] + values($0))
      })
    return material
  }

  private func addPairs(
    to material: inout BiasMaterial, measures: [BiasMeasure], _ rows: [(String, [Double?])]
  ) throws {
    guard let exchange else { return }
    material.exchange = exchange
    material.pairMeasures = measures
    material.counterfactuals = rows.compactMap { prompt, values in
      exchange.form(of: prompt).map {
        CounterfactualRow(form: $0.form, group: $0.group, values: values)
      }
    }
  }

  // MARK: Labels

  private func labels(of rows: [JSONObject], _ columns: ColumnValues) throws -> [Bool?]? {
    guard let name = arguments.string("label") else {
      if arguments.isGiven("positive") { throw UsageError("--positive is a value of --label") }
      return nil
    }
    try columns.require([name], "--label")
    let positive = Set(arguments.strings("positive"))
    return try rows.indices.map { index -> Bool? in
      let value = columns.value(name, index)
      if value.isNull { return nil }
      if !positive.isEmpty { return positive.contains(ColumnValues.text(value)) }
      guard let number = ColumnValues.number(value), number == 0 || number == 1 else {
        throw UsageError(
          "--label \(name): \(value.jsonText) is neither 0 nor 1, true nor false; say which value "
            + "is favourable: --positive VALUE")
      }
      return number == 1
    }
  }
}

extension Problem {
  /// The problem with the words of its prompt exchanged; nil where it has none.
  fileprivate func exchanging(_ exchange: WordExchange, group: Int) -> Problem? {
    var copy = self
    switch prompt {
    case .text(let text):
      guard let text = exchange.text(text, asOf: group) else { return nil }
      copy.prompt = .text(text)
    case .messages(var messages):
      var found = false
      for index in messages.indices {
        guard let text = exchange.text(messages[index].content, asOf: group) else { continue }
        messages[index].content = text
        found = true
      }
      guard found else { return nil }
      copy.prompt = .messages(messages)
    }
    return copy
  }
}
