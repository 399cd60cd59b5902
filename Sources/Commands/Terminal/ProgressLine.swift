import Synchronization

/// What a long command is doing: one line redrawn at a terminal, plain lines elsewhere.
///
/// Goes to standard error. At a terminal `update` redraws the line, cut to the window; elsewhere it
/// prints nothing and `step` prints whole lines, so that a log file keeps no control characters.
final class ProgressLine: Sendable {
  private let channel: OutputChannel
  private let drawn = Mutex(false)

  /// Makes a progress line on the context's standard error.
  init(_ context: CommandContext) { channel = context.standardError }

  /// Whether the line is redrawn; elsewhere callers may prefer to say less.
  var isLive: Bool { channel.isTerminal }

  /// Redraws the line at a terminal; nothing elsewhere.
  func update(_ text: String) {
    guard isLive else { return }
    drawn.withLock { drawn in
      // Erase after writing: no flicker, and a shorter text leaves no rest of the longer.
      let columns = (channel.terminalWidth ?? 80) - 1
      channel.write(.lineStart)
      channel.write(TextLayout.truncate(TextLayout.singleLine(text), to: columns))
      channel.write(.eraseToEnd)
      drawn = true
    }
  }

  /// Prints a line that stays, above the live one.
  func print(_ text: String) {
    drawn.withLock { drawn in
      if drawn {
        channel.write(.lineStart)
        channel.write(.eraseToEnd)
      }
      channel.write(text + "\n")
      drawn = false
    }
  }

  /// Shows a step: redrawn at a terminal, a line of its own elsewhere.
  func step(_ text: String) { isLive ? update(text) : print(text) }

  /// Leaves the line as it stands and goes below it.
  func finish() {
    drawn.withLock { drawn in
      if drawn { channel.write("\n") }
      drawn = false
    }
  }
}
