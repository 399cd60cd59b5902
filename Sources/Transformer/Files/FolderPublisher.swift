import Foundation

/// Folders that appear whole or not at all: checkpoints and final models.
public enum FolderPublisher {
  /// Fills a folder aside, `name.partial`, syncs everything in it and renames it into place.
  ///
  /// What an interrupted run left aside is removed first. Where the body throws, or the disk is
  /// full, the folder aside is removed and a folder that was in place is untouched.
  /// - Parameters:
  ///   - url: where the folder is to appear; its parent must exist.
  ///   - replacing: whether a folder that is there already is exchanged for the new one, in one
  ///     step where the file system can.
  ///   - fill: writes the files; gets the folder aside.
  /// - Throws: `FileError` (the code is EEXIST where the folder is there and not to be replaced),
  ///   or what `fill` throws.
  public static func publish(
    to url: URL, replacing: Bool = false, fill: (URL) throws -> Void
  ) throws {
    let aside = URL(fileURLWithPath: url.path + ".partial", isDirectory: true)
    if !replacing, WholeFile.exists(url) {
      throw FileError(path: url.path, action: "make the folder", code: EEXIST)
    }
    try remove(aside)
    do {
      guard mkdir(aside.path, 0o777) == 0 else {
        throw FileError(path: url.path, action: "make the folder", code: errno)
      }
      try fill(aside)
      try syncTree(aside)
      try moveIntoPlace(aside, url)
    } catch {
      try? remove(aside)
      throw error
    }
  }

  /// Makes good what a kill left between the renames of an exchange: a folder that stands aside as
  /// `name.old` is put back where its successor has no place yet, and removed where it has.
  public static func recover(_ url: URL) {
    let old = URL(fileURLWithPath: url.path + oldEnding)
    guard WholeFile.exists(old) else { return }
    if WholeFile.exists(url) { try? remove(old) } else { rename(old.path, url.path) }
  }

  /// What the name of a folder ends in while its successor takes its place.
  public static let oldEnding = ".old"

  private static func moveIntoPlace(_ aside: URL, _ url: URL) throws(FileError) {
    do throws(SystemFailure) {
      if WholeFile.exists(url) {
        try exchange(aside, url)
      } else {
        try FileDescriptor.check(rename(aside.path, url.path))
      }
      try AtomicFile.syncFolder(url.deletingLastPathComponent())
    } catch {
      throw FileError(path: url.path, action: "put the folder in place", code: error.code)
    }
    try remove(aside)
  }

  /// Exchanges two folders in one step; where the file system can't, the old one stands aside as
  /// `name.old` for the moment between two renames.
  private static func exchange(_ aside: URL, _ url: URL) throws(SystemFailure) {
    let code = exchangeInOneStep(aside.path, url.path)
    if code == 0 { return }
    guard [EINVAL, ENOSYS, ENOTSUP].contains(code) else { throw SystemFailure(code: code) }
    let old = url.path + oldEnding
    try FileDescriptor.check(rename(url.path, old))
    guard rename(aside.path, url.path) == 0 else {
      let code = errno
      rename(old, url.path)
      throw SystemFailure(code: code)
    }
    try FileDescriptor.check(rename(old, aside.path))
  }

  /// Calls `renameat2`, which glibc hides from Swift behind a feature macro; 0 or an error number.
  private static func exchangeInOneStep(_ left: String, _ right: String) -> Int32 {
    typealias RenameAt2 =
      @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
    guard let symbol = dlsym(nil, "renameat2") else { return ENOSYS }
    let exchangeFlag: UInt32 = 2
    // The signature is that of renameat2(2), part of the kernel's stable interface.
    let renameAt2 = unsafeBitCast(symbol, to: RenameAt2.self)
    return renameAt2(AT_FDCWD, left, AT_FDCWD, right, exchangeFlag) == 0 ? 0 : errno
  }

  private static func remove(_ url: URL) throws(FileError) {
    guard WholeFile.exists(url) else { return }
    do { try FileManager.default.removeItem(at: url) } catch {
      throw FileError(path: url.path, action: "remove the unfinished folder", code: errno)
    }
  }

  /// Syncs every file and folder below a folder, and the folder itself.
  private static func syncTree(_ folder: URL) throws(FileError) {
    let contents: [URL]
    do {
      contents = try FileManager.default.contentsOfDirectory(
        at: folder, includingPropertiesForKeys: [.isDirectoryKey])
    } catch { throw FileError(path: folder.path, action: "list the folder", code: errno) }
    for item in contents {
      if (try? item.resourceValues(forKeys: [.isDirectoryKey]))?.isDirectory == true {
        try syncTree(item)
      } else {
        try sync(item) { () throws(SystemFailure) in
          try FileDescriptor.reading(item.path).sync()
        }
      }
    }
    try sync(folder) { () throws(SystemFailure) in try AtomicFile.syncFolder(folder) }
  }

  private static func sync(
    _ url: URL, _ body: () throws(SystemFailure) -> Void
  ) throws(FileError) {
    do throws(SystemFailure) { try body() } catch {
      throw FileError(path: url.path, action: "sync", code: error.code)
    }
  }
}
