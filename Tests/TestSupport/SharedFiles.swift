import Foundation

/// Real inputs and golden numbers that lie beside the checkout, and are absent from a user's clone.
public enum SharedFiles {
  /// The folder `shared` beside the package, where it exists.
  public static let folder: URL? = {
    let package = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let shared = package.deletingLastPathComponent().appendingPathComponent("shared")
    return FileManager.default.fileExists(atPath: shared.path) ? shared : nil
  }()

  /// Whether a path below `shared` exists; the condition of tests that need it.
  public static func has(_ path: String) -> Bool {
    guard let folder else { return false }
    return FileManager.default.fileExists(atPath: folder.appendingPathComponent(path).path)
  }

  /// The location of a path below `shared`.
  public static func url(_ path: String) -> URL {
    (folder ?? URL(fileURLWithPath: "/nonexistent")).appendingPathComponent(path)
  }
}
