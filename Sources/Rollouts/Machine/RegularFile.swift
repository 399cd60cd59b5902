import Foundation

/// What a path names: opening a named pipe waits for whoever holds its other end, for ever if nobody does.
public enum RegularFile {
  /// Why what lies at a path can't be read like a file, as a clause; nil where it can, and where nothing lies there.
  public static func fault(at path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return nil
    case S_IFDIR: return "is a folder, where a file was expected"
    case S_IFIFO: return "is a named pipe, where a file was expected"
    default: return "is a device or a socket, where a file was expected"
    }
  }

  /// The bytes of a regular file; nil where it is none, or can't be read.
  public static func bytes(at url: URL) -> Data? {
    fault(at: url.path) == nil ? try? Data(contentsOf: url) : nil
  }
}
