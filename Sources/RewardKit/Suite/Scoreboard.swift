import Dispatch
import Rollouts
import Synchronization

/// What came of one reward for one completion.
public struct RewardOutcome: Sendable, Hashable {
  /// The scoring, as data.
  public var scoring: Scoring
  /// What counts: the score, 0 where a failure counts as zero, nil where nothing does.
  public var value: Double?
  /// Seconds that the scoring took, in a call for several its share; nondeterministic.
  public var seconds: Double
  /// The last lines of standard error while it was scored; nondeterministic.
  public var standardError: String
  /// Whether the score was remembered from an equal completion.
  public var isRemembered: Bool

  /// Makes an outcome.
  public init(
    scoring: Scoring, value: Double?, seconds: Double = 0, standardError: String = "",
    isRemembered: Bool = false
  ) {
    self.scoring = scoring
    self.value = value
    self.seconds = seconds
    self.standardError = standardError
    self.isRemembered = isRemembered
  }
}

extension RewardOutcome {
  /// Why the score is what it is, where there is one and the reward says.
  public var reason: String? {
    if case .scored(let score) = scoring { return score.reason }
    return nil
  }
}

/// Where an outcome belongs.
struct Ticket: Sendable, Hashable {
  /// The round's number: what comes in late for another round is thrown away.
  var round: Int
  var row: Int
  var reward: Int
}

/// The outcomes that are awaited, filled by whatever thread has one.
final class Scoreboard: Sendable {
  private struct State {
    var round = 0
    var rows: [[RewardOutcome?]] = []
    var pending = 0
    var isInterrupted = false
    var starts: [Int: Result<RewardGreeting, StartFault>] = [:]
  }

  /// Why a plugin didn't start.
  struct StartFault: Error, Sendable {
    var sentence: String
  }

  private let state = Mutex(State())
  private let changed = DispatchSemaphore(value: 0)

  /// Opens a round with a row for each completion that may come; the round's number.
  func open(rows count: Int, rewards: Int) -> Int {
    state.withLock { state in
      state.round += 1
      state.rows = [[RewardOutcome?]](
        repeating: [RewardOutcome?](repeating: nil, count: rewards), count: count)
      state.pending = 0
      return state.round
    }
  }

  /// Waits for so many outcomes more.
  func expect(_ count: Int) { state.withLock { $0.pending += count } }

  /// Fills places; the first outcome of a place stays.
  func settle(_ outcomes: [(Ticket, RewardOutcome)]) {
    let isDone = state.withLock { state in
      for (ticket, outcome) in outcomes
      where ticket.round == state.round && ticket.row < state.rows.count
        && state.rows[ticket.row][ticket.reward] == nil
      {
        state.rows[ticket.row][ticket.reward] = outcome
        state.pending -= 1
      }
      return state.pending == 0
    }
    if isDone { changed.signal() }
  }

  /// Tells how a plugin started.
  func settleStart(_ reward: Int, _ result: Result<RewardGreeting, StartFault>) {
    state.withLock { $0.starts[reward] = result }
    changed.signal()
  }

  /// Ends the waiting of `collect`, for good.
  func interrupt() {
    state.withLock { $0.isInterrupted = true }
    changed.signal()
  }

  /// Waits until so many plugins have started or failed to.
  func awaitStarts(_ count: Int) -> [Int: Result<RewardGreeting, StartFault>] {
    while true {
      let starts = state.withLock { state in
        let isOver = state.starts.count >= count || state.isInterrupted
        defer { if isOver { state.starts = [:] } }
        return isOver ? state.starts : nil
      }
      if let starts { return starts }
      changed.wait()
    }
  }

  /// Gives the round up: what still comes for it is thrown away.
  func abandon() { _ = open(rows: 0, rewards: 0) }

  /// Waits until every outcome that is expected is there, and empties the board; nil where interrupted, or
  /// given up meanwhile.
  /// - Parameter isCancelled: Asked a few times a second.
  func collect(unless isCancelled: () -> Bool) -> [[RewardOutcome]]? {
    while true {
      if isCancelled() { return nil }
      let rows: [[RewardOutcome]]?? = state.withLock { state in
        if state.isInterrupted { return .some(nil) }
        guard state.pending == 0 else { return nil }
        defer { state.rows = [] }
        return .some(state.rows.map { $0.compactMap(\.self) })
      }
      if let rows { return rows }
      _ = changed.wait(timeout: .now() + .milliseconds(200))
    }
  }
}
