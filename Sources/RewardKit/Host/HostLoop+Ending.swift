import CProcesses
import Foundation
import Rollouts

/// What becomes of a worker that ended, and of the completions that it held.
extension HostLoop {
  /// The supervisor has spoken its last: every process of the worker is gone.
  func finish(_ worker: Worker, of plugin: HostedPlugin) {
    if worker.fault == nil {
      // What it wrote before it ended still counts.
      for _ in 0..<64 {
        guard case .some = worker.readOutput(buffer), !worker.lines.isOverlong else { break }
        takeLines(worker, of: plugin)
      }
    }
    for _ in 0..<64 { guard case .some = worker.readErrors(buffer) else { break } }
    let isInnocent = worker.fault == nil && worker.leftLastLineUnread
    worker.closeAll()
    endedSupervisors.append(worker.supervisor)
    hasOrphans = hasOrphans || worker.report == nil
    plugin.workers.removeAll { $0 === worker }
    let fault = worker.fault ?? worker.endDescription(isolation: plugin.recipe.isolation)
    let standardError = worker.errorTail.text
    if worker.wasRefusedIsolation, !plugin.startIsSettled {
      settleStart(of: plugin, fault, standardError: "")
      return
    }
    if worker.faultIsTime, worker.callCount > 1 {
      plugin.batchLimit = max(1, worker.callCount / 2)
    }
    // In group and step scope a reply counts for nothing before the call is answered whole.
    let unanswered = (Array(worker.inFlight.values) + worker.answered.map(\.request))
      .sorted { $0.id < $1.id }
    if isInnocent, plugin.startIsSettled {
      plugin.requeue(unanswered)
    } else {
      let seconds = (now() - worker.startedAt) / Double(max(1, worker.callCount))
      for pending in unanswered {
        settle(
          pending, .failed(error: "the plugin \(fault)"), of: plugin, seconds: seconds,
          standardError: standardError)
      }
    }
    // A plugin that ends between two requests has done nothing wrong, as long as it replies.
    if isInnocent, worker.hasReplied { return }
    noteFailure(of: plugin, fault, standardError: standardError)
  }

  /// Counts a worker's end, and tells of a start that failed.
  func noteFailure(of plugin: HostedPlugin, _ fault: String, standardError: String) {
    plugin.failuresInRow += 1
    plugin.lastFault = fault
    plugin.startsAfter = now() + plugin.backOff
    if !plugin.startIsSettled { settleStart(of: plugin, fault, standardError: standardError) }
  }

  func settleStart(of plugin: HostedPlugin, _ fault: String, standardError: String) {
    plugin.startIsSettled = true
    var sentence = "reward \"\(plugin.recipe.name)\": the plugin \(fault)"
    if !standardError.isEmpty {
      sentence += ". It wrote:\n" + standardError
    }
    scoreboard.settleStart(plugin.reward, .failure(.init(sentence: sentence)))
  }

  func giveUp(_ plugin: HostedPlugin) {
    let error =
      "the plugin failed \(plugin.failuresInRow) times in a row and was given up for this step; "
      + "the last time it \(plugin.lastFault)"
    for pending in plugin.takeAll() {
      settle(pending, .failed(error: error), of: plugin, seconds: 0)
    }
  }

  func settle(
    _ pending: PendingRequest, _ scoring: Scoring, of plugin: HostedPlugin, seconds: Double,
    standardError: String = "", isRemembered: Bool = false
  ) {
    let scoring = scoring.mappingWords { $0.withoutAddresses }
    settled.append(
      (
        pending.ticket,
        RewardOutcome(
          scoring: scoring, value: scoring.value(onFailure: plugin.specification.onError),
          seconds: seconds,
          standardError: standardError, isRemembered: isRemembered)
      ))
  }
}
