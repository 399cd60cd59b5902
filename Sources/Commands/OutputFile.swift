import Foundation
import Transformer

/// A file that a user names to be written.
///
/// It appears whole or not at all, written aside and renamed. What is not a regular file (`/dev/null`, a pipe, a
/// terminal) is written to where it stands: renaming would put a file in its place. A link is followed.
struct OutputFile {
  /// Where the file is, links followed.
  let path: String
  /// Whether it is written to where it stands.
  let isDevice: Bool

  /// Looks at what is there.
  init(_ name: String) {
    path = URL(fileURLWithPath: name).resolvingSymlinksInPath().path
    var status = stat()
    // The name itself: behind /dev/stdout stands what has no path.
    let isThere = stat(name, &status) == 0
    isDevice = isThere && ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
    device = name
  }

  private let device: String

  /// Where writing goes on until the file is whole.
  var partialPath: String { isDevice ? device : path + ".partial" }

  /// Opens what is not a regular file; a named pipe must get its reader within ten seconds.
  /// - Throws: `RunFailure`.
  func openDevice() throws -> FileHandle {
    let deadline = Date() + 10
    while true {
      // Opening a pipe would wait for a reader, for ever if none comes.
      let descriptor = open(device, O_WRONLY | O_CLOEXEC | O_NONBLOCK)
      if descriptor >= 0 {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      }
      guard errno == ENXIO, Date() < deadline else {
        let reason = errno == ENXIO ? "nobody reads from it" : String(cString: strerror(errno))
        throw RunFailure("\(device) can't be written: \(reason)")
      }
      usleep(20_000)
    }
  }

  /// Writes a text as the whole file.
  /// - Throws: `RunFailure` saying why it can't be written.
  func write(_ text: String) throws {
    do {
      guard isDevice else { return try AtomicFile.write(text, to: URL(fileURLWithPath: path)) }
      let handle = try openDevice()
      try handle.write(contentsOf: Data(text.utf8))
      try handle.close()
    } catch let failure as RunFailure {
      throw failure
    } catch {
      throw RunFailure("\(device) could not be written: \(error)")
    }
  }
}
