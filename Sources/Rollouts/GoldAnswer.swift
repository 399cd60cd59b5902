extension Problem {
  /// The columns in which data sets keep the right answer, the first that a row has counting; a point names a
  /// member of an object, as verl nests it.
  public static let goldColumns = [
    "answer", "ground_truth", "reward_model.ground_truth", "solution", "target", "gold",
  ]

  /// The right answer as the row has it, for people to read beside a completion; nil where no column is known.
  public var goldAnswer: String? {
    for name in Self.goldColumns {
      var value: JSONValue? = .object(columns)
      for part in name.split(separator: ".") { value = value?[String(part)] }
      if let value, !value.isNull { return value.string ?? value.jsonText }
    }
    return nil
  }
}
