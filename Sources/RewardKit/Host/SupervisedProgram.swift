import CProcesses
import Foundation

/// Runs a program to its end beneath a supervisor, which ends all of it when this process is gone.
package enum SupervisedProgram {
  /// How a program ended.
  package enum End: Equatable {
    case exited(Int32)
    case signalled(Int32)
    /// The reason as the system gives it.
    case couldNotStart(String)
    case cancelled
  }

  /// Seconds between the polite word and the end of a program that is cancelled.
  private static let grace = 5.0

  /// Runs a program without input and takes what it says, with whether that is an error, as it comes.
  package static func run(
    _ launch: ChildLaunch, isCancelled: () -> Bool = { false },
    take: (_ bytes: ArraySlice<UInt8>, _ isError: Bool) -> Void
  ) -> End {
    var process = cprocesses_worker()
    let fault = launch.spawn(&process)
    guard fault == 0 else { return .couldNotStart(reason(fault)) }
    close(process.input)
    defer {
      for end in [process.output, process.errors, process.control] { close(end) }
      while cprocesses_reap(process.supervisor) == 0 { usleep(1000) }
      cprocesses_kill_adopted()
    }
    var child: Int32 = 0
    var killTime = Double.infinity
    while true {
      wait(for: process)
      relay(process, to: take)
      if let end = takeReport(process.control, child: &child) {
        relay(process, to: take)
        return killTime < .infinity ? .cancelled : end
      }
      if killTime == .infinity, isCancelled() {
        if child > 0 { kill(child, SIGTERM) }
        killTime = now() + grace
      }
      if now() > killTime {
        var word: UInt8 = 1
        _ = write(process.control, &word, 1)
      }
    }
  }

  private static func wait(for process: cprocesses_worker) {
    var sources = [process.control, process.output, process.errors].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    // An end that is closed would answer at once, for ever: it is waited for no more.
    _ = poll(&sources, 3, 0)
    for index in 1...2 where sources[index].revents & Int16(POLLHUP | POLLIN) == Int16(POLLHUP) {
      sources[index].fd = -1
    }
    _ = poll(&sources, 3, 20)
  }

  /// Hands on what has come; a flood is taken in parts.
  private static func relay(
    _ process: cprocesses_worker, to take: (ArraySlice<UInt8>, Bool) -> Void
  ) {
    var buffer = [UInt8](repeating: 0, count: 65536)
    for (source, isError) in [(process.output, false), (process.errors, true)] {
      for _ in 0..<64 {
        let count = read(source, &buffer, buffer.count)
        guard count > 0 else { break }
        take(buffer[..<count], isError)
      }
    }
  }

  private static func takeReport(_ control: Int32, child: inout Int32) -> End? {
    while true {
      var report = cprocesses_report()
      let count = read(control, &report, MemoryLayout<cprocesses_report>.size)
      if count < 0 { return errno == EAGAIN || errno == EINTR ? nil : .signalled(SIGKILL) }
      // The supervisor was killed, and the program with it.
      guard count == MemoryLayout<cprocesses_report>.size else { return .signalled(SIGKILL) }
      switch Int(report.kind) {
      case CPROCESSES_STARTED: child = report.value
      case CPROCESSES_START_FAILED: return .couldNotStart(reason(report.value))
      case CPROCESSES_EXITED: return .exited(report.value)
      case CPROCESSES_SIGNALLED: return .signalled(report.value)
      default: return .signalled(SIGKILL)
      }
    }
  }

  private static func reason(_ fault: Int32) -> String {
    strerror(fault).map { String(cString: $0) } ?? "error \(fault)"
  }
}
