import CKernels
import Foundation

/// What the machine can do at most, measured by the kernels in use.
public struct Ceilings: Sendable {
  /// What one thread does, and all threads together.
  public struct Rate: Sendable {
    /// Of one thread.
    public var one: Double
    /// Of all threads.
    public var all: Double
  }

  /// Reading of data that stay in a cache, or in none.
  public struct Level: Sendable {
    /// "L1", "L2", "L3", "DRAM".
    public var name: String
    /// Bytes of the cache: of each core's own, or of the last one, which cores share; memory has no end.
    public var bytes: Int
    /// Whether each core has one of its own.
    public var isPrivate: Bool
    /// Bytes per second.
    public var bandwidth: Rate
  }

  /// Multiply-adds of float32, in flops per second.
  public var float32: Rate
  /// Multiply-adds of pairs of bfloat16.
  public var bf16: Rate
  /// From the first-level cache on.
  public var levels: [Level]

  /// The flops per second of all threads in a precision; float16 is widened to float32.
  public func flops(_ precision: Precision) -> Double {
    precision == .bf16 ? bf16.all : float32.all
  }

  /// The bytes per second at which all threads read data of a size again and again.
  public func bandwidth(ofBytes count: Int, threads: Int) -> Double {
    let level = levels.first { count <= ($0.isPrivate ? $0.bytes * threads : $0.bytes) }
    return (level ?? levels[levels.count - 1]).bandwidth.all
  }
}

extension Compute {
  /// Measures the machine, which takes about two seconds; each figure is the best of some repeats.
  public func measureCeilings() -> Ceilings {
    let chains = kernels.pointee.chains
    func flops(_ perLane: Int, _ body: @escaping (Int, Float) -> Float) -> Ceilings.Rate {
      rate { threads in
        let steps = 1 << 18
        return (Double(threads * steps * chains * 16 * perLane), { _ in _ = body(steps, 0.5) })
      }
    }
    let table = kernels
    return Ceilings(
      float32: flops(2) { table.pointee.run_fused_chains($0, $1) },
      bf16: flops(4) { table.pointee.run_paired_chains($0, $1) },
      levels: Self.caches.map { cache in
        Ceilings.Level(
          name: cache.name, bytes: cache.bytes, isPrivate: cache.isPrivate,
          bandwidth: bandwidth(cache))
      })
  }

  /// Reads half of a cache's size, each thread its own share of it; of memory four times the last cache's.
  private func bandwidth(_ cache: (name: String, bytes: Int, isPrivate: Bool)) -> Ceilings.Rate {
    let total = cache.name == "DRAM" ? Self.memoryBytes : cache.bytes / 2
    return rate { threads in
      let share = (cache.isPrivate ? total : total / threads) / 512 * 512
      let buffers = (0..<threads).map { _ in Tensor([Float](repeating: 1, count: share / 4)) }
      let starts = buffers.map { UnsafePointer($0.start) }
      let repeats = max(1, (32 << 20) / max(share, 1))
      let table = kernels
      return (
        Double(threads * repeats * share),
        { task in
          for _ in 0..<repeats { _ = table.pointee.read_floats(starts[task], share / 4) }
          withExtendedLifetime(buffers) {}
        }
      )
    }
  }

  /// The best rate of one thread, and of all at once.
  private func rate(
    _ makeWork: (_ threads: Int) -> (amount: Double, run: (_ task: Int) -> Void)
  ) -> Ceilings.Rate {
    func best(_ threads: Int) -> Double {
      let work = makeWork(threads)
      return (0..<5).map { _ in
        let start = ContinuousClock.now
        if threads == 1 { work.run(0) } else { parallel(threads) { task, _ in work.run(task) } }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return work.amount / seconds
      }.max() ?? 0
    }
    let one = best(1)
    return Ceilings.Rate(one: one, all: threads == 1 ? one : best(threads))
  }

  private static var memoryBytes: Int { max(4 * (caches.dropLast().last?.bytes ?? 0), 128 << 20) }

  /// The caches of data by level as Linux tells them, then memory.
  private static var caches: [(name: String, bytes: Int, isPrivate: Bool)] {
    let folder = "/sys/devices/system/cpu/cpu0/cache"
    func field(_ index: Int, _ name: String) -> String? {
      (try? String(contentsOfFile: "\(folder)/index\(index)/\(name)", encoding: .utf8))?
        .trimmingCharacters(in: .whitespacesAndNewlines)
    }
    var found: [(name: String, bytes: Int, isPrivate: Bool)] = []
    for index in 0..<8 {
      guard let type = field(index, "type"), type != "Instruction",
        let level = field(index, "level"), let size = field(index, "size"), size.hasSuffix("K"),
        let kibibytes = Int(size.dropLast()), kibibytes > 0
      else { continue }
      // The last level is shared by cores, the others by the threads of one core at most.
      found.append(("L" + level, kibibytes << 10, level < "3"))
    }
    if found.isEmpty {
      found = [("L1", 32 << 10, true), ("L2", 1 << 20, true), ("L3", 32 << 20, false)]
    }
    return found + [("DRAM", .max, false)]
  }
}
