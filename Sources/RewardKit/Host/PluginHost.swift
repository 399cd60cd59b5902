import CProcesses
import Foundation
import Synchronization

/// Runs the plugins' processes on a thread of its own, so that scoring overlaps with sampling.
final class PluginHost: Sendable {
  /// What the other threads ask of the host's thread.
  enum Command: Sendable {
    /// Calls for a reward: the requests of each go out together.
    case score(reward: Int, [[PendingRequest]])
    /// Drop what has not been sent.
    case forget
    /// Close every plugin's input, wait for its end at most so many seconds, then kill.
    case finish(grace: Double)
  }

  private let inbox = Mutex<[Command]>([])
  private let wakeUp: Int32
  private let ended = DispatchSemaphore(value: 0)
  private let isFinished = Mutex(false)
  /// What came up while the plugins were prepared, a sentence each.
  private let notes: Mutex<[String]>

  /// Starts the first worker of each plugin; the scoreboard hears of the greetings.
  /// - Throws: what isolated plugins are to read and can't; where the kernel gives no event descriptor.
  init(plugins: [(reward: Int, recipe: PluginRecipe)], scoreboard: Scoreboard) throws(RewardError) {
    let plugins = try Self.prepare(plugins)
    notes = Mutex(plugins.flatMap { $0.recipe.isolation?.notes ?? [] })
    let descriptor = cprocesses_event()
    guard descriptor >= 0 else {
      throw RewardError(
        .configuration, "no event descriptor for the reward plugins: too many open files?")
    }
    wakeUp = descriptor
    let thread = Thread { [self] in
      cprocesses_block_sigpipe()
      let loop = HostLoop(plugins: plugins, scoreboard: scoreboard, wakeUp: descriptor)
      loop.run { self.inbox.withLock { commands in exchange(&commands, with: []) } }
      ended.signal()
    }
    thread.name = "reward plugins"
    thread.start()
  }

  deinit {
    close(wakeUp)
  }

  /// Finds what each isolated plugin is shown.
  private static func prepare(
    _ plugins: [(reward: Int, recipe: PluginRecipe)]
  ) throws(RewardError) -> [(reward: Int, recipe: PluginRecipe)] {
    var result = plugins
    var faults: [String] = []
    for index in result.indices where result[index].recipe.sandbox == .isolated {
      do throws(RewardError) {
        result[index].recipe.isolation = try Isolation(of: result[index].recipe)
      } catch { faults += error.faults }
    }
    guard faults.isEmpty else { throw RewardError(.configuration, faults) }
    return result
  }

  /// What came up while the plugins were prepared, told once.
  func takeNotes() -> [String] { notes.withLock { exchange(&$0, with: []) } }

  /// Hands calls to a plugin, the requests of each to be sent together; returns at once.
  func score(_ calls: [[PendingRequest]], reward: Int) {
    send(.score(reward: reward, calls))
  }

  /// Drops what has not been sent.
  func forget() { send(.forget) }

  /// Ends every process and waits for that.
  func finish(grace: Double) {
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
