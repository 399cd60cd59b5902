import Foundation

/// Makes new logs aside: they appear whole, or not at all.
enum AsideLog {
  /// Lets a body fill a log in a folder of its own beside `url`, and gives it its name.
  /// - Throws: `StoreError` where a file is there already, or what the body throws; then nothing is left.
  static func make<Result>(
    _ url: URL, _ fill: (URL) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    guard !FileManager.default.fileExists(atPath: url.path) else {
      throw StoreError(.refused, "There is already a file at \(url.path).")
    }
    let folder = url.deletingLastPathComponent()
    let aside = folder.appendingPathComponent(
      ".making-\(ProcessInfo.processInfo.processIdentifier)-\(url.lastPathComponent)")
    do {
      try FileManager.default.createDirectory(at: aside, withIntermediateDirectories: true)
    } catch {
      throw StoreError(.unreachable, "The folder \(folder.path) can't be written.")
    }
    defer { try? FileManager.default.removeItem(at: aside) }
    let partial = aside.appendingPathComponent("log.sqlite")
    let result = try fill(partial)
    // A link, unlike a renaming, never takes the place of a file that came meanwhile; where the file
    // system has none, the renaming does.
    let isNamed = link(partial.path, url.path) == 0
    guard isNamed || errno != EEXIST else {
      throw StoreError(.refused, "There is already a file at \(url.path).")
    }
    guard isNamed || rename(partial.path, url.path) == 0 else {
      throw StoreError(.unreachable, "The log \(url.path) can't be written.")
    }
    return result
  }
}
