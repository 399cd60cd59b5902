/// An answer as read: what it denotes, in each way of reading a comma between digits.
struct MathReading {
  /// The longest answer that is read, in bytes of UTF-8.
  static let lengthLimit = 2000

  /// What it denotes; not empty.
  private(set) var values: [MathValue]
  /// The letters and digits of the text; of a labelled answer those of the label.
  private(set) var plain: String
  /// Whether terms are added: the text states more than a number.
  let isSum: Bool

  /// Reads an answer in LaTeX, or in plain text.
  ///
  /// A sentence with a number in it is read as its last number where `allowingSentence`.
  /// - Throws: why it can't be read.
  init(_ text: String, allowingSentence: Bool = false) throws(Unreadable) {
    guard text.utf8.count <= Self.lengthLimit else {
      throw Unreadable("it is longer than \(Self.lengthLimit) bytes")
    }
    plain = PlainText.of(text)
    if Self.isWords(text) {
      values = [.words(plain)]
      isSum = false
      return
    }
    if allowingSentence, Self.isSentence(text), let number = NumberReader(text).all.last {
      values = [.scalar(Scalar(number.value))]
      isSum = false
      return
    }
    let (tokens, hasTightComma) = try MathLexer.tokens(of: text, comma: .thousands)
    var parser = MathParser(tokens)
    guard hasTightComma else {
      values = [try parser.answer()]
      isSum = parser.isSum
      takeLabel()
      return
    }
    var values: [MathValue] = []
    var fault: Unreadable?
    for comma in CommaReading.allCases where comma != .decimal || Self.mayBeDecimalComma(text) {
      do throws(Unreadable) {
        var parser = MathParser(try MathLexer.tokens(of: text, comma: comma).tokens)
        let value = try parser.answer()
        if !values.contains(value) { values.append(value) }
      } catch {
        fault = fault ?? error
      }
    }
    if values.isEmpty, let fault { throw fault }
    self.values = values
    isSum = parser.isSum
  }

  /// \textbf{(C) }12 is C and is 12; \text{The area is }12 is 12.
  private mutating func takeLabel() {
    guard case .phrase(let parts)? = values.first, parts.count == 2,
      case .words(let label) = parts[0],
      !label.contains("not"), !label.hasPrefix("no")
    else { return }
    if case .words = parts[1] { return }
    values = [parts[1]]
    if label.count == 1 {
      plain = label
      values.append(.scalar(Scalar(Expression(.symbol(label.uppercased())))))
    }
  }

  /// Four words or more, and no mathematics but numbers.
  ///
  ///     so the number is 1,000.99
  private static func isSentence(_ text: String) -> Bool {
    guard !text.contains("\\"), !text.contains("=") else { return false }
    let words = text.split { !$0.isLetter }
    return words.count { $0.count > 1 && $0.contains { "aeiou".contains($0) } } >= 4
  }

  /// 12,34 and 0,125 may be decimals; 1,234 and 1,2 are not.
  private static func mayBeDecimalComma(_ text: String) -> Bool {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == 2 else { return false }
    let digits = parts[1].prefix(while: \.isNumber).count
    let whole = parts[0].reversed().prefix(while: \.isNumber)
    return digits >= 2 && (digits != 3 || (whole.count == 1 && whole.first == "0"))
  }

  /// Letters and spaces alone, with a word among them that is not a product of unknowns: east, Evelyn.
  private static func isWords(_ text: String) -> Bool {
    guard
      text.unicodeScalars.allSatisfy({
        $0.properties.isAlphabetic || $0.properties.isWhitespace
          || "'’-.$".unicodeScalars.contains($0)
      })
    else { return false }
    let words = text.split { !$0.isLetter }.map(String.init)
    guard !words.isEmpty,
      !words.contains(where: { MathSpelling.functions.contains($0) || $0 == "pi" })
    else { return false }
    return words.contains { word in
      let lower = word.lowercased()
      if ["no", "yes"].contains(lower) { return true }
      return word.count >= 3 && !["infinity", "inf", "infty"].contains(lower)
        && lower.contains { "eiou".contains($0) || !$0.isASCII }
    }
  }

  /// The one scalar that it denotes, if it is one.
  var scalar: Scalar? {
    if case .scalar(let scalar)? = values.first { return scalar }
    return nil
  }
}
