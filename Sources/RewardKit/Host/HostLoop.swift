import CProcesses
import Foundation
import Rollouts

/// The host's thread: waits for every pipe and every deadline at once.
///
/// A request is with exactly one worker at a time, and a worker has one call in hand, a line, so that what
/// goes wrong belongs to that call's completions.
final class HostLoop {
  var plugins: [HostedPlugin]
  let scoreboard: Scoreboard
  let wakeUp: Int32
  var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
  /// Supervisors that have said their last word and are to be reaped.
  var endedSupervisors: [Int32] = []
  /// Whether one of them died without a word, and what it watched is left to us.
  var hasOrphans = false
  var finishDeadline: Double?
  var settled: [(Ticket, RewardOutcome)] = []

  /// Seconds for a supervisor to kill everything, after which it is killed itself.
  static let killGrace = 6.0
  /// Seconds between the end of standard output and that of the process.
  static let endGrace = 0.5

  init(
    plugins: [(reward: Int, recipe: PluginRecipe)], scoreboard: Scoreboard, wakeUp: Int32
  ) {
    self.plugins = plugins.map { HostedPlugin(reward: $0.reward, recipe: $0.recipe) }
    self.scoreboard = scoreboard
    self.wakeUp = wakeUp
  }

  deinit {
    buffer.deallocate()
  }

  /// Runs until told to finish and every process has ended.
  func run(commands: () -> [PluginHost.Command]) {
    for plugin in plugins { startWorker(of: plugin) }
    while true {
      for command in commands() { take(command) }
      for plugin in plugins { assign(plugin) }
      report()
      reap()
      if finishDeadline != nil, endedSupervisors.isEmpty, plugins.allSatisfy(\.workers.isEmpty) {
        return
      }
      wait()
      enforceDeadlines()
    }
  }

  // MARK: Commands

  func take(_ command: PluginHost.Command) {
    switch command {
    case .score(let reward, let calls):
      guard let plugin = plugins.first(where: { $0.reward == reward }) else { return }
      // A plugin that was given up gets one more chance with every new step.
      plugin.failuresInRow = min(plugin.failuresInRow, plugin.specification.restartLimit - 1)
      plugin.enqueue(calls)
    case .forget:
      for plugin in plugins { _ = plugin.takeAll() }
    case .finish(let grace):
      finishDeadline = now() + grace
      for plugin in plugins {
        _ = plugin.takeAll()
        for worker in plugin.workers {
          worker.closeInput()
          if !worker.isIdle || grace <= 0 { kill(worker, "was ended with the run") }
        }
      }
    }
  }

  /// Reaps supervisors that ended, and ends what one left behind that was killed by its own worker.
  func reap() {
    endedSupervisors.removeAll { cprocesses_reap($0) != 0 }
    if hasOrphans, endedSupervisors.isEmpty {
      hasOrphans = false
      cprocesses_kill_adopted()
    }
  }

  /// Hands the outcomes of this round to the scoreboard.
  func report() {
    guard !settled.isEmpty else { return }
    scoreboard.settle(settled)
    settled.removeAll(keepingCapacity: true)
  }

  // MARK: Starting and assigning

  func startWorker(of plugin: HostedPlugin) {
    let recipe = plugin.recipe
    let isolation = recipe.isolation
    let limits = recipe.specification
    var process = cprocesses_worker()
    let environment = ChildEnvironment.make(
      passing: limits.environment, isolation: isolation)
    var launch = ChildLaunch(
      executable: isolation?.executable ?? recipe.executable,
      arguments: isolation?.arguments ?? recipe.arguments, environment: environment,
      directory: isolation?.directory ?? FileManager.default.currentDirectoryPath)
    launch.memoryLimit = limits.memoryLimit
    launch.cpuLimit = limits.cpuLimit
    launch.fileLimit = limits.fileLimit
    launch.processLimit = limits.processLimit
    launch.isolation = isolation
    let fault = launch.spawn(&process)
    guard fault == 0 else {
      let reason = strerror(fault).map { String(cString: $0) } ?? "error \(fault)"
      noteFailure(of: plugin, "can't be started: \(reason)", standardError: "")
      return
    }
    plugin.workers.append(
      Worker(
        process, hello: recipe.hello, deadline: now() + limits.startLimit,
        mask: SecretMask(names: limits.environment)))
  }

  /// Gives queued requests to idle workers, and starts workers while there is a need.
  func assign(_ plugin: HostedPlugin) {
    guard finishDeadline == nil, !plugin.isQueueEmpty else { return }
    let isGivenUp = plugin.failuresInRow >= plugin.specification.restartLimit
    if isGivenUp, plugin.workers.isEmpty {
      giveUp(plugin)
      return
    }
    for worker in plugin.workers where worker.isIdle {
      sendCall(to: worker, of: plugin)
      if plugin.isQueueEmpty { return }
    }
    // Those that are starting or ending count: the second can't be replaced before it is gone.
    let starting = plugin.workers.count { if case .starting = $0.state { true } else { false } }
    let need = min(
      plugin.specification.workers, plugin.workers.count - starting + plugin.queueCount)
    while !isGivenUp, plugin.workers.count < need, now() >= plugin.startsAfter {
      let count = plugin.workers.count
      startWorker(of: plugin)
      if plugin.workers.count == count { return }
    }
  }

  /// Sends the next call that isn't wholly remembered.
  func sendCall(to worker: Worker, of plugin: HostedPlugin) {
    var line: [UInt8] = []
    worker.callCount = 0
    worker.contents = [:]
    while worker.callCount == 0, !plugin.isQueueEmpty {
      for pending in plugin.nextCall() {
        let contents = pending.problem.contents(of: pending.completion)
        if plugin.remembers {
          if let scoring = plugin.remembered[contents] {
            settle(pending, scoring, of: plugin, seconds: 0, isRemembered: true)
            continue
          }
          worker.contents[pending.id] = contents
        }
        line.append(UInt8(ascii: worker.callCount == 0 ? "[" : ","))
        line.append(contentsOf: pending.encoded(contents))
        worker.inFlight[pending.id] = pending
        worker.callCount += 1
      }
    }
    guard worker.callCount > 0 else { return }
    if plugin.sendsArrays { line.append(UInt8(ascii: "]")) } else { line.removeFirst() }
    line.append(UInt8(ascii: "\n"))
    worker.startedAt = now()
    worker.errorTail.clear()
    worker.state = .busy(
      deadline: worker.startedAt + plugin.timeLimit(forCallOf: worker.callCount))
    worker.write(line)
  }

  // MARK: Waiting

  func wait() {
    let time = now()
    var descriptors = [pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)]
    var nextDeadline = finishDeadline ?? .infinity
    var watched: [(HostedPlugin, Worker)] = []
    for plugin in plugins {
      if !plugin.isQueueEmpty, plugin.startsAfter > time {
        nextDeadline = min(nextDeadline, plugin.startsAfter)
      }
      for worker in plugin.workers {
        nextDeadline = min(nextDeadline, worker.deadline)
        watched.append((plugin, worker))
        let input = worker.wantsToWrite ? worker.input : -1
        descriptors.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0))
        descriptors.append(pollfd(fd: worker.output, events: Int16(POLLIN), revents: 0))
        descriptors.append(pollfd(fd: worker.errors, events: Int16(POLLIN), revents: 0))
        descriptors.append(pollfd(fd: worker.control, events: Int16(POLLIN), revents: 0))
      }
    }
    if !endedSupervisors.isEmpty { nextDeadline = min(nextDeadline, time + 0.002) }
    let seconds = min(max(0, nextDeadline - time), 3600)
    guard
      poll(
        &descriptors, nfds_t(descriptors.count),
        Int32(clamping: Int(clamping: (seconds * 1000).rounded(.up)))) > 0
    else { return }
    if descriptors[0].revents != 0 {
      var count: UInt64 = 0
      _ = read(wakeUp, &count, 8)
    }
    for (index, (plugin, worker)) in watched.enumerated() {
      let place = 1 + index * 4
      if descriptors[place].revents != 0 { worker.flush() }
      if descriptors[place + 2].revents != 0 { readErrors(worker) }
      if descriptors[place + 1].revents != 0 { readOutput(worker, of: plugin) }
      if descriptors[place + 3].revents != 0, worker.readControl() { finish(worker, of: plugin) }
    }
  }

  func enforceDeadlines() {
    let time = now()
    for plugin in plugins {
      for worker in plugin.workers where worker.deadline <= time {
        if worker.outputEndDeadline <= time, !worker.isEnding {
          kill(worker, "closed its standard output and ran on")
          continue
        }
        switch worker.state {
        case .starting:
          let limit = plugin.specification.startLimit
          kill(worker, "didn't greet within its start_limit of \(seconds(limit))")
        case .busy:
          worker.faultIsTime = true
          let limit = seconds(plugin.timeLimit(forCallOf: worker.callCount))
          let count = worker.callCount
          kill(
            worker,
            count > 1
              ? "took longer than the \(limit) of batch_time_limit for a call of \(count) completions"
              : "took longer than the \(limit) of time_limit")
        case .ending:
          cprocesses_kill(worker.supervisor)
          finish(worker, of: plugin)
        case .idle: break
        }
      }
    }
    if let deadline = finishDeadline, deadline <= time {
      for plugin in plugins {
        for worker in plugin.workers where !worker.isEnding {
          kill(worker, "didn't end within the time that follows the end of its input")
        }
      }
      finishDeadline = .infinity
    }
  }

  func kill(_ worker: Worker, _ fault: String) {
    guard !worker.isEnding else { return }
    worker.fault = fault
    worker.kill(by: now() + Self.killGrace)
  }

  // MARK: Reading

  func readErrors(_ worker: Worker) {
    // A bounded number of reads, so that a flood doesn't keep the other workers waiting.
    for _ in 0..<16 {
      switch worker.readErrors(buffer) {
      case .some: continue
      case .none: return
      case .end:
        worker.closeErrors()
        return
      }
    }
  }

  func readOutput(_ worker: Worker, of plugin: HostedPlugin) {
    for _ in 0..<16 {
      let result = worker.readOutput(buffer)
      takeLines(worker, of: plugin)
      if worker.lines.isOverlong, worker.fault == nil {
        kill(worker, "wrote a line of more than \(LineReader.limit >> 20) MiB")
      }
      // What a dying worker still writes is thrown away, so that it can't fill our memory.
      if worker.isEnding { worker.lines = LineReader() }
      switch result {
      case .some: continue
      case .none: return
      case .end:
        // Its end should follow, and then says more than this.
        worker.closeOutput()
        worker.outputEndDeadline = now() + Self.endGrace
        return
      }
    }
  }

  func takeLines(_ worker: Worker, of plugin: HostedPlugin) {
    while !worker.isEnding, let line = worker.lines.next() {
      if line.isEmpty { continue }
      do throws(WireFault) {
        switch worker.state {
        case .starting:
          greet(worker, of: plugin, try RewardGreeting(parsing: line))
        case .idle:
          throw WireFault(
            "wrote a line when nothing was asked: "
              + WireFault.excerpt(String(decoding: line.prefix(400), as: UTF8.self)))
        case .busy: take(try WireReply(parsing: line), from: worker, of: plugin)
        case .ending: return
        }
      } catch {
        kill(worker, error.clause)
      }
    }
  }

  func greet(_ worker: Worker, of plugin: HostedPlugin, _ greeting: RewardGreeting) {
    if let first = plugin.greeting, first.scope != greeting.scope {
      kill(
        worker,
        "greets with the scope \(greeting.scope.rawValue), and greeted before with "
          + "\(first.scope.rawValue)")
      return
    }
    if plugin.greeting == nil { plugin.greeting = greeting }
    worker.state = .idle
    if !plugin.startIsSettled {
      plugin.startIsSettled = true
      scoreboard.settleStart(plugin.reward, .success(greeting))
    }
  }

  func take(_ reply: WireReply, from worker: Worker, of plugin: HostedPlugin) {
    guard let pending = worker.inFlight.removeValue(forKey: reply.id) else {
      kill(worker, "replied to id \(reply.id), which it was not asked")
      return
    }
    worker.hasReplied = true
    plugin.failuresInRow = 0
    var scoring = reply.scoring
    if case .scored(let score) = scoring {
      scoring = score.checked(against: pending.completion, within: plugin.greeting?.range)
    }
    if let contents = worker.contents.removeValue(forKey: reply.id) {
      plugin.remembered.remember(scoring, for: contents)
    }
    worker.answered.append((pending, scoring))
    // What a group or a step gets it gets whole, or not at all.
    if plugin.scope == .completion || worker.inFlight.isEmpty {
      settleAnswered(by: worker, of: plugin)
    }
    if worker.inFlight.isEmpty {
      worker.state = .idle
      plugin.batchLimit = plugin.batchLimit > Int.max / 2 ? .max : plugin.batchLimit * 2
    }
  }

  /// Settles what a worker replied; what it wrote to standard error is kept with the first of a call, and with
  /// those that failed.
  private func settleAnswered(by worker: Worker, of plugin: HostedPlugin) {
    let standardError = worker.errorTail.total > 0 ? worker.errorTail.text : ""
    let seconds = (now() - worker.startedAt) / Double(worker.callCount)
    for (index, answer) in worker.answered.enumerated() {
      var isFailure = false
      if case .failed = answer.scoring { isFailure = true }
      settle(
        answer.request, answer.scoring, of: plugin, seconds: seconds,
        standardError: index == 0 || isFailure ? standardError : "")
    }
    worker.answered = []
  }
}

extension Scoring {
  /// What a scoring counts as: nil where it doesn't.
  func value(onFailure effect: FailureEffect) -> Double? {
    switch self {
    case .scored(let score): return score.value
    case .unscorable: return nil
    case .failed: return effect == .zero ? 0 : nil
    }
  }
}

/// Seconds of the monotonic clock.
func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// A number of seconds with its unit.
func seconds(_ value: Double) -> String {
  value == value.rounded() && value < 1e9 ? "\(Int(clamping: value)) s" : "\(value) s"
}
