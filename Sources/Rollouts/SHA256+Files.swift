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
struct FileReader: ~Copyable {
  /// The piece that was read last.
  private(set) var piece: [UInt8] = []
  private let path: String
  private let descriptor: Int32

  static let pieceLength = 1 << 20

  init(_ path: String) throws(FileReadError) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FileReadError(path: path, reason: Self.systemReason(errno))
    }
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      close(descriptor)
      throw FileReadError(path: path, reason: "is a folder, where a file was expected")
    }
  }

  deinit { close(descriptor) }

  /// Reads the next piece; false at the end.
  mutating func readPiece() throws(FileReadError) -> Bool {
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
