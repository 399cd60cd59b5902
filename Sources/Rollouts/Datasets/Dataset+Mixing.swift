extension Dataset {
  /// The problems in two parts, chosen by their content.
  ///
  /// A problem belongs to the second part where the first 64 bits of the SHA-256 of its prompt's
  /// JSON text, as a fraction, are below `evaluationFraction`: the choice depends on neither order,
  /// nor seed, nor the other rows, and equal prompts stay together.
  public func split(evaluationFraction: Double) -> (train: Dataset, evaluation: Dataset) {
    let isEvaluation = problems.map { $0.contentFraction < evaluationFraction }
    return (
      subset("\(name) (train)") { !isEvaluation[$0] },
      subset("\(name) (evaluation)") { isEvaluation[$0] }
    )
  }

  /// The problems for which `isKept` holds, with indices of their own.
  public func filtered(_ isKept: (Problem) -> Bool) -> Dataset {
    subset(name) { isKept(problems[$0]) }
  }

  private func subset(_ name: String, _ isKept: (Int) -> Bool) -> Dataset {
    var subset = Dataset(name: name, problems: [], contentHash: contentHash)
    var renumbered = [Int?](repeating: nil, count: problems.count)
    for index in problems.indices where isKept(index) {
      var problem = problems[index]
      problem.index = subset.problems.count
      renumbered[index] = problem.index
      subset.problems.append(problem)
      subset.places.append(places[index])
    }
    subset.columns = Self.columnNames(subset.problems.lazy.map(\.columns))
    subset.epoch = epoch.compactMap { renumbered[$0] }
    return subset
  }

  /// Several data sets as one, of which a pass sees each row `weight` times.
  ///
  /// A weight's whole part repeats every row; its fraction is the share of rows, chosen by content,
  /// that are seen once more. Problems are numbered anew, in order of the data sets.
  public static func mixing(_ parts: [(dataset: Dataset, weight: Double)]) -> Dataset {
    if parts.count == 1, parts[0].weight == 1 { return parts[0].dataset }
    var mixed = Dataset(
      name: parts.map(\.dataset.name).joined(separator: " + "), problems: [], contentHash: "")
    var hash = SHA256()
    for (dataset, weight) in parts {
      hash.update("\(dataset.contentHash) \(weight)\n".utf8)
      let offset = mixed.problems.count
      for problem in dataset.problems {
        var problem = problem
        problem.index += offset
        mixed.problems.append(problem)
      }
      mixed.places += dataset.places
      let whole = Int(clamping: max(0, weight))
      for index in dataset.epoch {
        let extra = dataset.problems[index].contentFraction < weight - Double(whole) ? 1 : 0
        mixed.epoch += repeatElement(offset + index, count: whole + extra)
      }
    }
    mixed.columns = columnNames(mixed.problems.lazy.map(\.columns))
    mixed.contentHash = hash.finalize().hexadecimal
    return mixed
  }

  /// The same data with a pass ordered from the least to the greatest value of a column.
  /// - Throws: `DatasetError` where a row has no number there.
  public func ordered(byDifficulty column: String) throws(DatasetError) -> Dataset {
    var difficulty: [Double] = []
    for (problem, place) in zip(problems, places) {
      let value = problem.columns[column]
      guard let number = value?.double ?? value?.string.flatMap(Double.init), number.isFinite else {
        throw DatasetError(
          path: name, at: place,
          reason: "has no number in the column '\(column)', which the curriculum follows")
      }
      difficulty.append(number)
    }
    var ordered = self
    ordered.epoch = epoch.enumerated().sorted {
      (difficulty[$0.element], $0.offset) < (difficulty[$1.element], $1.offset)
    }.map(\.element)
    return ordered
  }
}

extension Problem {
  /// A number in 0..<1 that depends on the prompt's content alone.
  var contentFraction: Double {
    // The top 53 bits: the fraction is exact and never rounds up to 1.
    Double(SHA256.digest(of: prompt.json.jsonText).prefix >> 11) * 0x1p-53
  }
}
