import Foundation
import Synchronization

/// How often the process was asked to stop; written by the signal handler.
private let processInterruptions = Atomic<Int>(0)

/// Whether the user asked to stop: Ctrl-C or SIGTERM.
///
/// A command that has something to save calls `install()` and looks at `isRaised` between pieces of
/// work; the first signal raises the flag, the second leaves at once with exit code 130. Without
/// `install()` the system's default applies: the process ends.
struct InterruptFlag: Sendable {
  private let isOfProcess: Bool
  private let raised: @Sendable () -> Bool

  /// The flag of this process.
  static let process = InterruptFlag(isOfProcess: true) {
    processInterruptions.load(ordering: .relaxed) > 0
  }

  /// A flag for tests, raised when `condition` says so.
  init(raisedWhen condition: @escaping @Sendable () -> Bool = { false }) {
    self.init(isOfProcess: false, raised: condition)
  }

  private init(isOfProcess: Bool, raised: @escaping @Sendable () -> Bool) {
    self.isOfProcess = isOfProcess
    self.raised = raised
  }

  /// Whether the user asked to stop.
  var isRaised: Bool { raised() }

  /// From here on signals raise the flag instead of ending the process.
  func install() {
    guard isOfProcess else { return }
    // Initialises the global before a handler can need it.
    _ = processInterruptions.load(ordering: .relaxed)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in
      // Only what is safe in a signal handler: an atomic addition and _exit.
      if processInterruptions.add(1, ordering: .relaxed).newValue > 1 {
        _exit(ExitCode.interrupted.rawValue)
      }
    }
    // No SA_RESTART: a blocking read at a prompt must return so that the flag is looked at.
    sigaction(SIGINT, &action, nil)
    sigaction(SIGTERM, &action, nil)
  }

  /// Lowers the flag once the interruption was answered: at a prompt one question is stopped, not
  /// the program.
  func lower() {
    if isOfProcess { processInterruptions.store(0, ordering: .relaxed) }
  }

  /// Ends the command where the user asked to stop.
  /// - Throws: `Interrupted`.
  func check() throws {
    if isRaised { throw Interrupted() }
  }
}
