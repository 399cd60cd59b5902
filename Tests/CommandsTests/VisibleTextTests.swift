import Foundation
import Testing

@testable import Commands

/// What completions, names and columns may hold reaches no reader as control characters.
@Suite("Control characters from outside")
struct VisibleTextTests {
  /// ESC, the CSI of Latin-1, a carriage return, the bell, a title, direction overrides, and our own marks.
  static let hostile =
    "a\u{1B}[2Jb\u{9B}1mc\rd\u{7}e\u{1B}]0;t\u{7}f\u{202E}g\u{2066}h\u{7F}i\u{0}j"
    + String(String.UnicodeScalarView([VisibleText.styleBegin])) + "2J"
    + String(String.UnicodeScalarView([VisibleText.styleEnd])) + "k"

  private static func hidden(in text: String) -> [Unicode.Scalar] {
    text.unicodeScalars.filter(VisibleText.isHidden)
  }

  @Test("are spelt out as JSON does, at a terminal and elsewhere", arguments: [false, true])
  func spelledOut(styles: Bool) {
    let text = String(decoding: VisibleText.bytes(of: Self.hostile, styles: styles), as: UTF8.self)
    #expect(Self.hidden(in: text) == [])
    #expect(text.hasPrefix("a\\u001b[2Jb\\u009b1mc\\u000dd\\u0007e"))
    #expect(text.hasSuffix("\\ufdd02J\\ufdd1k"))
    let plain = "é 日本\t👩‍👩‍👧\n\u{FB01} – “x”"
    #expect(VisibleText.bytes(of: plain, styles: styles) == Array(plain.utf8))
  }

  @Test("Only our own styles become sequences, and only at a terminal")
  func styles() {
    let text = Style(isEnabled: true).red("x\u{1B}[2J")
    #expect(
      VisibleText.bytes(of: text, styles: true) == Array("\u{1B}[31mx\\u001b[2J\u{1B}[0m".utf8))
    #expect(VisibleText.bytes(of: text, styles: false) == Array("x\\u001b[2J".utf8))
  }

  @Test("A terminal gets styles and sequences, and a result for programs is escaped there too")
  func terminal() throws {
    var (leader, follower): (Int32, Int32) = (0, 0)
    try #require(openpty(&leader, &follower, nil, nil, nil) == 0)
    defer {
      close(leader)
      close(follower)
    }
    let channel = OutputChannel(fileDescriptor: follower)
    #expect(channel.isTerminal)
    channel.write(Style(isEnabled: true).bold("x"))
    channel.write(.eraseToEnd)
    channel.write(exactly: "\"\u{9B}\"")
    let expected = "\u{1B}[1mx\u{1B}[0m\u{1B}[K\"\\u009b\""
    // What was written by several calls may be read by several.
    var shown: [UInt8] = []
    while shown.count < expected.utf8.count {
      var bytes = [UInt8](repeating: 0, count: 100)
      let count = read(leader, &bytes, bytes.count)
      guard count > 0 else { break }
      shown += bytes.prefix(count)
    }
    #expect(String(decoding: shown, as: UTF8.self) == expected)
  }

  @Test("Errors, warnings and notes break between words at a terminal; commands to copy stay whole")
  func notes() throws {
    var (leader, follower): (Int32, Int32) = (0, 0)
    var window = winsize(ws_row: 24, ws_col: 40, ws_xpixel: 0, ws_ypixel: 0)
    try #require(openpty(&leader, &follower, nil, nil, &window) == 0)
    defer {
      close(leader)
      close(follower)
    }
    var context = CommandContext.memory(environment: ["NO_COLOR": "1"])
    context.standardError = OutputChannel(fileDescriptor: follower)
    let command = "  grpo train --model runs/base/final --resume latest"
    let code = runCommandLine(["settings", "a-setting-that-is-not-one-of-ours"], context: context)
    #expect(code == .usage)
    context.note("to go on, say this:\n" + command)
    var bytes = [UInt8](repeating: 0, count: 2000)
    var text = ""
    while !text.contains("latest") {
      let count = read(leader, &bytes, bytes.count)
      guard count > 0 else { break }
      text += String(decoding: bytes[..<count], as: UTF8.self)
    }
    let lines = text.replacing("\r\n", with: "\n").split(separator: "\n").map(String.init)
    #expect(lines.count > 3 && lines.dropLast().allSatisfy { TextLayout.width(of: $0) <= 40 })
    let fault = lines.dropLast(2).joined(separator: " ")
    #expect(fault.hasSuffix("is not a setting; see 'grpo settings'"))
    #expect(lines.last == command)
  }

  @Test("Every command that prints outside text")
  func commands() throws {
    let run = try EverydayRun()
    let model = run.smallModel()
    let row = Self.hostile.unicodeScalars.filter { $0.value < 0xFDD0 }.map {
      $0.value < 0x20 ? VisibleText.spelled($0) : String($0)
    }.joined()
    let rows = try run.file(
      "rows.jsonl",
      #"{"prompt":"1+1=\#(row)","completion":"\#(row)","reward":1,"group":"\#(row)","\#(row)":1}"#
        + "\n")
    let sums = try run.file("sums.jsonl", #"{"prompt":"1+1=","x":"\#(row)"}"# + "\n")
    let name = Self.hostile.replacing("\u{0}", with: "").replacing("/", with: "")
    let reward = #"{use: "length", parameters: {target: 3, tolerance: 3}}"#
    let lines: [[String]] = [
      [name], ["train", "--\(name)"], ["train", "--run", name, "--model", name],
      ["train", "--model", model, "--dataset", name, "--reward", reward],
      ["train", "--config", try run.file("c.json5", "{\"\(row)\": 1, model: \"\(row)\"}")],
      ["train", "--model", model, "--dataset", rows, "--reward", reward, "--dry-run"],
      ["reward", "test", reward, "--input", rows],
      ["reward", "test", reward, "--input", rows, "--full"],
      ["reward", "test", name, "--input", rows], ["reward", "check", "numeric", "--dataset", rows],
      ["data", "inspect", rows], ["data", "inspect", name],
      ["score", "--model", name, "--input", rows],
      ["sample", "--model", name, name], ["sample", "--model", model, name],
      ["sample", "--model", model, "--input", rows],
      ["eval", "--model", model, "--dataset", rows, "--reward", reward],
      ["query", name], ["query", rows, name], ["report", name], ["replay", name], ["export", name],
      ["objective", name], ["init", run.path("new"), "--alphabet", name + "0"], ["settings", name],
      [
        "train", "--model", model, "--dataset", sums, "--reward", reward, "--max-steps", "1",
        "--prompts-per-step",
        "1", "--num-generations", "2", "--max-completion-length", "2", "--run", run.path("run"),
      ],
      ["query", run.path("run"), "SELECT prompt, '\(row.replacing("'", with: ""))' FROM problems"],
      ["query", run.path("run"), "SELECT char(27) || '[2J' AS \"\u{1B}x\", char(155)", "--csv"],
      [
        "query", run.path("run"), "SELECT char(27) || '[2J' AS \"\u{1B}x\", char(155)",
        "--markdown",
      ],
      ["query", run.path("run"), "worst"], ["query", run.path("run"), "rewards"],
    ]
    for words in lines {
      let context = CommandContext.memory()
      _ = runCommandLine(words, context: context)
      for text in [context.standardOutput.text, context.standardError.text] {
        // JSON for programs holds what is not a control of ASCII as it is.
        let isJSON = words.contains("--dry-run") && text.hasPrefix("{")
        #expect(isJSON || Self.hidden(in: text) == [], "\(words) said \(text.debugDescription)")
      }
    }
  }
}
