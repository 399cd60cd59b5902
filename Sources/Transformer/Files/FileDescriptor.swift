import Foundation

/// An open file that closes itself; the only place where this module calls the system to read,
/// write and sync.
///
/// Short reads and writes and interruptions by signals are dealt with here.
struct FileDescriptor: ~Copyable, Sendable {
  let number: Int32

  private init(number: Int32) { self.number = number }

  deinit { close(number) }

  /// Opens a regular file for reading; a pipe or a device is refused, never waited for.
  static func reading(_ path: String) throws(SystemFailure) -> FileDescriptor {
    // O_NONBLOCK only so that a FIFO that nobody writes to can't hang the open.
    let file = FileDescriptor(number: try check(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)))
    guard try file.status().st_mode & S_IFMT == S_IFREG else { throw SystemFailure(code: EINVAL) }
    return file
  }

  /// Makes a file, or empties the one that an interrupted run left.
  static func writing(_ path: String) throws(SystemFailure) -> FileDescriptor {
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW
    return FileDescriptor(number: try check(open(path, flags, 0o666)))
  }

  /// Opens a folder, so that it can be synced.
  static func folder(_ path: String) throws(SystemFailure) -> FileDescriptor {
    FileDescriptor(number: try check(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)))
  }

  private func status() throws(SystemFailure) -> stat {
    var status = stat()
    try Self.check(fstat(number, &status))
    return status
  }

  /// The file's size in bytes.
  func size() throws(SystemFailure) -> Int { Int(try status().st_size) }

  /// Reserves space for the file's bytes where the file system can, so that a full disk shows
  /// before gigabytes are written.
  func reserve(_ byteCount: Int) throws(SystemFailure) {
    guard byteCount > 0 else { return }
    let code = posix_fallocate(number, 0, off_t(byteCount))
    if [ENOSPC, EDQUOT, EFBIG].contains(code) { throw SystemFailure(code: code) }
  }

  /// Reads exactly as many bytes as the buffer holds, from a place in the file.
  /// - Throws: `SystemFailure` with code 0 where the file ends too early.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemFailure) {
    var done = 0
    while done < buffer.count {
      let count = pread(
        number, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if count == 0 { throw SystemFailure(code: 0) }
      if count > 0 { done += count } else if errno != EINTR { throw SystemFailure(code: errno) }
    }
  }

  /// Writes all bytes at the file's end.
  func write(_ buffer: UnsafeRawBufferPointer) throws(SystemFailure) {
    var done = 0
    while done < buffer.count {
      let count = Foundation.write(number, buffer.baseAddress! + done, buffer.count - done)
      if count >= 0 { done += count } else if errno != EINTR { throw SystemFailure(code: errno) }
    }
  }

  /// Waits until the bytes are on the disk; file systems that can't sync a folder are forgiven.
  func sync() throws(SystemFailure) {
    while fsync(number) != 0 {
      if errno == EINVAL || errno == ENOTSUP { return }
      if errno != EINTR { throw SystemFailure(code: errno) }
    }
  }

  @discardableResult
  static func check(_ result: Int32) throws(SystemFailure) -> Int32 {
    guard result >= 0 else { throw SystemFailure(code: errno) }
    return result
  }
}

/// The error number of a system call that failed; 0 where a file ended too early.
struct SystemFailure: Error {
  var code: Int32

  /// The failure as a clause for a message about a file that was to be read.
  var readingReason: String {
    switch code {
    case 0: "the file ended while it was read (is another program writing it?)"
    case ENOENT: "there is no such file"
    case EINVAL: "is not a regular file"
    default: "can't be read: \(systemMessage(code))"
    }
  }
}
