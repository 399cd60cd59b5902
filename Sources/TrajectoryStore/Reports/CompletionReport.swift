import Rollouts

extension Report {
  /// One trajectory whole.
  static let completion = Report(
    name: "completion", arguments: "ID",
    summary: "one trajectory whole: rewards with their parts, tokens with their numbers",
    filters: []
  ) { (request) throws(StoreError) in
    let id = try request.integerArgument(0, "the number of a completion")
    let parameters: [String: QueryValue] = ["id": .integer(Int64(id))]
    let session = request.session
    let rows = try session.select(
      """
      SELECT run, step, draw, sample, dataset, problem_index, problem_id, reward, advantage,
        length, finish, logprob_mean, logprob_min, entropy_mean, ratio_max, clipped_tokens,
        dropped, (SELECT \(GoldAnswerColumn.sql) FROM problems WHERE problems.id = problem_id),
        prompt, text
      FROM trajectories WHERE completion_id = :id
      """, parameters)
    guard let row = rows.first else {
      throw StoreError(
        .query, "The log \(session.path) has no completion \(id).",
        remedy: "The reports best and worst list some.")
    }
    let names: [(String, ReportTable.Format)] = [
      ("run", .plain), ("step", .plain), ("draw", .plain), ("sample", .plain),
      ("dataset", .plain), ("problem index", .plain), ("problem", .plain), ("reward", .number),
      ("advantage", .number), ("length", .plain), ("finish", .plain), ("mean log-prob", .number),
      ("least log-prob", .number), ("mean entropy", .number), ("largest ratio", .number),
      ("clipped tokens", .plain), ("dropped", .plain),
    ]
    let facts = zip(names, row).map { ReportSection.Fact($0.0, $1, $0.1) }
    var page = ReportPage(title: "completion \(id)")
    page.sections = [
      .facts(key: "completion", title: "", facts.filter { $0.value != .null }),
      .text(key: "prompt", title: "Prompt", row[18].plainText),
    ]
    if row[17] != .null {
      page.sections.append(.text(key: "answer", title: "Right answer", row[17].plainText))
    }
    let conversation = try conversation(session, parameters)
    page.sections.append(
      conversation.rows.isEmpty
        ? .text(key: "text", title: "Completion", row[19].plainText)
        : .table(key: "conversation", title: "Conversation", conversation))
    page.sections.append(
      .table(key: "scores", title: "Rewards", try scores(session, parameters)))
    let updates = try updateTable(session, parameters)
    if !updates.rows.isEmpty {
      page.sections.append(.table(key: "updates", title: "Updates", updates))
    }
    page.sections.append(
      .tokens(key: "tokens", title: "Tokens", try tokens(request, parameters)))
    return page
  }

  private static func scores(
    _ session: QuerySession, _ parameters: [String: QueryValue]
  ) throws(StoreError) -> ReportTable {
    var table = ReportTable(
      [
        ("reward", .plain), ("weight", .number), ("status", .plain), ("value", .number),
        ("parts", .object), ("steps", .text), ("log", .object), ("error", .text),
        ("reason", .text), ("seconds: time", .seconds), ("stderr", .text),
      ],
      rows: try session.select(
        """
        SELECT name, weight, status, value, parts, steps, log, error,
          \(try session.connection.column("reason", since: 2)), seconds, stderr
        FROM scores JOIN rewards ON rewards.id = reward_id
        WHERE completion_id = :id ORDER BY position
        """, parameters))
    table.dropEmptyColumns()
    table.isWhole = true
    return table
  }

  private static func updateTable(
    _ session: QuerySession, _ parameters: [String: QueryValue]
  ) throws(StoreError) -> ReportTable {
    ReportTable(
      [
        ("update", .plain), ("ratio_min", .number), ("ratio_max", .number),
        ("clipped_low", .plain), ("clipped_high", .plain), ("kl", .number),
      ],
      rows: try session.select(
        """
        SELECT update_index, ratio_min, ratio_max, clipped_low, clipped_high, kl_mean
        FROM completion_updates JOIN updates ON updates.id = update_id
        WHERE completion_id = :id ORDER BY update_index
        """, parameters))
  }

  /// Who said what after the prompt; no rows where the completion is one turn.
  private static func conversation(
    _ session: QuerySession, _ parameters: [String: QueryValue]
  ) throws(StoreError) -> ReportTable {
    var table = ReportTable(
      [
        ("turn", .plain), ("role", .plain), ("text", .text), ("calls", .text), ("failures", .plain),
        ("reward", .number), ("seconds: time", .seconds),
      ],
      rows: try session.hasTurns
        ? session.select(
          """
          SELECT turn, json_extract(message, '$.role'), json_extract(message, '$.content'),
            json_extract(message, '$.tool_calls'), failures, reward, seconds, -1 AS place
          FROM turns WHERE completion_id = :id
          UNION ALL
          SELECT turn, coalesce(json_extract(value, '$.name'), json_extract(value, '$.role')),
            json_extract(value, '$.content'), NULL, NULL, NULL, NULL, key
          FROM turns, json_each(answers) WHERE completion_id = :id
          ORDER BY turn, place
          """, parameters
        ).map { Array($0.dropLast()) } : [])
    table.dropEmptyColumns()
    table.isWhole = true
    return table
  }

  /// Whether a token of the completion was observed and not sampled, by its place.
  private static func observedPlaces(
    _ session: QuerySession, _ parameters: [String: QueryValue]
  ) throws(StoreError) -> (Int) -> Bool {
    guard try session.hasTurns else { return { _ in false } }
    var ranges: [Range<Int>] = []
    try session.walk(
      "SELECT start, length FROM segments WHERE completion_id = :id AND origin = 'observed'",
      parameters
    ) { statement in
      let (start, length) = (statement.integer(0), statement.integer(1))
      if start >= 0, length > 0 { ranges.append(start..<start +| length) }
    }
    return { place in ranges.contains { $0.contains(place) } }
  }

  /// The tokens with their numbers; ratios are those of the last update.
  static func tokens(
    _ request: ReportRequest, _ parameters: [String: QueryValue]
  ) throws(StoreError) -> [ReportSection.TokenCell] {
    var cells: [ReportSection.TokenCell] = []
    let isObserved = try observedPlaces(request.session, parameters)
    try request.session.walk(
      """
      SELECT token_ids, sampler_logprobs, entropies, advantages, completions.advantage, kept_sets,
        (SELECT ratios FROM completion_updates WHERE completion_id = completions.id
          ORDER BY update_id DESC LIMIT 1),
        (SELECT arrays FROM completion_updates WHERE completion_id = completions.id
          ORDER BY update_id DESC LIMIT 1)
      FROM completions JOIN completion_tokens ON completion_id = completions.id
      WHERE completions.id = :id
      """, parameters
    ) { statement in
      let ids = statement.array(0, of: TokenID.self)
      let logProbabilities = statement.array(1, of: Float.self)
      let entropies = statement.array(2, of: Float.self)
      let advantages = statement.array(3, of: Double.self)
      let advantage = statement.optionalReal(4)
      let sampledCount = ids.count - ids.indices.count(where: isObserved)
      let sets = KeptSets.decoded(statement.array(5, of: UInt8.self), count: sampledCount)
      let ratios = statement.optionalArray(6, of: Float.self)
      let hasRatios = statement.integer(7) & 2 != 0
      // Numbers are kept of sampled tokens alone.
      var index = -1
      for (place, id) in ids.enumerated() {
        if isObserved(place) {
          var cell = ReportSection.TokenCell(id: id)
          cell.isObserved = true
          cell.text = request.tokenText?(id)
          cells.append(cell)
          continue
        }
        index += 1
        func element<Number>(_ array: [Number]) -> Number? {
          index < array.count ? array[index] : nil
        }
        var cell = ReportSection.TokenCell(id: id)
        cell.text = request.tokenText?(id)
        cell.logProbability = element(logProbabilities).map(Double.init)
        cell.entropy = element(entropies).map(Double.init)
        if hasRatios { cell.ratio = ratios.map { element($0).map(Double.init) } ?? 1 }
        cell.advantage = element(advantages) ?? advantage
        if let set = sets?[index] {
          switch set {
          case .only(let kept): cell.keptCount = kept.count
          case .except(let excluded): cell.excludedCount = excluded.count
          }
        }
        cells.append(cell)
      }
    }
    return cells
  }
}
