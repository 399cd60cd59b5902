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
  /// Cut in half whenever a batch takes too long, doubled whenever one doesn't.
  var batchLimit = Int.max
  private var queue: [PendingRequest] = []
  private var head = 0
  var remembered = ScoreMemory()

  init(reward: Int, recipe: PluginRecipe) {
    self.reward = reward
    self.recipe = recipe
  }

  var specification: RewardSpecification { recipe.specification }
  var isQueueEmpty: Bool { head == queue.count }
  var queueCount: Int { queue.count - head }

  /// Whether replies may be remembered.
  var remembers: Bool { specification.cache && greeting?.isDeterministic == true }

  func enqueue(_ requests: [PendingRequest]) {
    if head > 1024, head * 2 > queue.count {
      queue.removeFirst(head)
      head = 0
    }
    queue += requests
  }

  /// Puts requests back at the front; a suspect is asked alone.
  func requeue(_ requests: [PendingRequest], asSuspects: Bool = false) {
    guard !requests.isEmpty else { return }
    let returned = requests.map { request in
      var request = request
      request.isSuspect = request.isSuspect || asSuspects
      return request
    }
    queue.replaceSubrange(..<head, with: returned)
    head = 0
  }

  /// Empties the queue.
  func takeAll() -> [PendingRequest] {
    defer {
      queue = []
      head = 0
    }
    return Array(queue[head...])
  }

  /// The most requests that a line may hold.
  var batchCapacity: Int {
    max(1, min(greeting?.batch ?? 1, specification.batch ?? .max, batchLimit))
  }

  /// The next batch: whole groups as far as they fit; a suspect comes alone.
  func nextBatch() -> [PendingRequest] {
    var batch: [PendingRequest] = []
    let capacity = batchCapacity
    while head < queue.count, batch.count < capacity {
      let next = queue[head]
      if next.isSuspect {
        if batch.isEmpty {
          head += 1
          return [next]
        }
        break
      }
      if let last = batch.last, last.group != next.group {
        let group = next.group
        let size = queue[head...].prefix(capacity).prefix { $0.group == group }.count
        if size > capacity - batch.count { break }
      }
      batch.append(next)
      head += 1
    }
    return batch
  }

  /// Seconds for a batch: what its completions may take alone, and not more than the batch's limit.
  func timeLimit(forBatchOf count: Int) -> Double {
    guard count > 1 else { return specification.timeLimit }
    let limit = specification.batchTimeLimit ?? 4 * specification.timeLimit
    return min(limit, Double(count) * specification.timeLimit)
  }

  /// Seconds to wait before the next start: none, then 0.05 doubling up to 2.
  var backOff: Double {
    guard failuresInRow > 1 else { return 0 }
    return min(2, 0.05 * pow(2, Double(min(failuresInRow, 12) - 2)))
  }
}
