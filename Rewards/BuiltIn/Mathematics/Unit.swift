// Names of units, so that cm and centimetres are one and cm and m are two.

/// Units that may follow a number.
enum Unit {
  static let percents: Set<String> = ["%", "percent"]

  private static let names: [String: [String]] = [
    "percent": ["percent", "percentage", "pct", "per cent", "%"],
    "°": ["degree", "degrees", "deg"],
    "mm": ["mm", "millimeter", "millimeters", "millimetre", "millimetres"],
    "cm": ["cm", "centimeter", "centimeters", "centimetre", "centimetres"],
    "m": ["m", "meter", "meters", "metre", "metres"],
    "km": ["km", "kilometer", "kilometers", "kilometre", "kilometres"],
    "in": ["in", "inch", "inches"], "ft": ["ft", "foot", "feet"], "yd": ["yd", "yard", "yards"],
    "mi": ["mi", "mile", "miles"], "mg": ["mg", "milligram", "milligrams"],
    "g": ["g", "gram", "grams"], "kg": ["kg", "kilogram", "kilograms"],
    "lb": ["lb", "lbs", "pound", "pounds"], "oz": ["oz", "ounce", "ounces"],
    "ml": ["ml", "mL", "milliliter", "milliliters"], "l": ["l", "L", "liter", "liters", "litres"],
    "s": ["s", "sec", "secs", "second", "seconds"], "min": ["min", "mins", "minute", "minutes"],
    "h": ["h", "hr", "hrs", "hour", "hours"], "day": ["day", "days"], "week": ["week", "weeks"],
    "month": ["month", "months"], "year": ["year", "years", "yr", "yrs"],
    "mph": ["mph", "miles per hour"], "km/h": ["km/h", "kph", "kilometers per hour"],
    "cent": ["cent", "cents"], "dollar": ["dollar", "dollars", "usd"],
    "euro": ["euro", "euros", "eur"],
    "yuan": ["yuan"], "rad": ["rad", "radian", "radians"], "J": ["J", "joule", "joules"],
    "N": ["N", "newton", "newtons"], "W": ["W", "watt", "watts"], "V": ["V", "volt", "volts"],
    "Hz": ["Hz", "hertz"], "K": ["K", "kelvin"], "Pa": ["Pa"], "mol": ["mol", "mole", "moles"],
  ]

  private static let canonicalNames: [String: String] = {
    var result: [String: String] = [:]
    for (canonical, spellings) in names {
      for spelling in spellings { result[spelling] = canonical }
    }
    return result
  }()

  static func isKnown(_ word: String) -> Bool { canonical(word) != "?" }

  /// The canonical name of a unit, as cm^2 of "square centimeters"; "?" of another word.
  static func canonical(_ text: String) -> String {
    let word = text.filter { $0 != "~" && $0 != "." && $0 != "\\" }.trimmed()
    if let name = canonicalNames[word] ?? canonicalNames[word.lowercased()] { return name }
    for (prefix, power) in [("square ", 2), ("cubic ", 3), ("sq ", 2), ("cu ", 3)]
    where word.lowercased().hasPrefix(prefix) {
      let base = canonical(String(word.dropFirst(prefix.count)))
      return base == "?" ? "?" : "\(base)^\(power)"
    }
    // m/s, cm^2, kg·m
    var (parts, part) = ([String](), "")
    for character in word {
      if "/·^ ".contains(character) {
        parts += [part, String(character)]
        part = ""
      } else {
        part.append(character)
      }
    }
    parts.append(part)
    guard parts.count >= 3, parts.count <= 15 else { return "?" }
    var result = ""
    for (index, piece) in parts.enumerated() {
      if index % 2 == 1 {
        result += piece == " " ? "·" : piece
      } else if let name = canonicalNames[piece] ?? canonicalNames[piece.lowercased()] {
        result += name
      } else if index > 0, parts[index - 1] == "^", Int(piece) != nil {
        result += piece
      } else {
        return "?"
      }
    }
    return result
  }

  /// Whether two units are known and not the same.
  static func differ(_ a: String?, _ b: String?) -> Bool {
    guard let a, let b, a != "?", b != "?" else { return false }
    return a != b
  }
}
