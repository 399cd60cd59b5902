import Foundation
import Synchronization

/// A stream of text to people: a file descriptor, or memory for tests.
///
/// It is the only way out, and it spells out control characters (`VisibleText`), whoever wrote them.
///
/// Writing never fails where it is called. A reader that went away (`grpo query … | head`) is no
/// fault, and what follows is dropped; any other failure is kept and ends the program with exit 1.
final class OutputChannel: Sendable {
  private struct State {
    var pending: [UInt8] = []
    var errorNumber: Int32 = 0
  }

  private let fileDescriptor: Int32?
  private let state = Mutex(State())
  /// Whether it is a terminal.
  let isTerminal: Bool

  /// Makes a channel to a descriptor; nil keeps everything in memory.
  init(fileDescriptor: Int32?) {
    self.fileDescriptor = fileDescriptor
    isTerminal = fileDescriptor.map { isatty($0) == 1 } ?? false
  }

  /// Appends text; a terminal sees it at once, a file or pipe in pieces of 64 KiB or at `flush()`.
  func write(_ text: String) { append(VisibleText.bytes(of: text, styles: isTerminal)) }

  /// Appends what programs read: byte for byte, but at a terminal, where no program reads.
  func write(exactly text: String) { isTerminal ? write(text) : append(Array(text.utf8)) }

  /// Appends a sequence for the terminal; nothing elsewhere.
  func write(_ sequence: TerminalSequence) {
    if isTerminal { append(Array(sequence.text.utf8)) }
  }

  private func append(_ bytes: [UInt8]) {
    state.withLock { state in
      guard state.errorNumber == 0 else { return }
      state.pending.append(contentsOf: bytes)
      guard fileDescriptor != nil else { return }
      if isTerminal || fileDescriptor == STDERR_FILENO || state.pending.count >= 65_536 {
        drain(&state)
      }
    }
  }

  /// Writes what is pending.
  func flush() { state.withLock { drain(&$0) } }

  /// Whether nobody reads any more: a command with much left to print may stop.
  var isClosed: Bool { state.withLock { $0.errorNumber != 0 } }

  /// Why writing failed, nil where it didn't or the reader merely went away.
  var failure: String? {
    state.withLock { state in
      state.errorNumber == 0 || state.errorNumber == EPIPE
        ? nil : String(cString: strerror(state.errorNumber))
    }
  }

  /// What was written to memory.
  var text: String { state.withLock { String(decoding: $0.pending, as: UTF8.self) } }

  /// The terminal's columns, nil where it is none or doesn't say.
  var terminalWidth: Int? {
    guard isTerminal, let fileDescriptor else { return nil }
    var size = winsize()
    guard ioctl(fileDescriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  private func drain(_ state: inout State) {
    guard let fileDescriptor else { return }
    var written = 0
    while written < state.pending.count, state.errorNumber == 0 {
      let count = state.pending.withUnsafeBytes { bytes in
        Foundation.write(
          fileDescriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
      }
      if count >= 0 {
        written += count
      } else if errno == EAGAIN {
        // The descriptor may be shared with a program that made it non-blocking.
        var poll = pollfd(fd: fileDescriptor, events: Int16(POLLOUT), revents: 0)
        _ = Foundation.poll(&poll, 1, 100)
      } else if errno != EINTR {
        state.errorNumber = errno
      }
    }
    state.pending.removeAll(keepingCapacity: true)
  }
}
