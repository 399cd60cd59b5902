import Rollouts

/// Rows under headings, printed aligned for people or exactly for programs.
struct Table: Sendable {
  /// A heading and how its cells stand.
  struct Column: Sendable {
    var title: String
    var alignment: TextLayout.Alignment
    /// Where the table is too wide, the column of the greatest rank goes first; 0 stays.
    var rank = 0
    /// Whether a cell that is too long is cut at its start.
    var losesStart = false

    /// A column of text.
    static func text(_ title: String) -> Column { Column(title: title, alignment: .left) }
    /// A column of numbers, aligned at the right.
    static func number(_ title: String) -> Column { Column(title: title, alignment: .right) }
  }

  /// The columns.
  var columns: [Column]
  /// The cells, a list per row; missing cells are empty, surplus ones are left out.
  var rows: [[String]]

  /// Makes a table.
  init(_ columns: [Column], rows: [[String]] = []) {
    self.columns = columns
    self.rows = rows
  }

  /// Appends a row.
  mutating func append(_ cells: String...) { rows.append(cells) }

  /// The table with aligned columns.
  ///
  /// To fit `width` it goes without the columns that may be left out, then its widest columns are cut with an ellipsis.
  /// Numbers are cut last: half a number is a wrong one.
  ///
  /// - Parameters:
  ///   - width: The columns of the terminal; nil cuts nothing.
  ///   - folds: Whether long cells go on in further lines instead of being cut.
  func text(width: Int? = nil, folds: Bool = false, style: Style = .plain) -> String {
    guard let width else { return aligned(width: nil, folds: folds, style: style) }
    return narrowed(to: width).aligned(width: width, folds: folds, style: style)
  }

  /// The table without as many ranked columns as it takes for numbers to stand whole and texts to be readable.
  private func narrowed(to width: Int) -> Table {
    var table = self
    var needs = columns.indices.map { index in
      let widest = rows.map { index < $0.count ? TextLayout.width(of: $0[index]) : 0 }.max() ?? 0
      let natural = max(widest, TextLayout.width(of: columns[index].title))
      return columns[index].alignment == .right ? natural : min(natural, Self.readable)
    }
    while needs.reduce(0, +) + Self.gap * (needs.count - 1) > width,
      let last = table.columns.indices.filter({ table.columns[$0].rank > 0 })
        .max(by: { table.columns[$0].rank < table.columns[$1].rank })
    {
      needs.remove(at: last)
      table.columns.remove(at: last)
      for row in table.rows.indices where last < table.rows[row].count {
        table.rows[row].remove(at: last)
      }
    }
    return table
  }

  /// Columns that a text should have before others give way.
  private static let readable = 14

  private func aligned(width: Int?, folds: Bool, style: Style) -> String {
    let titles = columns.map { TextLayout.singleLine($0.title) }
    let shown = rows.map { row in
      columns.indices.map { TextLayout.singleLine($0 < row.count ? row[$0] : "") }
    }
    var widths = titles.map(TextLayout.width(of:))
    for row in shown {
      for index in columns.indices {
        widths[index] = max(widths[index], TextLayout.width(of: row[index]))
      }
    }
    if let width { widths = fitted(widths, into: width - Self.gap * (columns.count - 1)) }
    let lines = shown.flatMap { row in
      folds ? folded(row, widths).map { line($0, widths) } : [line(row, widths)]
    }
    return ([style.bold(line(titles, widths))] + lines).joined(separator: "\n")
  }

  /// A row as rows whose cells fit their columns.
  private func folded(_ row: [String], _ widths: [Int]) -> [[String]] {
    // A space that a line was broken at would make it wider than its column.
    let cells = zip(row, widths).map { cell, width in
      TextLayout.fold(cell, width: width).map { line in
        String(line.reversed().drop { $0 == " " }.reversed())
      }
    }
    return (0..<(cells.map(\.count).max() ?? 1)).map { place in
      cells.map { place < $0.count ? $0[place] : "" }
    }
  }

  private static let gap = 2

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var line = ""
    for (index, cell) in cells.enumerated() {
      if index > 0 { line += String(repeating: " ", count: Self.gap) }
      line += TextLayout.pad(
        cut(cell, to: widths[index], columns[index]), to: widths[index], columns[index].alignment)
    }
    while line.last == " " { line.removeLast() }
    return line
  }

  private func cut(_ cell: String, to width: Int, _ column: Column) -> String {
    guard TextLayout.width(of: cell) > width else { return cell }
    return column.losesStart
      ? TextLayout.truncateStart(cell, to: width) : TextLayout.truncate(cell, to: width)
  }

  /// Texts give way first; numbers only where texts alone don't make the room.
  private func fitted(_ natural: [Int], into total: Int) -> [Int] {
    let texts = columns.indices.filter { columns[$0].alignment == .left }
    let numbers = natural.indices.reduce(0) { texts.contains($1) ? $0 : $0 + natural[$1] }
    guard total - numbers >= 4 * texts.count else { return Self.fit(natural, into: total) }
    var widths = natural
    let fitting = Self.fit(texts.map { natural[$0] }, into: total - numbers)
    for (index, width) in zip(texts, fitting) { widths[index] = width }
    return widths
  }

  /// Widths whose sum is at most `total`: the widest give way first, none below four columns.
  private static func fit(_ natural: [Int], into total: Int) -> [Int] {
    guard natural.reduce(0, +) > total else { return natural }
    // The largest cap at which everything fits.
    var (low, high) = (4, max(4, natural.max() ?? 4))
    while low < high {
      let middle = (low + high + 1) / 2
      if natural.reduce(0, { $0 + min($1, middle) }) <= total {
        low = middle
      } else {
        high = middle - 1
      }
    }
    var widths = natural.map { min($0, low) }
    // What rounding left over goes to the columns that were cut, from the first.
    var rest = total - widths.reduce(0, +)
    for index in widths.indices where rest > 0 && widths[index] < natural[index] {
      widths[index] += 1
      rest -= 1
    }
    return widths
  }
}

extension Table {
  /// The table as GitHub's Markdown.
  var markdown: String {
    func row(_ cells: [String]) -> String {
      "| "
        + cells.map { $0.replacing("|", with: "\\|").replacing("\n", with: "<br>") }
        .joined(separator: " | ") + " |"
    }
    let rule = columns.map { $0.alignment == .left ? "---" : "--:" }
    let body = rows.map { cells in columns.indices.map { $0 < cells.count ? cells[$0] : "" } }
    return ([row(columns.map(\.title)), row(rule)] + body.map(row)).joined(separator: "\n")
  }

  /// The table as CSV (RFC 4180, lines ended by a line feed) with a header.
  var csv: String {
    func field(_ text: String) -> String {
      text.contains { ",\"\n\r\r\n".contains($0) }
        ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }
    return ([columns.map(\.title)] + rows).map { $0.map(field).joined(separator: ",") }
      .joined(separator: "\n")
  }
}
