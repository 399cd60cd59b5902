import Foundation

/// Where a rank runs: its host, its process and the processors that it may use.
public struct RankPlace: Sendable, Equatable {
  /// The host's name.
  public var host: String
  /// The process's number on that host.
  public var process: Int32
  /// The processors that it may run on.
  public var processors: [Int]
  /// Which processes can see each other: the running system and its namespace of processes.
  var namespace: String

  /// Where this process runs.
  static func current() -> RankPlace {
    let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    let space = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")
    return RankPlace(
      host: ProcessInfo.processInfo.hostName, process: getpid(), processors: boundProcessors,
      namespace: boot.flatMap { boot in space.map { boot.trimmingCharacters(in: .newlines) + $0 } }
        ?? "")
  }

  /// The processors that the system lets this process run on: `Cpus_allowed_list: 0-3,8`.
  private static var boundProcessors: [Int] {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") } ?? ""
    return line.drop { $0 != ":" }.dropFirst().split(separator: ",").flatMap { part -> [Int] in
      let ends = part.split(separator: "-").compactMap { Int($0.filter(\.isNumber)) }
      guard let first = ends.first, let last = ends.last, first <= last else { return [] }
      return Array(first...last)
    }
  }

  /// Whether this rank's process has a number that the other's system knows.
  func sees(_ other: RankPlace) -> Bool { !namespace.isEmpty && namespace == other.namespace }

  /// Whether the process is there, as far as one that sees it can tell.
  var isAlive: Bool { kill(process, 0) == 0 || errno != ESRCH }

  // MARK: As text, for the other ranks

  /// The fields, a line each.
  var text: String {
    [host, "\(process)", processors.map(String.init).joined(separator: ","), namespace]
      .joined(separator: "\n")
  }

  /// Reads what `text` wrote.
  init(text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    func line(_ index: Int) -> String { index < lines.count ? lines[index] : "" }
    self.init(
      host: line(0), process: Int32(clamping: Int(line(1)) ?? 0),
      processors: line(2).split(separator: ",").compactMap { Int($0) }, namespace: line(3))
  }

  init(host: String, process: Int32, processors: [Int], namespace: String) {
    self.host = host
    self.process = process
    self.processors = processors
    self.namespace = namespace
  }
}
