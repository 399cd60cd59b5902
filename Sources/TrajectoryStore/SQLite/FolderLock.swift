import Foundation

/// The right to write what is in a folder, held by one process at a time.
///
/// An advisory `flock` on the folder itself: it leaves no file behind, and the kernel releases it
/// however the process ends. WAL mode needs a local file system anyway, where `flock` works.
final class FolderLock {
  private let descriptor: Int32

  /// Takes the lock of a folder, or refuses at once.
  init(folder: String) throws(StoreError) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw StoreError(
        .unreachable,
        "The folder \(folder) can't be opened (\(String(cString: strerror(errno)))).")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      if code == EWOULDBLOCK {
        throw StoreError(
          .busy, "Another process is writing the run in \(folder).",
          remedy: "Wait until it ends, or stop it, or choose another run folder.")
      }
      throw StoreError(
        .unreachable,
        "The folder \(folder) can't be locked (\(String(cString: strerror(code)))).")
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }
}
