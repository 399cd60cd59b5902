// LaTeX's and Unicode's spellings of the same signs.
import Foundation

/// The spellings that the reader of mathematics knows.
enum MathSpelling {
  /// \left, \big and the like: the size of the bracket that follows.
  static let delimiterSizes: Set<String> = [
    "left", "right", "middle", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr",
    "biggl",
    "biggr", "Biggl", "Biggr",
  ]
  /// Commands that print nothing, or only change how their argument looks.
  static let invisible: Set<String> = [
    "displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "quad", "qquad", "enspace",
    "thinspace", "boxed", "fbox", "mathbf", "mathit", "bf", "it", "rm", "sf", "bm", "boldsymbol",
    "mathsf", "mathtt", "mathnormal", "large", "Large", "normalsize", "small", "nonumber", "unit",
    "mathop", "mathopen", "mathclose", "mathbin", "mathrel", "ensuremath", "noindent", "hfill",
  ]
  /// Commands that are left out with their argument.
  static let dropped: Set<String> = [
    "color", "textcolor", "phantom", "hphantom", "vphantom", "hspace", "vspace", "label", "tag",
    "mspace", "kern", "style", "class",
  ]
  static let textFonts: Set<String> = [
    "text", "textbf", "textit", "textnormal", "textrm", "textsf", "texttt", "textup", "mbox",
    "hbox",
    "emph", "underline",
  ]
  static let uprightFonts: Set<String> = ["mathrm", "operatorname", "rm", "mathup"]

  static let signs: [String: Character] = [
    "lbrace": "⦃", "rbrace": "⦄", "lbrack": "[", "rbrack": "]", "langle": "(", "rangle": ")",
    "lparen": "(", "rparen": ")", "vert": "|", "lvert": "|", "rvert": "|", "mid": "|", "colon": ":",
    "times": "*", "cdot": "*", "ast": "*", "bullet": "*", "div": "/", "lt": "<", "gt": ">",
    "comma": ",", "degree": "°", "dollar": "$", "slash": "/", "prime": "'",
  ]

  /// Commands with more than one name.
  static let commands: [String: String] = [
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom",
    "leq": "le", "leqslant": "le", "leqq": "le", "geq": "ge", "geqslant": "ge", "geqq": "ge",
    "neq": "ne", "varnothing": "emptyset", "isin": "in", "bigcup": "cup", "bigcap": "cap",
    "backslash": "setminus", "smallsetminus": "setminus", "thickapprox": "approx",
    "simeq": "approx",
    "cong": "equiv", "rightarrow": "to", "longrightarrow": "to", "asin": "arcsin", "acos": "arccos",
    "atan": "arctan", "tg": "tan", "ctg": "cot", "arctg": "arctan", "lg": "log", "varphi": "phi",
    "vartheta": "theta", "varepsilon": "epsilon", "imath": "i", "land": "and", "wedge": "and",
    "lor": "or", "vee": "or", "infin": "infty", "bar": "overline", "overrightarrow": "vec",
    "widehat": "hat", "widetilde": "tilde", "ldots": "dots", "cdots": "dots", "dotsc": "dots",
  ]

  static let functions: Set<String> = [
    "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh",
    "log", "ln", "lg", "exp", "max", "min", "gcd", "lcm", "det", "sgn", "arg", "Re", "Im", "asin",
    "acos", "atan", "tg", "ctg", "arctg", "deg", "dim", "ker", "tr", "rank", "sqrt",
  ]

  private static let unicode: [Unicode.Scalar: String] = [
    "−": "-", "–": "-", "—": "-", "﹣": "-", "－": "-", "×": "\\times ", "·": "\\cdot ",
    "⋅": "\\cdot ",
    "∙": "\\cdot ", "÷": "\\div ", "π": "\\pi ", "∞": "\\infty ", "√": "\\sqrt ", "≤": "\\le ",
    "≥": "\\ge ", "⩽": "\\le ", "⩾": "\\ge ", "≠": "\\ne ", "≈": "\\approx ", "∪": "\\cup ",
    "∩": "\\cap ", "∅": "\\emptyset ", "∈": "\\in ", "±": "\\pm ", "∓": "\\mp ", "°": "^\\circ ",
    "²": "^2 ", "³": "^3 ", "½": "\\frac12 ", "⅓": "\\frac13 ", "⅔": "\\frac23 ", "¼": "\\frac14 ",
    "¾": "\\frac34 ", "′": "'", "’": "'", "，": ",", "；": ";", "：": ":", "（": "(", "）": ")",
    "＝": "=",
    "\u{A0}": " ", "\u{2009}": "\\,", "\u{202F}": "\\,", "．": ".", "％": "%", "ℝ": "\\mathbb{R}",
    "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "∠": "\\angle ",
  ]

  /// A text with Unicode's signs in LaTeX's spelling, and backslashes that were escaped twice halved.
  static func plain(_ text: String) -> String {
    var result = ""
    result.unicodeScalars.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      if scalar.isASCII {
        result.unicodeScalars.append(scalar)
      } else if let spelling = unicode[scalar] {
        result += spelling
      } else if ("\u{FF10}"..."\u{FF19}").contains(scalar),
        let digit = scalar.properties.numericType,
        digit == .decimal, let value = scalar.properties.numericValue
      {
        result += String(Int(value))
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    // Braces that keep TeX from setting space around it: 1{:}30.
    result = result.replacing("{:}", with: ":")
    return isEscapedTwice(result) ? result.replacing("\\\\", with: "\\") : result
  }

  /// Every run of backslashes is even, and one of them stands before a command: JSON in JSON.
  private static func isEscapedTwice(_ text: String) -> Bool {
    var run = 0
    var isBeforeCommand = false
    for scalar in text.unicodeScalars {
      if scalar == "\\" {
        run += 1
        continue
      }
      if run % 2 == 1 { return false }
      if run > 0, scalar.properties.isAlphabetic { isBeforeCommand = true }
      run = 0
    }
    return isBeforeCommand && run % 2 == 0
  }
}
