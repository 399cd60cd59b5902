import Foundation

extension SHA256 {
  /// The digest of a file's bytes, read in pieces of 1 MiB.
  /// - Throws: `FileReadError` where it can't be read.
  public static func digest(ofFile path: String) throws(FileReadError) -> Digest {
    var hash = SHA256()
    var file = try FileReader(path)
    while try file.readPiece() { hash.update(file.piece) }
    return hash.finalize()
  }
}

/// A file that can't be read, and why.
public struct FileReadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The path as it was given.
  public var path: String
  /// Why, as a clause.
  public var reason: String

  /// The path and the reason.
  public var description: String { "\(path): \(reason)" }
}

/// A file read from its beginning in pieces, whatever its length; also a pipe.
package struct FileReader: ~Copyable {
  /// The piece that was read last.
  package private(set) var piece: [UInt8] = []
  /// What came while a pipe's writer was waited for.
  private var first: [UInt8] = []
  private let path: String
  private let descriptor: Int32

  static let pieceLength = 1 << 20

  /// Opens a file, or a pipe.
  /// - Parameter patience: For how many seconds a named pipe may be without a writer.
  /// - Throws: `FileReadError`, also for a folder and for a named pipe that nobody writes to.
  package init(_ path: String, patience: Double = 10) throws(FileReadError) {
    self.path = path
    // Opening a named pipe would wait for a writer, for ever if there is none.
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw FileReadError(path: path, reason: Self.systemReason(errno))
    }
    var status = stat()
    fstat(descriptor, &status)
    if let kind = Self.unreadableKind(status.st_mode, descriptor) {
      close(descriptor)
      throw FileReadError(path: path, reason: "is a \(kind), where a file was expected")
    }
    let isPipe = status.st_mode & S_IFMT == S_IFIFO
    // What a shell passes by <(…) or by | has had its writer from the beginning.
    let isNamed = !path.hasPrefix("/dev/") && !path.hasPrefix("/proc/")
    if isPipe, isNamed {
      guard let first = Self.awaitWriter(of: descriptor, patience: patience) else {
        close(descriptor)
        throw FileReadError(path: path, reason: "is a named pipe that nobody writes to")
      }
      self.first = first
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
  }

  /// What has no end, or no text: a folder, a socket, a disk, a device such as /dev/zero.
  ///
  /// Nil for what can be read:
  /// a file, a pipe, a terminal, /dev/null.
  private static func unreadableKind(_ mode: mode_t, _ descriptor: Int32) -> String? {
    switch mode & S_IFMT {
    case S_IFDIR: return "folder"
    case S_IFBLK: return "disk"
    case S_IFSOCK: return "socket"
    case S_IFCHR where isatty(descriptor) == 0:
      // What has nothing to give is empty; what gives at once, and is not a terminal, gives for ever.
      var byte: UInt8 = 0
      return read(descriptor, &byte, 1) > 0 ? "device" : nil
    default: return nil
    }
  }

  /// The bytes of a small file, or of a pipe.
  /// - Throws: `FileReadError`, also for more than `limit` bytes.
  package static func bytes(
    of path: String, limit: Int, patience: Double = 10
  ) throws(FileReadError) -> [UInt8] {
    var reader = try FileReader(path, patience: patience)
    var bytes: [UInt8] = []
    while try reader.readPiece() {
      bytes += reader.piece
      guard bytes.count <= limit else {
        throw FileReadError(
          path: path, reason: "is longer than the \(limit >> 20) MiB that are read")
      }
    }
    return bytes
  }

  /// Waits until a pipe has a writer and gives what it has written so far; nil where none came.
  private static func awaitWriter(of descriptor: Int32, patience: Double) -> [UInt8]? {
    let deadline = Date() + patience
    while true {
      var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let hasNews = poll(&question, 1, 50) > 0
      var failure: Int32 = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: pieceLength) { buffer, count in
        let read = read(descriptor, buffer.baseAddress, buffer.count)
        failure = read < 0 ? errno : 0
        count = max(0, read)
      }
      // No bytes and no complaint: there is no writer; news of that means that one came and went.
      if !bytes.isEmpty || failure == EAGAIN || hasNews && failure == 0 { return bytes }
      if Date() >= deadline { return nil }
    }
  }

  deinit { close(descriptor) }

  /// Reads the next piece; false at the end.
  package mutating func readPiece() throws(FileReadError) -> Bool {
    if !first.isEmpty {
      piece = first
      first = []
      return true
    }
    while true {
      var failure: Int32 = 0
      piece = [UInt8](unsafeUninitializedCapacity: Self.pieceLength) { buffer, count in
        let read = read(descriptor, buffer.baseAddress, buffer.count)
        failure = read < 0 ? errno : 0
        count = max(0, read)
      }
      if failure == 0 { return !piece.isEmpty }
      if failure != EINTR {
        throw FileReadError(path: path, reason: Self.systemReason(failure))
      }
    }
  }

  private static func systemReason(_ number: Int32) -> String {
    switch number {
    case ENOENT, ENOTDIR: "there is no such file"
    case EACCES, EPERM: "may not be read; look at its permissions"
    default: "can't be read: " + String(cString: strerror(number)).lowercased()
    }
  }
}
