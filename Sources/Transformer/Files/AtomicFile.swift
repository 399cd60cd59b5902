import Foundation

/// Files that appear whole or not at all, and survive a loss of power once they appeared.
public enum AtomicFile {
  /// Writes a file aside, syncs it, renames it into place and syncs the folder.
  /// - Throws: `FileError`; then the old file, if any, is untouched and nothing new is left.
  public static func write(_ bytes: some Sequence<UInt8>, to url: URL) throws(FileError) {
    let array = (bytes as? [UInt8]) ?? Array(bytes)
    let file = try PartialFile(url)
    let result: Result<Void, FileError> = array.withUnsafeBytes { buffer in
      do throws(FileError) { return .success(try file.write(buffer)) } catch {
        return .failure(error)
      }
    }
    try result.get()
    try file.publish()
  }

  /// Writes a text, as `write(_:to:)` does, in UTF-8.
  public static func write(_ text: String, to url: URL) throws(FileError) {
    try write(Array(text.utf8), to: url)
  }

  /// Writes a text as `write(_:to:)` does, but never over a file that is there: of several processes that try at
  /// once, one succeeds.
  /// - Parameter named: Called when the file has its name, and is still there under that of the file aside.
  /// - Returns: Whether the file is this text's.
  public static func create(
    _ text: String, at url: URL, named: () -> Void = {}
  ) throws(FileError) -> Bool {
    // Not a process's number: of two containers that share a folder, both may be process 1.
    let aside = URL(fileURLWithPath: "\(url.path).\(UUID().uuidString).partial")
    do { try write(text, to: aside) } catch {
      // Whoever has the file may remove what others wrote aside.
      if WholeFile.exists(url) { return false }
      throw error
    }
    defer { unlink(aside.path) }
    var code = link(aside.path, url.path) == 0 ? 0 : errno
    if code == EPERM || code == ENOTSUP || code == ENOSYS {
      // The file system has no links: between this look and the renaming another may come first.
      code = WholeFile.exists(url) ? EEXIST : rename(aside.path, url.path) == 0 ? 0 : errno
    }
    if code == EEXIST || code == ENOENT && WholeFile.exists(url) { return false }
    guard code == 0 else { throw FileError(path: url.path, action: "make the file", code: code) }
    named()
    do throws(SystemFailure) { try syncFolder(url.deletingLastPathComponent()) } catch {
      throw FileError(path: url.path, action: "make the file", code: error.code)
    }
    return true
  }

  /// Copies a regular file, links followed, as durably as `write(_:to:)`.
  public static func copy(_ source: URL, to target: URL) throws(FileError) {
    let output = try PartialFile(target)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    do throws(SystemFailure) {
      let input = try FileDescriptor.reading(source.path)
      let size = try input.size()
      var done = 0
      while done < size {
        let part = UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<min(buffer.count, size - done)])
        try input.read(into: part, at: done)
        try output.append(UnsafeRawBufferPointer(part))
        done += part.count
      }
    } catch {
      throw FileError(path: target.path, action: "copy \(source.path)", code: error.code)
    }
    try output.publish()
  }

  static func syncFolder(_ url: URL) throws(SystemFailure) {
    try FileDescriptor.folder(url.path).sync()
  }
}
