/// A Python function as a setting names it.
///
/// `rewards.py:accuracy`, `trl.rewards.accuracy_reward`, `open_r1.rewards:format_reward`; the function may be
/// a call with literals that makes one, `trl.rewards.get_soft_overlong_punishment(256, 64)`.
struct PythonFunction: Sendable, Equatable {
  /// The file's path, which ends in `.py`, or the module's dotted name.
  var target: String
  /// The name in it, dotted or called; empty for the one reward function of a file.
  var function: String

  /// The function's name without what it is called with; the file's where none is named.
  var name: String {
    let path = function.isEmpty ? target.dropLast(3) : Self.head(of: function)
    return path.split(separator: function.isEmpty ? "/" : ".").last.map(String.init) ?? String(path)
  }

  /// The one reward function of a file.
  init(file path: String) {
    target = path
    function = ""
  }

  /// The function of a file, `path.py:function`; nil where the words name none.
  init?(ofFile use: String) {
    let head = Self.head(of: use)
    guard let end = head.ranges(of: ".py:").last?.upperBound else { return nil }
    target = String(use[..<use.index(before: end)])
    function = String(use[end...])
    guard !function.isEmpty, !head[end...].contains("/") else { return nil }
  }

  /// The function of a module that Python finds, `package.module.function` or `module:function`; nil where
  /// the words are no such name.
  init?(ofModule use: String) {
    let head = Self.head(of: use)
    let parts = head.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.allSatisfy(Self.isDottedName) else { return nil }
    guard let mark = parts.count == 2 ? head.lastIndex(of: ":") : head.lastIndex(of: ".") else {
      return nil
    }
    target = String(use[..<mark])
    function = String(use[use.index(after: mark)...])
    // A file that isn't there is no module: its ending says what it was to be.
    guard parts.count == 2 || !Self.endings.contains(function) else { return nil }
  }

  private static let endings: Set<String> = ["py", "sh", "pl", "rb", "js", "swift", "exe"]

  /// What stands before the parenthesis of a call.
  private static func head(of text: String) -> Substring { text.prefix { $0 != "(" } }

  private static func isDottedName(_ text: Substring) -> Bool {
    text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
      guard let first = part.first, first.isLetter || first == "_" else { return false }
      return part.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }
  }
}
