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
    line.step("step 1")
    line.finish()
    #expect(context.standardError.text == "step 1\n")
  }
}
