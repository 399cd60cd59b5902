import CProcesses
import Foundation
import Rollouts
import Synchronization

/// Runs an environment's processes on a thread of its own, so that the policy goes on while trajectories wait.
///
/// A trajectory is a session: opened, asked turn by turn, closed. Each request is answered by one event, whatever
/// happens to the process that held it.
public final class EnvironmentHost: Sendable {
  /// What became of a request.
  public enum Event: Sendable {
    /// The session stands; what the policy is told before its first turn.
    case opened(EnvironmentOpening)
    /// The answer to a turn.
    case stepped(Observation)
    /// The session is gone; its reward, where the environment gave one.
    case closed(Double?)
    /// The session is lost, and why: a clause whose subject is the environment.
    case failed(String)
  }

  enum Command: Sendable {
    case request(session: Int, EnvironmentRequest)
    case forget
    case finish(grace: Double)
  }

  private let inbox = Mutex<[Command]>([])
  private let outbox = Mutex<[(session: Int, event: Event)]>([])
  private let start = Mutex<Result<EnvironmentGreeting, RewardError>?>(nil)
  private let arrived = DispatchSemaphore(value: 0)
  private let started = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)
  private let isFinished = Mutex(false)
  private let wakeUp: Int32

  /// Starts the environment and waits for its greeting.
  /// - Throws: `RewardError` with what kept it from starting.
  public init(_ environment: ResolvedEnvironment) throws(RewardError) {
    var recipe = environment.recipe
    if recipe.sandbox == .isolated { recipe.isolation = try Isolation(of: recipe) }
    let descriptor = cprocesses_event()
    guard descriptor >= 0 else {
      throw RewardError(
        .configuration, "no event descriptor for the environment: too many open files?")
    }
    wakeUp = descriptor
    let prepared = recipe
    let thread = Thread { [self] in
      cprocesses_block_sigpipe()
      let loop = EnvironmentLoop(
        prepared, wakeUp: descriptor,
        greeted: { result in
          self.start.withLock { $0 = result }
          self.started.signal()
        },
        deliver: { events in
          self.outbox.withLock { $0 += events }
          self.arrived.signal()
        })
      loop.run { self.inbox.withLock { commands in exchange(&commands, with: []) } }
      self.ended.signal()
    }
    thread.name = "environment"
    thread.start()
    started.wait()
    if case .failure(let error) = start.withLock({ $0 }) {
      finish(grace: 0)
      throw error
    }
  }

  deinit { _ = Glibc.close(wakeUp) }

  /// What the environment said of itself.
  public var greeting: EnvironmentGreeting {
    if case .success(let greeting) = start.withLock({ $0 }) { return greeting }
    return EnvironmentGreeting(name: "environment")
  }

  /// Begins a trajectory of a row; `.opened` or `.failed` follows.
  /// - Parameter session: the caller's name for it, free again after `.closed` or `.failed`.
  public func open(_ session: Int, _ problem: Problem) {
    send(.request(session: session, .reset(problem)))
  }

  /// Asks about a turn of the policy; `.stepped` or `.failed` follows.
  /// - Parameter text: what the policy wrote, without special tokens.
  public func step(_ session: Int, _ turn: AssistantTurn, text: String) {
    send(.request(session: session, .step(turn, text: text)))
  }

  /// Ends a trajectory; `.closed` or `.failed` follows.
  public func close(_ session: Int) { send(.request(session: session, .close)) }

  /// What has come, in order; waits for something at most so many seconds.
  public func events(waiting seconds: Double) -> [(session: Int, event: Event)] {
    let come = outbox.withLock { exchange(&$0, with: []) }
    guard come.isEmpty, seconds > 0 else { return come }
    _ = arrived.wait(timeout: .now() + seconds)
    return outbox.withLock { exchange(&$0, with: []) }
  }

  /// Gives up every session; nothing follows.
  public func forget() {
    send(.forget)
    outbox.withLock { $0 = [] }
  }

  /// Ends every process: asks by closing the input, waits 5 s, then kills; may be called again.
  public func shutDown() { finish(grace: 5) }

  private func finish(grace: Double) {
    let isFirst = isFinished.withLock { !exchange(&$0, with: true) }
    guard isFirst else { return }
    send(.finish(grace: grace))
    ended.wait()
  }

  private func send(_ command: Command) {
    inbox.withLock { $0.append(command) }
    var one: UInt64 = 1
    _ = write(wakeUp, &one, 8)
  }
}

/// Replaces a value and returns the old one.
private func exchange<Value>(_ place: inout Value, with value: Value) -> Value {
  defer { place = value }
  return place
}
