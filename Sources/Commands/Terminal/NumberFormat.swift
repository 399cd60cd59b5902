import Foundation
import Rollouts

/// Numbers as people read them, the same in every language setting.
enum NumberFormat {
  /// A whole number with thin groups: 1,234,567.
  static func grouped(_ value: Int) -> String {
    var text = ""
    let digits = String(value.magnitude)
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return value < 0 ? "-" + text : text
  }

  /// A number to `digits` after the point.
  static func fixed(_ value: Double, _ digits: Int = 3) -> String {
    guard value.isFinite else { return "\(value)" }
    let text = String(format: "%.\(digits)f", value)
    // No negative zero: it says nothing and catches the eye.
    return text.hasPrefix("-") && !text.contains { "123456789".contains($0) }
      ? String(text.dropFirst()) : text
  }

  /// A number to `digits` significant digits, with an exponent where it is very small or large.
  static func significant(_ value: Double, _ digits: Int = 4) -> String {
    value.isFinite ? String(format: "%.\(digits)g", value) : "\(value)"
  }

  /// A share as a percentage: 0.1234 is "12.3%".
  static func percent(_ share: Double) -> String {
    share.isFinite ? fixed(100 * share, 1) + "%" : "\(share)"
  }

  /// Bytes in binary units: "995 MiB".
  static func bytes(_ count: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    var value = Double(count)
    var unit = 0
    while abs(value) >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return (unit == 0 || abs(value) >= 100 ? fixed(value, 0) : fixed(value, 1)) + " " + units[unit]
  }

  /// A time in seconds as people say it: "1.24 s", "3 min 05 s", "2 h 07 min".
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, abs(seconds) < 1e9 else { return "\(seconds) s" }
    switch seconds {
    case ..<0: return "-" + duration(-seconds)
    case ..<0.0995: return significant(seconds * 1000, 3) + " ms"
    case ..<9.995: return fixed(seconds, 2) + " s"
    case ..<59.5: return fixed(seconds, 0) + " s"
    case ..<3599.5:
      let whole = Int(clamping: seconds.rounded())
      return "\(whole / 60) min \(twoDigits(whole % 60)) s"
    default:
      let minutes = Int(clamping: (seconds / 60).rounded())
      return "\(minutes / 60) h \(twoDigits(minutes % 60)) min"
    }
  }

  private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
