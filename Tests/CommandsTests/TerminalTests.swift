import Rollouts
import Testing

@testable import Commands

@Suite("Text at a terminal")
struct TerminalTests {
  @Test(
    "Columns of characters",
    arguments: [
      ("abc", 3), ("日本", 4), ("é", 1), ("e\u{301}", 1), ("👍🏽", 2), ("👩‍👩‍👧", 2), ("한글", 4),
      ("❤️", 2), ("→", 1), ("\u{200B}", 0), ("ｆ", 2), ("🇩🇪", 2),
    ])
  func width(text: String, columns: Int) {
    #expect(DisplayWidth.columns(of: text) == columns)
  }

  @Test("Escape sequences take no columns")
  func escapes() {
    #expect(TextLayout.width(of: Style(isEnabled: true).red("日本")) == 4)
  }

  @Test("Cut text ends in an ellipsis within its columns")
  func truncation() {
    #expect(TextLayout.truncate("abcdef", to: 6) == "abcdef")
    #expect(TextLayout.truncate("abcdef", to: 4) == "abc…")
    #expect(TextLayout.truncate("日本語", to: 4) == "日…")
    #expect(TextLayout.truncate("日本語", to: 5) == "日本…")
    #expect(TextLayout.truncate("ab", to: 0) == "")
    #expect(TextLayout.truncate("ab", to: 1) == "…")
  }

  @Test("Text wraps at spaces")
  func wrapping() {
    #expect(TextLayout.wrap("one two three", width: 7) == ["one two", "three"])
    #expect(TextLayout.wrap("incomprehensible a", width: 5) == ["incomprehensible", "a"])
    #expect(TextLayout.wrap("", width: 5) == [""])
    #expect(
      TextLayout.wrap("  name   what it is and what it is not", width: 30) == [
        "  name   what it is and what", "         it is not",
      ])
  }

  @Test(
    "Folded lines fit and lose nothing",
    arguments: [
      ("one two  three", 7, ["one two  ", "three"]), ("abcdefgh", 3, ["abc", "def", "gh"]),
      ("  x\n\ny", 9, ["  x", "", "y"]), ("日本語", 4, ["日本", "語"]), ("", 5, [""]),
      ("a bcdefg", 4, ["a ", "bcde", "fg"]), ("日", 1, ["日"]),
    ])
  func folding(text: String, width: Int, lines: [String]) {
    #expect(TextLayout.fold(text, width: width) == lines)
  }

  @Test("A table whose cells are folded cuts nothing")
  func foldedTable() {
    let table = Table([.text("name"), .number("n")], rows: [["a long name", "5"], ["b", "66"]])
    #expect(
      table.text(width: 10, folds: true) == """
        name     n
        a long   5
        name
        b       66
        """)
  }

  @Test("Control characters and direction overrides never reach a terminal")
  func controls() {
    #expect(TextLayout.singleLine("a\nb\u{1B}[2J") == "a⏎b␛[2J")
    #expect(TextLayout.withoutControls("a\n\u{1B}[2J\u{202E}") == "a\n\u{FFFD}[2J\u{FFFD}")
  }

  @Test("A table is aligned and its widest column gives way")
  func table() {
    var table = Table([.text("name"), .number("n")])
    table.append("日本", "5")
    table.append("a very long name indeed", "1234")
    #expect(
      table.text() == """
        name                        n
        日本                        5
        a very long name indeed  1234
        """)
    #expect(
      table.text(width: 16) == """
        name           n
        日本           5
        a very lo…  1234
        """)
    #expect(table.csv == "name,n\n日本,5\na very long name indeed,1234")
    #expect(table.markdown.hasPrefix("| name | n |\n| --- | --: |\n| 日本 | 5 |"))
  }

  @Test("CSV fields are quoted where they must be")
  func csv() {
    let table = Table([.text("a")], rows: [["x,\"y\"\nz"], ["\r\n"]])
    #expect(table.csv == "a\n\"x,\"\"y\"\"\nz\"\n\"\r\n\"")
  }

  @Test("A sparkline spans from least to greatest and skips what isn't finite")
  func sparkline() {
    #expect(Sparkline.draw([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█")
    #expect(Sparkline.draw([1, 1]) == "▄▄")
    #expect(Sparkline.draw([0, .nan, 1]) == "▁ █")
    #expect(Sparkline.draw([]) == "")
    #expect(Sparkline.draw([.nan]) == " ")
    #expect(Sparkline.draw(Array(repeating: 0, count: 100) + [1], width: 10).count == 10)
    #expect(Sparkline.draw([-1e308, 1e308]) == "▁█")
  }

  @Test("Numbers as people read them")
  func numbers() {
    #expect(NumberFormat.grouped(-1_234_567) == "-1,234,567")
    #expect(NumberFormat.grouped(.min) == "-9,223,372,036,854,775,808")
    #expect(NumberFormat.fixed(-0.0001) == "0.000")
    #expect(NumberFormat.bytes(995 << 20) == "995 MiB")
    #expect(NumberFormat.bytes(1536) == "1.5 KiB")
    #expect(NumberFormat.duration(0.0123) == "12.3 ms")
    #expect(NumberFormat.duration(1.239) == "1.24 s")
    #expect(NumberFormat.duration(185) == "3 min 05 s")
    #expect(NumberFormat.duration(7620) == "2 h 07 min")
    #expect(NumberFormat.percent(0.1234) == "12.3%")
  }

  @Test("Without a terminal nothing is coloured or redrawn")
  func plain() {
    let context = CommandContext.memory()
    #expect(context.style.red("x") == "x")
    let line = ProgressLine(context)
    line.update("half")
    line.print("step 1")
    line.finish()
    line.erase()
    #expect(context.standardError.text == "step 1\n")
  }

  @Test(
    "A line of facts leaves out the least important ones, never a part of one", arguments: 8...40)
  func fields(width: Int) {
    var line = FieldLine()
    line.append("step 3/9")
    line.append("reward 0.5", rank: 1)
    line.append("kl 0.1", rank: 3)
    line.append("1 s left", rank: 2)
    let all = ["step 3/9", "reward 0.5", "kl 0.1", "1 s left"]
    let text = line.text(width: width)
    #expect(TextLayout.width(of: text) <= width)
    let shown = all.filter(text.contains)
    #expect(text == shown.joined(separator: "  "))
    // What goes, goes by rank.
    if shown.contains("kl 0.1") { #expect(shown.count == 4) }
    if shown.contains("1 s left") { #expect(shown.contains("reward 0.5")) }
    #expect(line.text(width: nil) == all.joined(separator: "  "))
  }

  @Test("Texts are cut at their start or in their middle")
  func cuts() {
    #expect(TextLayout.truncateStart("abcdefgh", to: 5) == "…efgh")
    #expect(TextLayout.truncateStart("abcde", to: 5) == "abcde")
    #expect(TextLayout.truncateStart("日本語", to: 5) == "…本語")
    #expect(TextLayout.truncateStart("abc", to: 0) == "")
    #expect(TextLayout.truncateMiddle("abcdefghij", to: 10) == "abcdefghij")
    for width in 5...9 {
      let cut = TextLayout.truncateMiddle("abcdefghij", to: width)
      #expect(TextLayout.width(of: cut) <= width)
      #expect(cut.hasPrefix("a") && cut.hasSuffix("j") && cut.contains("…"))
    }
  }

  @Test(
    "A narrow table goes without columns rather than with halves of numbers",
    arguments: [40, 60, 80])
  func narrowTable(width: Int) {
    var columns: [Table.Column] = [
      .number("step"), .number("reward"), .number("least"), .number("greatest"), .text("prompt"),
    ]
    columns[2].rank = 1
    columns[3].rank = 2
    let text = String(repeating: "long ", count: 30)
    let table = Table(columns, rows: [["100000", "0.123456", "-12.5000", "987654.321", text]])
    let lines = table.text(width: width).split(separator: "\n")
    #expect(lines.allSatisfy { TextLayout.width(of: String($0)) <= width })
    #expect(lines[1].contains("100000") && lines[1].contains("0.123456"))
    #expect(lines[0].contains("least") == (width >= 42))
    #expect(lines[0].contains("greatest") == (width >= 54))
    for cell in ["-12.5000", "987654.321"] where !lines[1].contains(cell) {
      #expect(!lines[1].contains(cell.prefix(4)))
    }
  }

  @Test("A sample shows how the prompt ends, what was answered, and what is right")
  func sample() {
    let sample = CompletionSample(
      prompt: .messages([
        ChatMessage(role: "system", content: "be brief"),
        ChatMessage(
          role: "user", content: String(repeating: "words ", count: 40) + "What is 2 + 2?"),
      ]),
      completion: String(repeating: "so ", count: 50) + "\\boxed{4}", answer: "4", reward: 1)
    for width in [57, 77, 117] {
      let line = sample.line(width: width)
      #expect(TextLayout.width(of: line) <= width)
      #expect(line.contains("2 + 2? → so"))
      #expect(line.hasSuffix("boxed{4}  answer 4  reward 1"))
    }
    let solution = CompletionSample(
      prompt: .text("a"), completion: "b", answer: "He writes 3*2=6 pages a week\n#### 624",
      reward: 0)
    #expect(solution.line(width: 77).hasSuffix("⏎#### 624  reward 0"))
    let unscored = CompletionSample(prompt: .text("a"), completion: "b", answer: nil, reward: nil)
    #expect(unscored.line(width: 60) == "a → b  reward –")
  }
}
