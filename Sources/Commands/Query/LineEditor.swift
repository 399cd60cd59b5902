import Foundation

/// Reads lines at a terminal: editing, history, completion with Tab.
final class LineEditor {
  private let prompt: String
  private let context: CommandContext
  private let complete: (String) -> [String]
  private var history: [String]

  /// The line being edited and where in it the cursor is.
  private var line: [Character] = []
  private var cursor = 0
  /// The place in the history, its count being the new line, which is kept meanwhile.
  private var place = 0
  private var draft: [Character] = []

  init(
    prompt: String, context: CommandContext, history: [String],
    complete: @escaping (String) -> [String]
  ) {
    self.prompt = prompt
    self.context = context
    self.history = history
    self.complete = complete
  }

  /// The next line; nil at the end of the input (Ctrl-D, or a terminal that went away).
  func read() -> String? {
    var saved = termios()
    guard tcgetattr(STDIN_FILENO, &saved) == 0 else { return readLine() }
    var raw = saved
    cfmakeraw(&raw)
    // Output stays processed, so that a line feed also returns the carriage.
    raw.c_oflag = saved.c_oflag
    guard tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0 else { return readLine() }
    defer {
      tcsetattr(STDIN_FILENO, TCSADRAIN, &saved)
      context.standardOutput.write("\n")
    }
    (line, cursor, place, draft) = ([], 0, history.count, [])
    redraw()
    while let key = nextKey() {
      switch handle(key) {
      case .goOn: redraw()
      case .done:
        let text = String(line)
        if !text.isEmpty { history.append(text) }
        return text
      case .end: return nil
      }
    }
    return nil
  }

  private enum Outcome { case goOn, done, end }

  private enum Key: Equatable {
    case character(Character)
    case control(Character)
    case up, down, left, right, home, end, delete, backspace, enter, tab
    case nothing
  }

  private func handle(_ key: Key) -> Outcome {
    switch key {
    case .character(let character):
      line.insert(character, at: cursor)
      cursor += 1
    case .enter: return .done
    case .tab: completeWord()
    case .backspace, .control("h"):
      if cursor > 0 {
        cursor -= 1
        line.remove(at: cursor)
      }
    case .control("d") where line.isEmpty: return .end
    case .delete, .control("d"): if cursor < line.count { line.remove(at: cursor) }
    case .left, .control("b"): cursor = max(0, cursor - 1)
    case .right, .control("f"): cursor = min(line.count, cursor + 1)
    case .home, .control("a"): cursor = 0
    case .end, .control("e"): cursor = line.count
    case .control("c"): (line, cursor, place) = ([], 0, history.count)
    case .control("k"): line.removeSubrange(cursor...)
    case .control("u"):
      line.removeSubrange(..<cursor)
      cursor = 0
    case .control("w"): removeWord()
    case .control("l"): context.standardOutput.write(.clearScreen)
    case .up, .control("p"): move(to: place - 1)
    case .down, .control("n"): move(to: place + 1)
    case .control, .nothing: break
    }
    return .goOn
  }

  private func removeWord() {
    var start = cursor
    while start > 0, line[start - 1].isWhitespace { start -= 1 }
    while start > 0, !line[start - 1].isWhitespace { start -= 1 }
    line.removeSubrange(start..<cursor)
    cursor = start
  }

  private func move(to next: Int) {
    guard (0...history.count).contains(next) else { return }
    if place == history.count { draft = line }
    place = next
    line = next == history.count ? draft : Array(history[next])
    cursor = line.count
  }

  /// Completes the word before the cursor as far as the names agree; lists them where they don't.
  private func completeWord() {
    var start = cursor
    while start > 0, !" ,(=".contains(line[start - 1]) { start -= 1 }
    let word = String(line[start..<cursor])
    let names = complete(word)
    guard let first = names.first else { return }
    let common = names.reduce(first) { $0.commonPrefix(with: $1) }
    if common.count > word.count {
      line.replaceSubrange(start..<cursor, with: common)
      cursor = start + common.count
    } else if names.count > 1 {
      context.standardOutput.write("\n" + names.prefix(60).joined(separator: "  ") + "\n")
    }
  }

  /// Draws the line anew, shifted where it is longer than the window.
  private func redraw() {
    let room = max(10, context.width - TextLayout.width(of: prompt) - 1)
    var first = 0
    while TextLayout.width(of: String(line[first..<cursor])) > room { first += 1 }
    let before = String(line[first..<cursor])
    let shown = TextLayout.truncate(String(line[first...]), to: room)
    let column = TextLayout.width(of: prompt) + TextLayout.width(of: before)
    let output = context.standardOutput
    output.write(.lineStart)
    output.write("\(prompt)\(shown)")
    for sequence in [.eraseToEnd, .lineStart, .right(column)] as [TerminalSequence] {
      output.write(sequence)
    }
  }

  // MARK: Keys

  private func nextByte() -> UInt8? {
    var byte: UInt8 = 0
    while true {
      let count = Foundation.read(STDIN_FILENO, &byte, 1)
      if count == 1 { return byte }
      if count < 0, errno == EINTR { continue }
      return nil
    }
  }

  private func nextKey() -> Key? {
    guard let byte = nextByte() else { return nil }
    switch byte {
    case 0x0D, 0x0A: return .enter
    case 0x09: return .tab
    case 0x7F: return .backspace
    case 0x1B: return escapeSequence()
    case 0x01...0x1A: return .control(Character(Unicode.Scalar(byte + 0x60)))
    case 0x00...0x1F: return .nothing
    case 0x20..<0x80: return .character(Character(Unicode.Scalar(byte)))
    default: return character(from: byte)
    }
  }

  /// The rest of a character that begins with a byte above ASCII.
  private func character(from first: UInt8) -> Key? {
    let count = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1
    var encoded = [first]
    for _ in 0..<count {
      guard let byte = nextByte() else { return nil }
      encoded.append(byte)
    }
    guard let text = String(validating: encoded, as: UTF8.self), let character = text.first else {
      return .nothing
    }
    return .character(character)
  }

  /// Arrow keys and their like: ESC [ or ESC O, parameters, a letter or ~.
  private func escapeSequence() -> Key? {
    guard let bracket = nextByte() else { return nil }
    guard bracket == UInt8(ascii: "[") || bracket == UInt8(ascii: "O") else { return .nothing }
    var parameters: [UInt8] = []
    while let byte = nextByte() {
      guard (0x40...0x7E).contains(byte) else {
        parameters.append(byte)
        if parameters.count > 16 { return .nothing }
        continue
      }
      switch (byte, parameters.first) {
      case (UInt8(ascii: "A"), _): return .up
      case (UInt8(ascii: "B"), _): return .down
      case (UInt8(ascii: "C"), _): return .right
      case (UInt8(ascii: "D"), _): return .left
      case (UInt8(ascii: "H"), _): return .home
      case (UInt8(ascii: "F"), _): return .end
      case (UInt8(ascii: "~"), UInt8(ascii: "1")), (UInt8(ascii: "~"), UInt8(ascii: "7")):
        return .home
      case (UInt8(ascii: "~"), UInt8(ascii: "4")), (UInt8(ascii: "~"), UInt8(ascii: "8")):
        return .end
      case (UInt8(ascii: "~"), UInt8(ascii: "3")): return .delete
      default: return .nothing
      }
    }
    return nil
  }
}
