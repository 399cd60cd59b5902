/// Texts as they are compared: letters and digits in lower case, without LaTeX's fonts.
enum PlainText {
  static func of(_ text: String) -> String {
    var result = ""
    var rest = text[...]
    while let backslash = rest.firstIndex(of: "\\") {
      result += rest[..<backslash]
      rest = rest[rest.index(after: backslash)...]
      let name = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(max(1, name.count))
      let isFont =
        MathSpelling.textFonts.contains(String(name))
        || MathSpelling.invisible.contains(String(name))
        || MathSpelling.uprightFonts.contains(String(name))
        || MathSpelling.delimiterSizes.contains(String(name))
      if !isFont { result += name }
    }
    return (result + rest).lowercased().filter { $0.isLetter || $0.isNumber }
  }
}
