import Foundation
import Rollouts

/// A plugin with its workers and its queue, confined to the host's thread.
final class HostedPlugin {
  let reward: Int
  let recipe: PluginRecipe
  var greeting: RewardGreeting?
  var workers: [Worker] = []
  /// Whether the first greeting, or the failure of the start, has been told.
  var startIsSettled = false
  /// Ends of workers in a row without a reply between them.
  var failuresInRow = 0
  var lastFault = ""
  /// No worker is started before this time.
  var startsAfter = 0.0
  /// Cut in half whenever a call of completion scope takes too long, doubled whenever one doesn't.
  var batchLimit = Int.max
  /// What must go out together; in completion scope each request by itself.
  private var queue: [[PendingRequest]] = []
  private var head = 0
  var remembered = ScoreMemory()

  init(reward: Int, recipe: PluginRecipe) {
    self.reward = reward
    self.recipe = recipe
  }

  var specification: RewardSpecification { recipe.specification }
  var isQueueEmpty: Bool { head == queue.count }
  var queueCount: Int { queue.count - head }
  var scope: RewardScope { greeting?.scope ?? .completion }

  /// Whether replies may be remembered: where the plugin promises that equal requests get equal replies, or
  /// the user asks for it, and only where a completion is judged by itself.
  var remembers: Bool {
    scope == .completion && specification.cache ?? (greeting?.isDeterministic == true)
  }

  /// Whether a line is an array, also when it holds one request.
  var sendsArrays: Bool { scope != .completion || (greeting?.batch ?? 1) > 1 }

  /// Takes in requests, each array of which must go out together.
  func enqueue(_ calls: [[PendingRequest]]) {
    if head > 1024, head * 2 > queue.count {
      queue.removeFirst(head)
      head = 0
    }
    queue += calls
  }

  /// Puts the requests of a call back at the front.
  func requeue(_ requests: [PendingRequest]) {
    guard !requests.isEmpty else { return }
    queue.replaceSubrange(..<head, with: scope == .completion ? requests.map { [$0] } : [requests])
    head = 0
  }

  /// Empties the queue.
  func takeAll() -> [PendingRequest] {
    defer {
      queue = []
      head = 0
    }
    return queue[head...].flatMap(\.self)
  }

  /// The most requests that a line may hold in completion scope.
  private var batchCapacity: Int {
    max(1, min(greeting?.batch ?? 1, specification.batch ?? .max, batchLimit))
  }

  /// The requests of the next call: whatever waits, up to the batch; a whole group; a whole step.
  func nextCall() -> [PendingRequest] {
    guard head < queue.count else { return [] }
    let end = scope == .completion ? min(queue.count, head + batchCapacity) : head + 1
    defer { head = end }
    return queue[head..<end].flatMap(\.self)
  }

  /// Seconds for a call: four times what one completion may take, a quarter of it for each where they are many,
  /// and never more than they may take alone.
  func timeLimit(forCallOf count: Int) -> Double {
    let one = specification.timeLimit
    guard count > 1 else { return one }
    let many = max(4, Double(count) / 4) * one
    return min(specification.batchTimeLimit ?? many, Double(count) * one)
  }

  /// Seconds to wait before the next start: none, then 0.05 doubling up to 2.
  var backOff: Double {
    guard failuresInRow > 1 else { return 0 }
    return min(2, 0.05 * pow(2, Double(min(failuresInRow, 12) - 2)))
  }
}
