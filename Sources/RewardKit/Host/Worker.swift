import CProcesses
import Foundation
import Rollouts

/// A request on its way through the host.
struct PendingRequest {
  /// Where the outcome belongs.
  var ticket: Ticket
  /// Its name on the wire.
  var id: Int
  var group: Int
  var completion: Completion
  var problem: EncodedProblem
  /// The member `,"trainer_state":{…}`; empty where nothing is known.
  var trainerState: [UInt8]

  /// The request as an object of the protocol.
  /// - Parameter contents: what the problem makes of the completion.
  func encoded(_ contents: [UInt8]) -> [UInt8] {
    var bytes = Array("{\"id\":".utf8)
    bytes.append(decimal: id)
    bytes.append(contentsOf: ",\"group\":".utf8)
    bytes.append(decimal: group)
    bytes.append(UInt8(ascii: ","))
    bytes.append(contentsOf: contents)
    bytes.append(contentsOf: trainerState)
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }
}

/// One process of a plugin, confined to the host's thread.
final class Worker {
  enum State {
    case starting(deadline: Double)
    case idle
    case busy(deadline: Double)
    /// Told to die; waiting for the supervisor's word.
    case ending(deadline: Double)
  }

  let supervisor: Int32
  private(set) var input: Int32
  private(set) var output: Int32
  private(set) var errors: Int32
  private(set) var control: Int32
  var state: State

  /// The requests of the call that aren't answered, by the id on the wire.
  var inFlight: [Int: PendingRequest] = [:]
  /// Replies of group or step scope, which count once the call is answered whole.
  var answered: [(request: PendingRequest, scoring: Scoring)] = []
  /// The contents of those requests, to remember the scores under.
  var contents: [Int: [UInt8]] = [:]
  /// How many requests the call has.
  var callCount = 0
  var startedAt = 0.0
  /// Why the process is being killed: a clause whose subject is the plugin.
  var fault: String?
  var faultIsTime = false
  var report: cprocesses_report?
  var hasReplied = false
  /// Until when the process may run on after it closed its standard output.
  var outputEndDeadline = Double.infinity

  private var outgoing: [UInt8] = []
  private var sent = 0
  private var lastLineCount = 0
  private var isInputBroken = false
  var lines = LineReader()
  var errorTail = ErrorTail()

  /// What hides secrets in whatever it writes, before anything else sees or cuts it.
  private var outputMask: SecretMask
  private var errorMask: SecretMask

  init(_ process: cprocesses_worker, hello: String, deadline: Double, mask: SecretMask) {
    outputMask = mask
    errorMask = mask
    supervisor = process.supervisor
    input = process.input
    output = process.output
    errors = process.errors
    control = process.control
    state = .starting(deadline: deadline)
    outgoing = Array((hello + "\n").utf8)
  }

  var isIdle: Bool {
    if case .idle = state { return true }
    return false
  }

  var isEnding: Bool {
    if case .ending = state { return true }
    return false
  }

  var deadline: Double {
    switch state {
    case .starting(let deadline), .busy(let deadline): return min(deadline, outputEndDeadline)
    case .ending(let deadline): return deadline
    case .idle: return outputEndDeadline
    }
  }

  var wantsToWrite: Bool { sent < outgoing.count && input >= 0 && !isInputBroken }

  /// Whether the process left the last line unread: it then has nothing to do with its end.
  var leftLastLineUnread: Bool {
    guard input >= 0 else { return false }
    var unread: Int32 = 0
    guard ioctl(input, UInt(FIONREAD), &unread) == 0 else { return false }
    return Int(unread) + outgoing.count - sent >= lastLineCount
  }

  /// Queues bytes for standard input and sends what fits.
  func write(_ bytes: [UInt8]) {
    lastLineCount = bytes.count
    if sent == outgoing.count {
      outgoing = bytes
      sent = 0
    } else {
      outgoing += bytes
    }
    flush()
  }

  /// Sends what fits into the pipe.
  ///
  /// A closed pipe is noticed by the end of standard output.
  func flush() {
    while wantsToWrite {
      let count = outgoing.withUnsafeBytes {
        Glibc.write(input, $0.baseAddress?.advanced(by: sent), $0.count - sent)
      }
      if count < 0 {
        if errno == EINTR { continue }
        if errno != EAGAIN { isInputBroken = true }
        return
      }
      sent += count
    }
  }

  enum ReadResult {
    case some, none, end
  }

  /// Reads once from standard output.
  func readOutput(_ buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
    Self.read(output, buffer, &outputMask) { lines.append($0) }
  }

  /// Reads once from standard error.
  func readErrors(_ buffer: UnsafeMutableRawBufferPointer) -> ReadResult {
    Self.read(errors, buffer, &errorMask) { errorTail.append($0) }
  }

  private static func read(
    _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ mask: inout SecretMask,
    _ take: (UnsafeBufferPointer<UInt8>) -> Void
  ) -> ReadResult {
    guard descriptor >= 0 else { return .end }
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count > 0 {
        mask.pass(
          UnsafeBufferPointer(rebasing: buffer.bindMemory(to: UInt8.self)[..<count]), to: take)
        return .some
      }
      if count == 0 {
        mask.finish(take)
        return .end
      }
      if errno == EINTR { continue }
      return errno == EAGAIN ? .none : .end
    }
  }

  /// Takes the supervisor's reports; true once the supervisor has ended.
  func readControl() -> Bool {
    while true {
      var record = cprocesses_report()
      let count = Glibc.read(control, &record, MemoryLayout<cprocesses_report>.size)
      if count == MemoryLayout<cprocesses_report>.size {
        if record.kind != CPROCESSES_STARTED { report = record }
        continue
      }
      if count < 0, errno == EINTR { continue }
      return !(count < 0 && errno == EAGAIN)
    }
  }

  /// Tells the supervisor to kill every process of this worker.
  func kill(by deadline: Double) {
    var word: UInt8 = 1
    _ = Glibc.write(control, &word, 1)
    state = .ending(deadline: deadline)
  }

  func closeInput() { Self.close(&input) }
  func closeOutput() { Self.close(&output) }
  func closeErrors() { Self.close(&errors) }

  func closeAll() {
    Self.close(&input)
    Self.close(&output)
    Self.close(&errors)
    Self.close(&control)
  }

  private static func close(_ descriptor: inout Int32) {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// What the supervisor's report says, as a clause whose subject is the plugin.
  func endDescription(isolation: Isolation?) -> String {
    guard let report else { return "ended, and its supervisor was killed" }
    switch Int(report.kind) {
    case CPROCESSES_EXITED: return "exited with status \(report.value)"
    case CPROCESSES_SIGNALLED:
      let name = strsignal(report.value).map { String(cString: $0) } ?? "unknown"
      return "was ended by signal \(report.value) (\(name.lowercased()))"
    case CPROCESSES_TOO_MANY:
      return "had \(report.value) processes at one time, more than its process_limit"
    case CPROCESSES_START_FAILED: return StartFault(report, isolation).clause
    default: return "was killed"
    }
  }

  /// Whether the supervisor says that the kernel refused the isolation.
  var wasRefusedIsolation: Bool {
    guard let report, report.kind == CPROCESSES_START_FAILED else { return false }
    return report.stage >= CPROCESSES_STAGE_NAMESPACES
  }
}
