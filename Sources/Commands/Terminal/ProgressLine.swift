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
      channel.write(.lineStart)
      channel.write(TextLayout.truncate(TextLayout.singleLine(text), to: room ?? 79))
      channel.write(.eraseToEnd)
      drawn = true
    }
  }

  /// Prints a line that stays, above the live one; at a terminal it breaks between words.
  func print(_ text: String) {
    let lines =
      room.flatMap { room in
        TextLayout.width(of: text) > room ? TextLayout.wrap(text, width: room) : nil
      } ?? [text]
    drawn.withLock { drawn in
      if drawn {
        channel.write(.lineStart)
        channel.write(.eraseToEnd)
      }
      channel.write(lines.joined(separator: "\n") + "\n")
      drawn = false
    }
  }

  /// Redraws the line with the facts that fit the window; nothing elsewhere.
  func update(_ line: FieldLine) { update(line.text(width: room)) }

  /// Prints the facts that fit the window, all of them elsewhere, on a line that stays.
  func print(_ line: FieldLine) { print(line.text(width: room)) }

  /// The columns of the window less three, for the cursor and the `^C` that a terminal echoes at it; nil where
  /// there is no window.
  var room: Int? { isLive ? max(20, (channel.terminalWidth ?? 80) - 3) : nil }

  /// Erases the line, and the `^C` that a terminal echoes behind it: what follows begins at the left.
  func erase() {
    drawn.withLock { drawn in
      if drawn {
        channel.write(.lineStart)
        channel.write(.eraseToEnd)
      }
      drawn = false
    }
  }

  /// Leaves the line as it stands and goes below it.
  func finish() {
    drawn.withLock { drawn in
      if drawn { channel.write("\n") }
      drawn = false
    }
  }
}
