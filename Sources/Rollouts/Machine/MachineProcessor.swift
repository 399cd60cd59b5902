#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the machine computes with, as Linux tells it.
public enum MachineProcessor {
  /// The processor's model: "Intel(R) Xeon(R) …"; nil where the kernel does not tell.
  public static var model: String? {
    guard let text = SystemText.contents(of: "/proc/cpuinfo") else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    guard let value = line?.split(separator: ":", maxSplits: 1).last else { return nil }
    return String(value.drop { $0 == " " })
  }

  /// The C library whose exp, log and cos are used: "glibc 2.36"; nil where it has no version.
  public static var mathLibrary: String? {
    #if canImport(Glibc)
      var text = [CChar](repeating: 0, count: 64)
      guard confstr(Int32(_CS_GNU_LIBC_VERSION), &text, text.count) > 0 else { return nil }
      return text.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    #else
      return nil
    #endif
  }
}
