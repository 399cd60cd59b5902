import Dispatch
import Foundation
import Rollouts

/// The rewards of a run: scores completions with all of them, in the background.
///
/// Used from one thread. `open` announces a round of completions, `submit` hands them over as they end and
/// returns at once, so that what a reward's scope allows is scored while others are still sampled; `collect`
/// waits for the rest. Which completions a call holds depends on the round alone, never on the clock, but for
/// rewards that judge each completion by itself.
public final class RewardSuite {
  /// The rewards, in the order of the specifications.
  public let rewards: [RewardDescription]

  private let resolved: [ResolvedReward]
  private let scopes: [RewardScope]
  private let scoreboard = Scoreboard()
  private let recipes: [(reward: Int, recipe: PluginRecipe)]
  private var host: PluginHost?
  private let queue = DispatchQueue(label: "built-in rewards", attributes: .concurrent)
  private var progress: RoundProgress?
  /// What requests of a group have in common, group by group; nil where it runs in process.
  private var encoded: [Int: (problem: Problem, rewards: [EncodedProblem?])] = [:]
  private var trainerState: [UInt8] = []
  /// The id on the wire of the next round's first completion.
  private var nextID = 1
  private var health: RewardHealth
  /// What is told of the settings, once.
  private var warnings: [String]

  /// Resolves the specifications, starts the plugins and waits for their greetings.
  /// - Parameters:
  ///   - specifications: what the config asks for.
  ///   - columns: the data's columns; nil where there are no data to check against.
  ///   - data: what the columns are of, for messages: a file's name.
  ///   - catalogue: the rewards that ship.
  /// - Throws: every fault at once, of the words and of the starts.
  public init(
    _ specifications: [RewardSpecification], columns: [String]?, of data: String = "the data",
    catalogue: RewardCatalogue
  ) throws(RewardError) {
    let resolved = try Self.resolve(
      specifications, RewardResolver(catalogue: catalogue, columns: columns, data: data))
    var starting = resolved
    recipes = resolved.enumerated().compactMap { index, reward in
      if case .child(let recipe) = reward.way { (reward: index, recipe: recipe) } else { nil }
    }
    let (host, greetings) = try Self.start(recipes, scoreboard)
    self.host = host
    for (index, greeting) in greetings { starting[index].take(greeting) }
    self.resolved = starting
    scopes = starting.map(\.description.scope)
    rewards = starting.map(\.description)
    health = RewardHealth(rewards: rewards)
    warnings = rewards.compactMap(\.uselessCache)
  }

  deinit {
    shutDown()
  }

  /// Starts every plugin's first worker and waits for the greetings.
  private static func start(
    _ recipes: [(reward: Int, recipe: PluginRecipe)], _ scoreboard: Scoreboard
  ) throws(RewardError) -> (host: PluginHost?, greetings: [(reward: Int, greeting: RewardGreeting)])
  {
    guard !recipes.isEmpty else { return (nil, []) }
    let host = try PluginHost(plugins: recipes, scoreboard: scoreboard)
    let starts = scoreboard.awaitStarts(recipes.count)
    var greetings: [(reward: Int, greeting: RewardGreeting)] = []
    var faults: [String] = []
    for (index, result) in starts.sorted(by: { $0.key < $1.key }) {
      switch result {
      case .success(let greeting): greetings.append((index, greeting))
      case .failure(let fault): faults.append(fault.sentence)
      }
    }
    guard faults.isEmpty else {
      host.finish(grace: 0)
      throw RewardError(.configuration, faults)
    }
    return (host, greetings)
  }

  /// Ends every process and starts it anew, with nothing remembered: a reward's model may have changed.
  /// - Precondition: Everything that was submitted is collected.
  public func restart() throws(RewardError) {
    guard host != nil else { return }
    shutDown()
    let (host, greetings) = try Self.start(recipes, scoreboard)
    self.host = host
    for (index, greeting) in greetings where greeting.scope != scopes[index] {
      throw RewardError(
        .stopped,
        "reward \"\(rewards[index].name)\" greets with the scope \(greeting.scope.rawValue) after it was "
          + "started anew, and the run began with \(scopes[index].rawValue)")
    }
  }

  private static func resolve(
    _ specifications: [RewardSpecification], _ resolver: RewardResolver
  ) throws(RewardError) -> [ResolvedReward] {
    var resolved: [ResolvedReward] = []
    var faults: [String] = []
    for specification in specifications {
      do throws(RewardError) {
        resolved.append(try resolver.resolve(specification))
      } catch {
        faults += error.faults
      }
    }
    let names = Dictionary(grouping: resolved, by: \.description.name)
    for (name, same) in names.sorted(by: { $0.key < $1.key }) where same.count > 1 {
      faults.append(
        "\(same.count) rewards are named \"\(name)\", and metrics could not tell them apart: give "
          + "them a \"name\" each")
    }
    guard faults.isEmpty else { throw RewardError(.configuration, faults) }
    return resolved
  }

  // MARK: A round

  /// Begins a round; the one before it is collected or abandoned.
  public func open(_ round: ScoringRound) {
    let number = scoreboard.open(rows: round.groups.count, rewards: resolved.count)
    progress = RoundProgress(round, firstID: nextID, number: number)
    nextID += round.groups.count
    encoded = [:]
    trainerState = round.state.map { Array(",\"trainer_state\":\($0.json.jsonText)".utf8) } ?? []
  }

  /// Hands completions of the round to the rewards, each by its scope; returns at once.
  /// - Precondition: Every id is an index of the round's groups, and comes once.
  public func submit(_ requests: [RewardRequest]) {
    submit(requests.map { ($0.id, $0) })
  }

  private func submit(_ requests: [(row: Int, request: RewardRequest)]) {
    precondition(progress != nil, "completions came before a round was opened")
    guard !requests.isEmpty else { return }
    var whole: [[Int]] = []
    for (row, request) in requests {
      if let group = progress?.take(request, row: row) { whole.append(group) }
    }
    scoreboard.expect(requests.count * resolved.count)
    for (reward, scope) in scopes.enumerated() {
      switch scope {
      case .completion: call(reward, requests.map { [$0.row] })
      case .group: call(reward, whole)
      case .step: break
      }
    }
  }

  /// Hands calls to a reward, each the rows that it must see together.
  private func call(_ reward: Int, _ calls: [[Int]]) {
    guard let progress, !calls.isEmpty else { return }
    func ticket(_ row: Int) -> Ticket { Ticket(round: progress.number, row: row, reward: reward) }
    switch resolved[reward].way {
    case .inProcess(let builtIn):
      score(
        calls.joined().compactMap { row in
          progress.requests[row].map { request in
            (ticket(row), request.completion, mapped(request.problem, for: reward))
          }
        }, with: builtIn, rewards[reward])
    case .child:
      host?.score(
        calls.map { rows in
          rows.compactMap { row in
            progress.requests[row].map { request in
              PendingRequest(
                ticket: ticket(row), id: progress.firstID + row, group: request.group,
                completion: request.completion, problem: encodedProblem(of: request, for: reward),
                trainerState: trainerState)
            }
          }
        }, reward: reward)
    }
  }

  /// A row as a reward sees it.
  private func mapped(_ problem: Problem, for reward: Int) -> Problem {
    var problem = problem
    problem.columns = resolved[reward].mapping.apply(
      to: problem.columns, reading: resolved[reward].reads)
    return problem
  }

  /// What the requests of a group have in common, encoded once.
  private func encodedProblem(of request: RewardRequest, for reward: Int) -> EncodedProblem {
    if encoded[request.group]?.problem != request.problem {
      encoded[request.group] = (
        request.problem, [EncodedProblem?](repeating: nil, count: resolved.count)
      )
    }
    if let known = encoded[request.group]?.rewards[reward] { return known }
    let problem = EncodedProblem(mapped(request.problem, for: reward))
    encoded[request.group]?.rewards[reward] = problem
    return problem
  }

  private func score(
    _ pending: [(Ticket, Completion, Problem)], with reward: any BuiltInReward,
    _ description: RewardDescription
  ) {
    let chunk = 64
    let effect = description.specification.onError
    for start in stride(from: 0, to: pending.count, by: chunk) {
      let part = Array(pending[start..<min(start + chunk, pending.count)])
      queue.async { [scoreboard] in
        scoreboard.settle(
          part.map { ticket, completion, problem in
            let begin = now()
            let scoring = reward.scoring(of: completion, for: problem, within: description.range)
            return (
              ticket,
              RewardOutcome(
                scoring: scoring, value: scoring.value(onFailure: effect), seconds: now() - begin)
            )
          })
      }
    }
  }

  /// Waits for everything that was submitted; in the round's order, without what never came.
  ///
  /// Step rewards are called now. A group of which completions are missing is judged as it is.
  /// - Throws: `.stopped` where a reward failed more often than its `failure_limit` allows, or at
  ///   all with `on_error: stop`, or where nothing was scored for long; `.interrupted` after `interrupt`.
  public func collect() throws(RewardError) -> [ScoredCompletion] {
    guard let scored = try collect(unless: { false }) else {
      throw RewardError(.interrupted, "interrupted while rewards were scoring")
    }
    return scored
  }

  /// Waits as `collect` does, unless the caller gives up: then the round is abandoned, and the result is nil.
  public func collect(
    unless isCancelled: () -> Bool
  ) throws(RewardError) -> [ScoredCompletion]? {
    guard let progress else { return [] }
    let rows = progress.rows
    if !isCancelled() {
      for (reward, scope) in scopes.enumerated() {
        switch scope {
        case .completion: break
        case .group: call(reward, progress.unfinishedGroups)
        case .step: call(reward, rows.isEmpty ? [] : [rows])
        }
      }
    }
    guard let outcomes = scoreboard.collect(unless: isCancelled) else {
      abandon()
      return nil
    }
    self.progress = nil
    encoded = [:]
    let scored = rows.compactMap { row in
      progress.requests[row].map { request in
        ScoredCompletion(
          id: request.id, outcomes: outcomes[row], total: total(of: outcomes[row]))
      }
    }
    try stopWhereFailuresAreTooMany(scored)
    if progress.round.isTraining {
      health.observe(scored, groups: rows.map { progress.round.groups[$0] })
      if let fault = health.fault { throw RewardError(.stopped, fault) }
    }
    return scored
  }

  /// Gives the round up: what is not sent is dropped, and what still comes is thrown away.
  public func abandon() {
    progress = nil
    encoded = [:]
    host?.forget()
    scoreboard.abandon()
  }

  /// Scores completions as one round and waits for it; in their order.
  ///
  /// Their ids may be any.
  public func score(
    _ requests: [RewardRequest], state: TrainerState? = nil, isTraining: Bool = false
  ) throws(RewardError) -> [ScoredCompletion] {
    open(ScoringRound(groups: requests.map(\.group), state: state, isTraining: isTraining))
    submit(requests.enumerated().map { ($0.offset, $0.element) })
    return try collect()
  }

  /// The greatest weighted sum that the rewards can give, where their ranges are known; a range that isn't
  /// counts as 0 to 1.
  public var fullReward: Double {
    rewards.reduce(0) { sum, reward in
      let range = reward.range ?? 0...1
      return sum + max(reward.weight * range.lowerBound, reward.weight * range.upperBound)
    }
  }

  private func total(of outcomes: [RewardOutcome]) -> Double? {
    var sum = 0.0
    var counts = false
    for (reward, outcome) in zip(rewards, outcomes) {
      guard let value = outcome.value else { continue }
      sum += reward.weight * value
      counts = true
    }
    return counts ? sum : nil
  }

  /// Warnings that came up since the last call, each a sentence with its figures.
  public func takeWarnings() -> [String] {
    exchange(&warnings, with: []) + (host?.takeNotes() ?? []) + health.takeWarnings()
  }

  /// Ends the wait in `collect` from any thread, for good: for Ctrl-C.
  public var interrupt: @Sendable () -> Void {
    { [scoreboard] in scoreboard.interrupt() }
  }

  /// Ends every process: asks by closing the input, waits 5 s, then kills.
  ///
  /// May be called again.
  public func shutDown() {
    host?.finish(grace: 5)
  }

  /// A completion of a problem that must get the full score from a reward, where it knows one.
  public func goldCompletion(for problem: Problem, reward index: Int) -> String? {
    guard resolved.indices.contains(index) else { return nil }
    var mapped = problem
    mapped.columns = resolved[index].mapping.apply(to: problem.columns, reading: nil)
    return resolved[index].gold(mapped)
  }

  /// The rows that a reward can't score, whatever is answered: a sentence for each such reward.
  public func faults(in dataset: Dataset) -> [String] {
    let named = 5
    return resolved.compactMap { reward in
      var faults: [String] = []
      var count = 0
      for (problem, place) in zip(dataset.problems, dataset.places) {
        var mapped = problem
        mapped.columns = reward.mapping.apply(to: problem.columns, reading: nil)
        guard let fault = reward.fault(mapped) else { continue }
        count += 1
        if faults.count < named { faults.append("\(place): \(fault.replacing("\n", with: "⏎"))") }
      }
      guard count > 0 else { return nil }
      let rest = count > named ? "; and \(count - named) more" : ""
      return "reward \"\(reward.description.name)\" cannot score \(count) of "
        + "\(dataset.problems.count) rows of \(dataset.name): \(faults.joined(separator: "; "))\(rest)"
    }
  }
}

extension ResolvedReward {
  /// Completes the description with what the plugin says of itself.
  fileprivate mutating func take(_ greeting: RewardGreeting) {
    description.range = greeting.range
    description.scope = greeting.scope
    description.isDeterministic = greeting.isDeterministic
    if let version = greeting.version {
      // Another version of what it uses makes it another reward.
      description.version = version
      description.contentHash = ContentHash.of(files: [], and: [description.contentHash, version])
    }
    if let reads = greeting.reads { self.reads = Set(reads) }
  }
}
