import Foundation

/// A file under way, written aside as `name.partial` until it is whole and on the disk.
///
/// Given up, it leaves nothing behind.
struct PartialFile: ~Copyable {
  let path: String
  private let file: FileDescriptor
  private var isPublished = false

  private var partialPath: String { path + ".partial" }

  /// Makes the file aside, replacing what an interrupted run left there.
  init(_ url: URL) throws(FileError) {
    path = url.path
    do throws(SystemFailure) {
      file = try FileDescriptor.writing(url.path + ".partial")
    } catch {
      throw FileError(path: url.path, action: "make the file", code: error.code)
    }
  }

  deinit { if !isPublished { unlink(path + ".partial") } }

  /// Reserves space for all that will be written.
  func reserve(_ byteCount: Int) throws(FileError) {
    do throws(SystemFailure) { try file.reserve(byteCount) } catch {
      throw FileError(path: path, action: "reserve \(byteCount) bytes", code: error.code)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    do throws(SystemFailure) { try append(bytes) } catch {
      throw FileError(path: path, action: "write", code: error.code)
    }
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws(SystemFailure) { try file.write(bytes) }

  /// Syncs the file, renames it into place and syncs the folder.
  consuming func publish() throws(FileError) {
    do throws(SystemFailure) {
      try file.sync()
      try FileDescriptor.check(rename(partialPath, path))
      isPublished = true
      try AtomicFile.syncFolder(URL(fileURLWithPath: path).deletingLastPathComponent())
    } catch {
      throw FileError(path: path, action: "put the file in place", code: error.code)
    }
  }
}
