import CProcesses
import Foundation
import Rollouts

/// The environment host's thread: waits for every pipe and every deadline at once.
final class EnvironmentLoop {
  typealias Delivery = (session: Int, event: EnvironmentHost.Event)

  let recipe: PluginRecipe
  let wakeUp: Int32
  private let greeted: (Result<EnvironmentGreeting, RewardError>) -> Void
  private let deliver: ([Delivery]) -> Void
  var greeting: EnvironmentGreeting?
  private var startIsSettled = false
  var processes: [EnvironmentProcess] = []
  var sessions: [Int: EnvironmentSession] = [:]
  /// Sessions with a request that no process has yet, in order of asking.
  private var ready: [Int] = []
  private var events: [Delivery] = []
  private var endedSupervisors: [Int32] = []
  private var hasOrphans = false
  private var finishDeadline: Double?
  private var failuresInRow = 0
  private var nextID = 0
  private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)

  init(
    _ recipe: PluginRecipe, wakeUp: Int32,
    greeted: @escaping (Result<EnvironmentGreeting, RewardError>) -> Void,
    deliver: @escaping ([Delivery]) -> Void
  ) {
    self.recipe = recipe
    self.wakeUp = wakeUp
    self.greeted = greeted
    self.deliver = deliver
  }

  deinit { buffer.deallocate() }

  private var limits: RewardSpecification { recipe.specification }
  /// Most requests that a process has in hand.
  private var concurrency: Int { limits.batch ?? 64 }

  /// Runs until told to finish and every process has ended.
  func run(commands: () -> [EnvironmentHost.Command]) {
    startProcess(isQuarantine: false)
    while true {
      for command in commands() { take(command) }
      if finishDeadline == nil { assign() }
      if !events.isEmpty {
        deliver(events)
        events = []
      }
      endedSupervisors.removeAll { cprocesses_reap($0) != 0 }
      if hasOrphans, endedSupervisors.isEmpty {
        hasOrphans = false
        cprocesses_kill_adopted()
      }
      if finishDeadline != nil, endedSupervisors.isEmpty, processes.isEmpty { return }
      wait()
      enforceDeadlines()
    }
  }

  private func take(_ command: EnvironmentHost.Command) {
    switch command {
    case .request(let id, let request):
      if case .reset = request { sessions[id] = EnvironmentSession(id: id) }
      guard let session = sessions[id] else {
        events.append((id, .failed("was asked about a trajectory that it lost")))
        return
      }
      session.append(request)
      ready.append(id)
      // An environment that was given up gets one more chance with every new trajectory.
      failuresInRow = min(failuresInRow, limits.restartLimit - 1)
    case .forget:
      for session in sessions.values { abandon(session) }
      sessions = [:]
      ready = []
    case .finish(let grace):
      finishDeadline = now() + grace
      for process in processes {
        process.worker.closeInput()
        if grace <= 0 || !process.asked.isEmpty { kill(process, "was ended with the run") }
      }
    }
  }

  // MARK: Asking

  private func assign() {
    guard !ready.isEmpty else { return }
    if failuresInRow >= limits.restartLimit, processes.isEmpty {
      for id in ready {
        lose(id, "failed \(failuresInRow) times in a row and was given up")
      }
      ready = []
      return
    }
    var left: [Int] = []
    for id in ready {
      guard let session = sessions[id], session.next != nil, !session.isAsked else { continue }
      guard let process = session.process ?? process(for: session),
        process.asked.count < concurrency
      else {
        left.append(id)
        continue
      }
      ask(session, process)
    }
    ready = left
  }

  /// A process with room for a session; nil where there is none yet.
  private func process(for session: EnvironmentSession) -> EnvironmentProcess? {
    let capacity = session.strikes > 0 ? 1 : greeting?.sessions ?? .max
    let isQuarantine = session.strikes > 0
    let own = processes.filter { $0.isQuarantine == isQuarantine && !$0.worker.isEnding }
    let free = own.filter { $0.isGreeted && $0.sessions.count < capacity }
      .min { $0.sessions.count < $1.sessions.count }
    if own.count < limits.workers, own.allSatisfy({ $0.isGreeted && !$0.sessions.isEmpty }),
      failuresInRow < limits.restartLimit
    {
      startProcess(isQuarantine: isQuarantine)
    }
    guard let free else { return nil }
    free.sessions.insert(session.id)
    session.process = free
    return free
  }

  private func ask(_ session: EnvironmentSession, _ process: EnvironmentProcess) {
    guard let request = session.next else { return }
    send(request, session: session.id, to: process, isAwaited: true)
    session.isAsked = true
    session.deadline = now() + limits.timeLimit
  }

  private func send(
    _ request: EnvironmentRequest, session: Int, to process: EnvironmentProcess, isAwaited: Bool
  ) {
    let (key, value) = request.member
    process.asked[nextID] = .some(isAwaited ? session : nil)
    let line: JSONValue = .object([
      "id": .integer(Int64(nextID)), "session": .integer(Int64(session)), key: value,
    ])
    nextID += 1
    process.worker.write(Array((line.jsonText + "\n").utf8))
  }

  /// Lets a session's process forget it.
  private func abandon(_ session: EnvironmentSession) {
    guard let process = session.process, !process.worker.isEnding else { return }
    process.sessions.remove(session.id)
    for (id, asked) in process.asked where asked == session.id { process.asked[id] = .some(nil) }
    send(.close, session: session.id, to: process, isAwaited: false)
  }

  /// Ends a session with a failure.
  private func lose(_ id: Int, _ reason: String) {
    guard sessions.removeValue(forKey: id) != nil else { return }
    events.append((id, .failed(reason)))
  }

  // MARK: Processes

  private func startProcess(isQuarantine: Bool) {
    var launch = ChildLaunch(
      executable: recipe.isolation?.executable ?? recipe.executable,
      arguments: recipe.isolation?.arguments ?? recipe.arguments,
      environment: ChildEnvironment.make(
        passing: limits.environment, isolation: recipe.isolation),
      directory: recipe.isolation?.directory ?? FileManager.default.currentDirectoryPath)
    launch.memoryLimit = limits.memoryLimit
    launch.cpuLimit = limits.cpuLimit
    launch.fileLimit = limits.fileLimit
    launch.processLimit = limits.processLimit
    launch.isolation = recipe.isolation
    var child = cprocesses_worker()
    let fault = launch.spawn(&child)
    guard fault == 0 else {
      let reason = strerror(fault).map { String(cString: $0) } ?? "error \(fault)"
      noteFailure("can't be started: \(reason)", standardError: "")
      return
    }
    let hello: JSONValue = [
      "grpo": .integer(Int64(rewardProtocolVersion)),
      "hello": [
        "kind": "environment", "parameters": .object(limits.parameters),
        "columns": recipe.columns.map { .array($0.map { .string($0) }) } ?? .null,
        "sessions": .integer(Int64(concurrency)),
      ],
    ]
    processes.append(
      EnvironmentProcess(
        Worker(
          child, hello: hello.jsonText, deadline: now() + limits.startLimit,
          mask: SecretMask(names: limits.environment)), isQuarantine: isQuarantine))
  }

  private func noteFailure(_ fault: String, standardError: String) {
    failuresInRow += 1
    guard !startIsSettled else { return }
    startIsSettled = true
    var sentence = "environment \"\(recipe.name)\": it \(fault)"
    if !standardError.isEmpty { sentence += ". It wrote:\n" + standardError }
    greeted(.failure(RewardError(.configuration, sentence)))
  }

  func kill(_ process: EnvironmentProcess, _ fault: String) {
    guard !process.worker.isEnding else { return }
    process.worker.fault = fault
    process.worker.kill(by: now() + HostLoop.killGrace)
    release(process, blaming: [:])
  }

  /// Takes the sessions from a process that is gone; those that are to blame are lost, the others asked anew
  /// elsewhere as soon as they have something to ask.
  private func release(_ process: EnvironmentProcess, blaming guilty: [Int: String]) {
    for id in process.sessions.sorted() {
      guard let session = sessions[id], session.process === process else { continue }
      session.detach()
      if let reason = guilty[id] {
        lose(id, reason)
      } else if session.next != nil {
        ready.append(id)
      }
    }
    process.sessions = []
    process.asked = [:]
  }

  /// The supervisor has spoken its last: every process beneath it is gone.
  private func finish(_ process: EnvironmentProcess) {
    let worker = process.worker
    if worker.fault == nil { readOutput(process) }
    for _ in 0..<64 { guard case .some = worker.readErrors(buffer) else { break } }
    worker.closeAll()
    endedSupervisors.append(worker.supervisor)
    hasOrphans = hasOrphans || worker.report == nil
    processes.removeAll { $0 === process }
    let fault = worker.fault ?? worker.endDescription(isolation: recipe.isolation)
    if worker.fault == nil {
      // Whose request was in hand when it ended: one alone is to blame, of several each is tried by itself.
      let suspects = process.asked.values.compactMap(\.self)
      var guilty: [Int: String] = [:]
      for id in suspects {
        guard let session = sessions[id] else { continue }
        session.strikes += 1
        if suspects.count == 1 || session.strikes > 1 { guilty[id] = fault }
      }
      release(process, blaming: guilty)
    }
    if finishDeadline == nil { noteFailure(fault, standardError: worker.errorTail.text) }
  }

  // MARK: Waiting and reading

  private func wait() {
    let time = now()
    var descriptors = [pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)]
    var nextDeadline = min(finishDeadline ?? .infinity, time + 3600)
    for process in processes {
      nextDeadline = min(nextDeadline, process.worker.deadline)
      let worker = process.worker
      descriptors.append(
        pollfd(fd: worker.wantsToWrite ? worker.input : -1, events: Int16(POLLOUT), revents: 0))
      for end in [worker.output, worker.errors, worker.control] {
        descriptors.append(pollfd(fd: end, events: Int16(POLLIN), revents: 0))
      }
    }
    for session in sessions.values where session.isAsked {
      nextDeadline = min(nextDeadline, session.deadline)
    }
    if !endedSupervisors.isEmpty { nextDeadline = min(nextDeadline, time + 0.002) }
    let milliseconds = Int(clamping: (max(0, nextDeadline - time) * 1000).rounded(.up))
    guard poll(&descriptors, nfds_t(descriptors.count), Int32(clamping: milliseconds)) > 0 else {
      return
    }
    if descriptors[0].revents != 0 {
      var count: UInt64 = 0
      _ = read(wakeUp, &count, 8)
    }
    for (index, process) in processes.enumerated() {
      let place = 1 + index * 4
      guard place + 3 < descriptors.count else { break }
      if descriptors[place].revents != 0 { process.worker.flush() }
      if descriptors[place + 2].revents != 0 { readErrors(process.worker) }
      if descriptors[place + 1].revents != 0 { readOutput(process) }
    }
    for (index, process) in Array(processes).enumerated() where 4 + index * 4 < descriptors.count {
      if descriptors[4 + index * 4].revents != 0, process.worker.readControl() { finish(process) }
    }
  }

  private func readErrors(_ worker: Worker) {
    for _ in 0..<16 {
      switch worker.readErrors(buffer) {
      case .some: continue
      case .none: return
      case .end: return worker.closeErrors()
      }
    }
  }

  private func readOutput(_ process: EnvironmentProcess) {
    let worker = process.worker
    for _ in 0..<16 {
      let result = worker.readOutput(buffer)
      while !worker.isEnding, let line = worker.lines.next() {
        if line.isEmpty { continue }
        do throws(WireFault) { try take(line, from: process) } catch { kill(process, error.clause) }
      }
      if worker.lines.isOverlong, worker.fault == nil {
        kill(process, "wrote a line of more than \(LineReader.limit >> 20) MiB")
      }
      if worker.isEnding { worker.lines = LineReader() }
      switch result {
      case .some: continue
      case .none: return
      case .end:
        worker.closeOutput()
        worker.outputEndDeadline = now() + HostLoop.endGrace
        return
      }
    }
  }

  private func take(
    _ line: ArraySlice<UInt8>, from process: EnvironmentProcess
  ) throws(WireFault) {
    guard process.isGreeted else {
      let said = try EnvironmentGreeting(parsing: line)
      greeting = greeting ?? said
      process.isGreeted = true
      process.worker.state = .idle
      if !startIsSettled {
        startIsSettled = true
        greeted(.success(said))
      }
      return
    }
    let value = try WireFault.parse(line, "reply")
    guard let id = value["id"]?.integer, let asked = process.asked.removeValue(forKey: id) else {
      throw WireFault(
        "replied to an id that it was not asked: \(WireFault.excerpt(value.jsonText))")
    }
    failuresInRow = 0
    guard let asked, let session = sessions[asked], session.process === process else { return }
    settle(session, value, process)
  }

  /// Takes a session's reply.
  private func settle(
    _ session: EnvironmentSession, _ reply: JSONValue, _ process: EnvironmentProcess
  ) {
    let isClosing = session.isClosing
    func fail(_ reason: String) {
      if isClosing { process.sessions.remove(session.id) } else { abandon(session) }
      lose(session.id, reason)
    }
    if let error = reply["error"], !error.isNull {
      return fail("raised \(error.string ?? error.jsonText)")
    }
    do throws(WireFault) {
      if let event = try session.take(reply) { events.append((session.id, event)) }
    } catch { return fail(error.clause) }
    session.deadline = .infinity
    if isClosing {
      process.sessions.remove(session.id)
      sessions[session.id] = nil
    } else if session.next != nil {
      ready.append(session.id)
    }
  }

  private func enforceDeadlines() {
    let time = now()
    for process in processes {
      let late = process.sessions.filter { sessions[$0].map { $0.deadline <= time } ?? false }
      if !late.isEmpty {
        let fault = "took longer than the \(seconds(limits.timeLimit)) of time_limit"
        let guilty = Dictionary(uniqueKeysWithValues: late.map { ($0, fault) })
        process.worker.fault = fault
        process.worker.kill(by: time + HostLoop.killGrace)
        release(process, blaming: guilty)
      }
      guard process.worker.deadline <= time else { continue }
      switch process.worker.state {
      case .starting:
        kill(process, "didn't greet within its start_limit of \(seconds(limits.startLimit))")
      case .ending:
        cprocesses_kill(process.worker.supervisor)
        finish(process)
      case .idle, .busy: kill(process, "closed its standard output and ran on")
      }
    }
    if let deadline = finishDeadline, deadline <= time {
      for process in processes {
        kill(process, "didn't end within the time that follows the end of its input")
      }
      finishDeadline = .infinity
    }
  }
}
