import Foundation

/// A file that could not be written, and why the system refused.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file or folder that was to appear.
  public var path: String
  /// What was being done: "write", "rename".
  public var action: String
  /// The system's error number.
  public var code: Int32

  /// Makes an error of the system's error number.
  public init(path: String, action: String, code: Int32) {
    self.path = path
    self.action = action
    self.code = code
  }

  /// Whether the disk, a quota or a limit on file sizes is exhausted.
  public var isDiskFull: Bool { [ENOSPC, EDQUOT, EFBIG].contains(code) }

  /// The fault with its place and, for a full disk, what to do.
  public var description: String {
    let (reason, remedy) =
      switch code {
      case EFBIG:
        (
          "the file would be larger than the limit that is set (ulimit -f)",
          "; nothing was left behind: raise the limit and run again"
        )
      case _ where isDiskFull:
        ("no space left", "; nothing was left behind: free some space and run again")
      default: (systemMessage(code), "")
      }
    return "\(path): can't \(action): \(reason)\(remedy)"
  }
}

/// The system's sentence for an error number, in lower case at its start.
func systemMessage(_ code: Int32) -> String {
  let text = String(cString: strerror(code))
  return text.prefix(1).lowercased() + text.dropFirst()
}
