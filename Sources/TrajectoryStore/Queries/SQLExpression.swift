/// SQL that a person wrote to stand within a query of ours.
enum SQLExpression {
  /// Why a text can't stand in parentheses as it is, as the end of a sentence; nil where it can.
  ///
  /// Whether it is right is for SQLite to say. Here it is held within itself: its parentheses are its
  /// own, and it ends no statement. Quoted text and comments are passed over.
  static func fault(in sql: String) -> String? {
    var depth = 0
    var rest = Substring(sql)
    while let character = rest.popFirst() {
      switch character {
      case "(": depth += 1
      case ")":
        depth -= 1
        if depth < 0 { return "closes a parenthesis that it doesn't open" }
      case ";": return "ends a statement with a semicolon"
      case "'", "\"", "`": skip(past: character, &rest)
      case "[": skip(past: "]", &rest)
      case "-" where rest.first == "-": rest = rest.drop { !$0.isNewline }
      case "/" where rest.first == "*":
        guard let end = rest.dropFirst().firstRange(of: "*/") else {
          return "opens a comment that it doesn't close"
        }
        rest = rest[end.upperBound...]
      default: break
      }
    }
    return depth == 0 ? nil : "opens a parenthesis that it doesn't close"
  }

  /// A doubled quote within quotes ends one text and begins the next, which comes to the same.
  private static func skip(past quote: Character, _ rest: inout Substring) {
    rest = rest.drop { $0 != quote }.dropFirst()
  }
}
