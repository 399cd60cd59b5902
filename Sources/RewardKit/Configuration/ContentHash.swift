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
  ///
  /// A link counts as what it leads to, wherever that is, so that a change there is a change here.
  static func of(folder: String) -> String {
    var hash = SHA256()
    let root = URL(fileURLWithPath: folder).resolvingSymlinksInPath()
    var seen: Set<String> = [root.path]
    update(&hash, folder: root.path, name: "", &seen)
    return hash.finalize().hexadecimal
  }

  /// Takes in a folder's entries by name; a folder that several links lead to is read once, a circle too.
  private static func update(
    _ hash: inout SHA256, folder: String, name: String, _ seen: inout Set<String>
  ) {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    for entry in entries.sorted() where !entry.hasPrefix(".") {
      let path = URL(fileURLWithPath: "\(folder)/\(entry)").resolvingSymlinksInPath().path
      let inner = "\(name)/\(entry)"
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { continue }
      if isFolder.boolValue {
        if seen.insert(path).inserted { update(&hash, folder: path, name: inner, &seen) }
      } else if isRegularFile(path) {
        hash.update(Array(inner.utf8) + [0])
        update(&hash, file: path)
      }
    }
  }

  /// Whether a path is a file that ends: reading a named pipe would wait for ever.
  private static func isRegularFile(_ path: String) -> Bool {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return attributes?[.type] as? FileAttributeType == .typeRegular
  }

  private static func update(_ hash: inout SHA256, file: String) {
    guard var reader = try? FileReader(file, patience: 0) else { return }
    while (try? reader.readPiece()) == true { hash.update(reader.piece) }
  }
}
