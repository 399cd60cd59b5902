import Foundation

/// What a command sees of the world: where it writes, what surrounds it, whether it must stop.
struct CommandContext: Sendable {
  /// Results, and nothing else.
  var standardOutput: OutputChannel
  /// Progress, notes, warnings, errors.
  var standardError: OutputChannel
  /// The environment's variables.
  var environment: [String: String]
  /// Whether the user asked to stop.
  var interrupts: InterruptFlag

  /// The real streams and environment of this process.
  static func process() -> CommandContext {
    CommandContext(
      standardOutput: OutputChannel(fileDescriptor: STDOUT_FILENO),
      standardError: OutputChannel(fileDescriptor: STDERR_FILENO),
      environment: ProcessInfo.processInfo.environment, interrupts: .process)
  }

  /// Streams in memory, for tests: no terminal, 80 columns, an empty environment.
  static func memory(environment: [String: String] = [:]) -> CommandContext {
    CommandContext(
      standardOutput: OutputChannel(fileDescriptor: nil),
      standardError: OutputChannel(fileDescriptor: nil),
      environment: environment, interrupts: InterruptFlag())
  }

  /// Whether results go to a terminal.
  var isTerminal: Bool { standardOutput.isTerminal }

  /// The columns of the terminal, or of `COLUMNS`, or 80; from 20 to 1000.
  var width: Int {
    let columns = environment["COLUMNS"].flatMap(Int.init)
    let width = standardOutput.terminalWidth ?? standardError.terminalWidth ?? columns ?? 80
    return min(max(width, 20), 1000)
  }

  /// Colours for results: plain unless at a terminal that has them, without `NO_COLOR`.
  var style: Style { Style(isEnabled: usesColor(standardOutput)) }

  /// Colours for what goes to standard error.
  var errorStyle: Style { Style(isEnabled: usesColor(standardError)) }

  private func usesColor(_ channel: OutputChannel) -> Bool {
    channel.isTerminal && environment["NO_COLOR", default: ""].isEmpty
      && environment["TERM"] != "dumb"
  }

  /// Writes a result.
  func print(_ text: String = "") { standardOutput.write(text + "\n") }

  /// Writes a result for programs, such as JSON: exactly, but at a terminal.
  func print(exactly text: String) { standardOutput.write(exactly: text + "\n") }

  /// Writes a note, a warning or progress to standard error.
  ///
  /// At a terminal, lines that don't fit break between words; lines that begin with a space (commands to copy,
  /// columns) stay whole.
  func note(_ text: String = "") {
    guard standardError.isTerminal, let width = standardError.terminalWidth else {
      standardError.write(text + "\n")
      return
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line in
      line.hasPrefix(" ") || TextLayout.width(of: String(line)) <= width
        ? [String(line)] : TextLayout.wrap(String(line), width: max(width, 20))
    }
    standardError.write(lines.joined(separator: "\n") + "\n")
  }

  /// Writes a warning to standard error.
  func warn(_ text: String) { note(errorStyle.yellow("warning: ") + text) }
}
