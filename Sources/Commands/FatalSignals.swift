import Foundation
import Training

/// The signals by which the system ends a program, turned into errors or into a sentence.
enum FatalSignals {
  /// What a trap, a fault of memory or an abort means: a mistake in this program.
  private static let faults = [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGSYS]

  /// The sentence, written out beforehand: a signal handler may neither allocate nor format.
  ///
  /// Assigned once, before the handler that reads it is installed, and never freed.
  private nonisolated(unsafe) static var sentence = UnsafeRawBufferPointer(start: nil, count: 0)

  /// Installs the handlers.
  /// - Parameter words: The words of the command line, which the sentence names.
  static func install(_ words: [String]) {
    // A reward's or a pager's closed pipe is an error of that write, not the end of the run.
    signal(SIGPIPE, SIG_IGN)
    // Nor is a file that reached the limit of its size (ulimit -f): the write fails with EFBIG. A handler, not
    // SIG_IGN, which the rewards' processes would inherit.
    signal(SIGXFSZ) { _ in }

    let text = Array(message(words).utf8)
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
    bytes.copyBytes(from: text)
    sentence = UnsafeRawBufferPointer(bytes)

    // A stack that overflowed has no room for a handler.
    var stack = stack_t()
    stack.ss_size = 64 << 10
    stack.ss_sp = UnsafeMutableRawPointer.allocate(byteCount: stack.ss_size, alignment: 64)
    sigaltstack(&stack, nil)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      // Only what is safe in a handler: write. The default action then ends the program by the same signal, so
      // that whoever started it, and a core dump, see what it was.
      _ = write(STDERR_FILENO, FatalSignals.sentence.baseAddress, FatalSignals.sentence.count)
      signal(number, SIG_DFL)
      raise(number)
    }
    action.sa_flags = Int32(SA_ONSTACK) | Int32(bitPattern: UInt32(SA_NODEFER))
    for number in faults { sigaction(number, &action, nil) }
  }

  private static func message(_ words: [String]) -> String {
    let line = (["grpo"] + words.prefix(100)).map(ShellWord.quoted).joined(separator: " ")
    let shown = String(
      decoding: VisibleText.bytes(of: String(line.prefix(2000)), styles: false), as: UTF8.self)
    return """

      error: grpo stopped because of a mistake in the program itself. Nothing that a run had saved is lost: go on \
      with 'grpo train --resume RUN'. Please report this line with the files that it names:
        \(shown)   (grpo \(ProgramVersion.current))

      """
  }
}

/// Words as a shell reads them.
enum ShellWord {
  /// The word, in single quotes where the shell would take it apart.
  static func quoted(_ word: String) -> String {
    let plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,+@%"
    guard word.isEmpty || word.contains(where: { !plain.contains($0) }) else { return word }
    return "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
