import Dispatch
import Foundation
import Rollouts

/// The rewards of a run: scores completions with all of them, in the background.
///
/// Used from one thread. `submit` returns at once, so that groups that finish early are scored
/// while others are still sampled; `collect` waits for everything that was submitted. Values and
/// their order depend on the completions alone, never on which worker was quicker.
public final class RewardSuite {
  /// The rewards, in the order of the specifications.
  public let rewards: [RewardDescription]

  private let resolved: [ResolvedReward]
  private let scoreboard = Scoreboard()
  private let recipes: [(reward: Int, recipe: PluginRecipe)]
  private var host: PluginHost?
  private let queue = DispatchQueue(label: "built-in rewards", attributes: .concurrent)
  private var submitted: [Int] = []
  private var health: RewardHealth
  private var groups: [Int] = []

  /// Resolves the specifications, starts the plugins and waits for their greetings.
  /// - Parameters:
  ///   - specifications: what the config asks for.
  ///   - columns: the dataset's columns; nil where there is no dataset to check against.
  ///   - catalogue: the rewards that ship.
  /// - Throws: every fault at once, of the words and of the starts.
  public init(
    _ specifications: [RewardSpecification], columns: [String]?, catalogue: RewardCatalogue
  ) throws(RewardError) {
    let resolved = try Self.resolve(specifications, columns: columns, catalogue: catalogue)
    var starting = resolved
    recipes = resolved.enumerated().compactMap { index, reward in
      if case .child(let recipe) = reward.way { (reward: index, recipe: recipe) } else { nil }
    }
    let (host, greetings) = try Self.start(recipes, scoreboard)
    self.host = host
    for (index, greeting) in greetings { starting[index].take(greeting) }
    self.resolved = starting
    rewards = starting.map(\.description)
    health = RewardHealth(rewards: rewards)
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
    host = try Self.start(recipes, scoreboard).host
  }

  private static func resolve(
    _ specifications: [RewardSpecification], columns: [String]?, catalogue: RewardCatalogue
  ) throws(RewardError) -> [ResolvedReward] {
    let resolver = RewardResolver(catalogue: catalogue, columns: columns)
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

  /// Hands completions to every reward; returns at once.
  public func submit(_ requests: [RewardRequest]) {
    guard !requests.isEmpty else { return }
    let first = scoreboard.open(rows: requests.count, rewards: resolved.count)
    submitted += requests.map(\.id)
    groups += requests.map(\.group)
    let runs = Self.runs(of: requests)
    for (index, reward) in resolved.enumerated() {
      func ticket(_ offset: Int) -> Ticket { Ticket(row: first + offset, reward: index) }
      var pending: [PendingRequest] = []
      var inProcess: [(Ticket, Completion, Problem)] = []
      for run in runs {
        var problem = requests[run.lowerBound].problem
        problem.columns = reward.mapping.apply(to: problem.columns, reading: reward.reads)
        switch reward.way {
        case .child:
          let encoded = EncodedProblem(problem)
          pending += run.map {
            PendingRequest(
              ticket: ticket($0), group: requests[$0].group, completion: requests[$0].completion,
              problem: encoded)
          }
        case .inProcess:
          inProcess += run.map { (ticket($0), requests[$0].completion, problem) }
        }
      }
      switch reward.way {
      case .child: host?.score(pending, reward: index)
      case .inProcess(let builtIn): score(inProcess, with: builtIn, reward.description)
      }
    }
  }

  /// The runs of requests that share a problem, whose row is then mapped and encoded once.
  private static func runs(of requests: [RewardRequest]) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for index in requests.indices {
      if let last = runs.last, requests[last.lowerBound].problem == requests[index].problem {
        runs[runs.count - 1] = last.lowerBound..<(index + 1)
      } else {
        runs.append(index..<(index + 1))
      }
    }
    return runs
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
            let scoring = reward.scoring(of: completion, for: problem)
            return (
              ticket,
              RewardOutcome(
                scoring: scoring, value: scoring.value(onFailure: effect), seconds: now() - begin)
            )
          })
      }
    }
  }

  /// Waits for everything that was submitted; in the order of submission.
  /// - Throws: `.stopped` where a reward failed more often than its `failure_limit` allows, or at
  ///   all with `on_error: stop`; `.interrupted` after `interrupt`.
  public func collect() throws(RewardError) -> [ScoredCompletion] {
    guard let rows = scoreboard.collect() else {
      throw RewardError(.interrupted, "interrupted while rewards were scoring")
    }
    defer {
      submitted = []
      groups = []
    }
    let scored = zip(submitted, rows).map { id, outcomes in
      ScoredCompletion(id: id, outcomes: outcomes, total: total(of: outcomes))
    }
    try stopWhereFailuresAreTooMany(scored)
    health.observe(scored, groups: groups)
    return scored
  }

  /// Scores completions and waits for it; in their order.
  public func score(_ requests: [RewardRequest]) throws(RewardError) -> [ScoredCompletion] {
    submit(requests)
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

  private func stopWhereFailuresAreTooMany(_ scored: [ScoredCompletion]) throws(RewardError) {
    for (index, reward) in rewards.enumerated() {
      var failures = 0
      var example = ""
      for completion in scored {
        guard case .failed(let error) = completion.outcomes[index].scoring else { continue }
        if failures == 0 {
          example = error
          let tail = completion.outcomes[index].standardError
          if !tail.isEmpty { example += "\n" + tail }
        }
        failures += 1
      }
      let specification = reward.specification
      let share = Double(failures) / Double(max(1, scored.count))
      if failures > 0, specification.onError == .stop {
        throw RewardError(
          .stopped,
          "reward \"\(reward.name)\" could not score \(failures) of \(scored.count) completions, and "
            + "its on_error is \"stop\". The first: \(example)")
      }
      if failures > 0, share > specification.failureLimit {
        throw RewardError(
          .stopped,
          "reward \"\(reward.name)\" could not score \(failures) of \(scored.count) completions, more "
            + "than its failure_limit of \(specification.failureLimit). Mend the reward (try it with "
            + "`grpo reward test`), give it more time (time_limit), or raise failure_limit. The "
            + "first: \(example)")
      }
    }
  }

  /// Warnings that came up since the last call, each a sentence with its figures.
  public func takeWarnings() -> [String] { health.takeWarnings() }

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
}

extension ResolvedReward {
  /// Completes the description with what the plugin says of itself.
  fileprivate mutating func take(_ greeting: RewardGreeting) {
    description.range = greeting.range
    description.isDeterministic = greeting.isDeterministic
    if let reads = greeting.reads { self.reads = Set(reads) }
  }
}
