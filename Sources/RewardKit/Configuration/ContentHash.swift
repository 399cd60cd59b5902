import Foundation
import Rollouts

/// What a plugin is made of, as a hash: its scores are comparable while the hash is equal.
enum ContentHash {
  /// The hash of files' contents and of texts.
  static func of(files: [String], and texts: [String]) -> String {
    var hash = SHA256()
    for text in texts { hash.update(Array(text.utf8) + [0]) }
    for file in files { update(&hash, file: file) }
    return hash.finalize().hexadecimal
  }

  /// The hash of every file in a folder, names included, hidden ones left out.
  static func of(folder: String) -> String {
    var hash = SHA256()
    let root = URL(fileURLWithPath: folder).resolvingSymlinksInPath()
    let files = FileManager.default.enumerator(
      at: root, includingPropertiesForKeys: [.isRegularFileKey], options: [.skipsHiddenFiles])
    let urls = (files?.compactMap { $0 as? URL } ?? []).sorted { $0.path < $1.path }
    for url in urls
    where (try? url.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true {
      hash.update(Array(url.path.dropFirst(root.path.count).utf8) + [0])
      update(&hash, file: url.path)
    }
    return hash.finalize().hexadecimal
  }

  private static func update(_ hash: inout SHA256, file: String) {
    guard let handle = FileHandle(forReadingAtPath: file) else { return }
    defer { try? handle.close() }
    while let data = try? handle.read(upToCount: 1 << 20), !data.isEmpty {
      hash.update(Array(data))
    }
  }
}
