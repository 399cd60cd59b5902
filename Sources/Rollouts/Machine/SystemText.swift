#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Reading the small text files in which the kernel tells about itself.
enum SystemText {
  /// The text of a file of `/proc` or `/sys`; nil where it can't be read.
  static func contents(of path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while text.count < 1 << 20 {
      let count = read(file, &chunk, chunk.count)
      if count == 0 { break }
      if count > 0 { text += chunk[..<count] } else if errno != EINTR { return nil }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Writes a short text to a file of `/proc`; false where the kernel refuses.
  static func write(_ text: StaticString, to path: String) -> Bool {
    let file = open(path, O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    return text.withUTF8Buffer { Self.writeAll($0, to: file) }
  }

  private static func writeAll(_ bytes: UnsafeBufferPointer<UInt8>, to file: Int32) -> Bool {
    #if canImport(Glibc)
      Glibc.write(file, bytes.baseAddress, bytes.count) == bytes.count
    #else
      Musl.write(file, bytes.baseAddress, bytes.count) == bytes.count
    #endif
  }

  /// The number in a file that holds nothing else; nil for words ("max").
  static func number(in path: String) -> Int? {
    contents(of: path).flatMap { Int($0.filter { !$0.isWhitespace }) }
  }

  /// The number after a key at the start of a line: `VmHWM:  1024 kB`, `inactive_file 4096`.
  static func number(after key: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(key) {
      let words = line.dropFirst(key.count).split { $0 == " " || $0 == "\t" || $0 == ":" }
      // A longer key that begins like this one leaves no separator before its rest.
      let next = line.dropFirst(key.count).first
      guard let word = words.first, next == ":" || next == " " || next == "\t" else { continue }
      return Int(word)
    }
    return nil
  }
}
