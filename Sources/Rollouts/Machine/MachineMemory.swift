/// How much memory the machine has and this process takes, in bytes, as Linux tells it.
///
/// Every value is read anew; nil where the kernel does not tell.
public enum MachineMemory {
  /// The most memory that the process ever held in RAM (`VmHWM`).
  public static var peakResident: Int? { status("VmHWM") }

  /// The memory that the process holds in RAM now (`VmRSS`).
  public static var resident: Int? { status("VmRSS") }

  /// The machine's RAM (`MemTotal`).
  public static var total: Int? { memoryInfo("MemTotal") }

  /// The limit that the process's control group, or one above it, sets.
  public static var groupLimit: Int? { ControlGroup.current.tightest?.limit }

  /// What can still be allocated without swapping: the machine's free and reclaimable memory, or
  /// what the control group leaves, whichever is less.
  public static var available: Int? {
    let machine = memoryInfo("MemAvailable")
    guard let group = ControlGroup.current.tightest else { return machine }
    return min(machine ?? group.available, group.available)
  }

  /// Makes `peakResident` begin again at what is resident now; false where the kernel refuses.
  @discardableResult
  public static func resetPeak() -> Bool { SystemText.write("5", to: "/proc/self/clear_refs") }

  private static func status(_ key: String) -> Int? { kilobytes(key, in: "/proc/self/status") }

  private static func memoryInfo(_ key: String) -> Int? { kilobytes(key, in: "/proc/meminfo") }

  private static func kilobytes(_ key: String, in path: String) -> Int? {
    SystemText.contents(of: path)
      .flatMap { SystemText.number(after: key, in: $0) }
      .map { $0 << 10 }
  }
}

/// The memory controller of the process's control group, version 2 or 1.
struct ControlGroup {
  /// A limit and how much of it is taken.
  struct Bound {
    var limit: Int
    var available: Int
  }

  /// The folders that may hold limits, the process's own group first.
  let folders: [String]
  private let isVersion2: Bool

  static var current: ControlGroup {
    ControlGroup(membership: SystemText.contents(of: "/proc/self/cgroup") ?? "")
  }

  /// Finds the folders from the text of `/proc/self/cgroup` (`0::/user.slice/…`, `4:memory:/…`).
  init(membership: String, root: String = "/sys/fs/cgroup") {
    var unified: String?
    var memory: String?
    for line in membership.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[1].split(separator: ",").contains("memory") {
        memory = String(fields[2])
      } else if fields[0] == "0" {
        unified = String(fields[2])
      }
    }
    isVersion2 = memory == nil
    folders = Self.ancestors(
      of: memory ?? unified ?? "/", below: isVersion2 ? root : root + "/memory")
  }

  /// A group's folder and all above it, since a limit anywhere on the way binds.
  ///
  /// In a container the path may be the host's, and then only the root exists.
  private static func ancestors(of path: String, below root: String) -> [String] {
    var parts = path.split(separator: "/")
    var folders: [String] = []
    while !parts.isEmpty {
      folders.append(root + "/" + parts.joined(separator: "/"))
      parts.removeLast()
    }
    return folders + [root]
  }

  /// The bound that leaves least; nil where none is set.
  var tightest: Bound? { folders.compactMap(bound).min { $0.available < $1.available } }

  private func bound(of folder: String) -> Bound? {
    let names =
      isVersion2
      ? ("memory.max", "memory.current", "inactive_file")
      : ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    // Version 1 says "no limit" by a number near 2^63.
    guard let limit = SystemText.number(in: "\(folder)/\(names.0)"), limit < 1 << 60 else {
      return nil
    }
    let usage = SystemText.number(in: "\(folder)/\(names.1)") ?? 0
    let reclaimable = SystemText.contents(of: "\(folder)/memory.stat")
      .flatMap { SystemText.number(after: names.2, in: $0) }
    return Bound(limit: limit, available: max(0, limit - usage + (reclaimable ?? 0)))
  }
}
