#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How much room a file system has.
public enum DiskSpace {
  /// The bytes that this user may still write where a path lies or would lie.
  ///
  /// A path that does not exist yet is judged by the nearest folder above it that does; nil where
  /// the system does not tell.
  public static func available(at path: String) -> Int? {
    var path = path.isEmpty ? "." : path
    while true {
      var status = statvfs()
      if statvfs(path, &status) == 0 {
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(
          by: UInt64(status.f_frsize))
        return overflow ? Int.max : Int(clamping: bytes)
      }
      guard errno == ENOENT || errno == ENOTDIR, path != "/", path != "." else { return nil }
      path = parent(of: path)
    }
  }

  private static func parent(of path: String) -> String {
    var parts = path.split(separator: "/")
    parts.removeLast()
    return path.hasPrefix("/")
      ? "/" + parts.joined(separator: "/")
      : parts.isEmpty ? "." : parts.joined(separator: "/")
  }
}
