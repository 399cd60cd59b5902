import Foundation
import Rollouts

/// What a run was begun under beyond its settings and data, and its bits may depend on.
///
/// It is recorded when the run begins. Taking the run up again uses the same micro-batch and the same
/// clock, and says what else is different.
struct RunCircumstances: Equatable {
  /// Threads of the numerical work.
  var threads: Int
  /// Instruction set, OpenBLAS and the processor it was built for, a line each.
  var compute: String
  /// Rows that pass through forward and backward at once: the order of sums over the rows depends on it.
  var microBatchTokens: Int
  /// The time that chat templates print, in seconds since 1970.
  var clock: Int

  /// As the log keeps it with the run.
  var json: JSONObject {
    [
      "threads": .integer(Int64(threads)),
      "compute": .string(compute),
      "micro_batch_tokens": .integer(Int64(microBatchTokens)),
      "clock": .integer(Int64(clock)),
    ]
  }

  init(threads: Int, compute: String, microBatchTokens: Int, clock: Int) {
    self.threads = threads
    self.compute = compute
    self.microBatchTokens = microBatchTokens
    self.clock = clock
  }

  /// Reads what `json` wrote; nil where something of it is missing.
  init?(_ json: JSONObject) {
    guard let threads = json["threads"]?.integer, let compute = json["compute"]?.string,
      let tokens = json["micro_batch_tokens"]?.integer, let clock = json["clock"]?.integer
    else { return nil }
    self.init(
      threads: Int(threads), compute: compute, microBatchTokens: Int(tokens), clock: Int(clock))
  }

  /// A sentence for each thing that is different now, so that the bits may be.
  func differences(to now: RunCircumstances) -> [String] {
    let recorded = Set(lines)
    let changed = now.lines.filter { !recorded.contains($0) }
    guard !changed.isEmpty else { return [] }
    return [
      "the run was begun under other circumstances, so that from here its bits may differ from those "
        + "of a run that was never interrupted: now \(changed.joined(separator: ", "))"
    ]
  }

  private var lines: [String] {
    compute.split(separator: "\n").map(String.init)
      + ["micro_batch_tokens: \(microBatchTokens)"]
  }
}
