import Foundation
import Rollouts
import Tensors

/// The host of a run, and what else its bits may depend on beyond its settings and data.
///
/// It is recorded when the run begins. Resuming the run uses the same micro-batch and the same
/// clock, and says what else is different.
struct RunHost: Equatable {
  /// Threads of the numerical work.
  var threads: Int
  /// Threads, instruction set, OpenBLAS and the processor it was built for, one per line.
  var compute: String
  /// The processor's model and the C library's version; nil where the system doesn't tell, or the record is
  /// older than they are in it.
  var processor: String?
  var mathLibrary: String?
  /// Rows that pass through forward and backward at once: the order of sums over the rows depends on it.
  var microBatchTokens: Int
  /// The time that chat templates print, in seconds since 1970.
  var clock: Int
  /// How many steps the run was to have when it began; nil in older records.
  var plannedSteps: Int?

  /// As the log keeps it with the run.
  var json: JSONObject {
    var json: JSONObject = [
      "threads": .integer(Int64(threads)),
      "compute": .string(compute),
      "micro_batch_tokens": .integer(Int64(microBatchTokens)),
      "clock": .integer(Int64(clock)),
    ]
    json["processor"] = processor.map { .string($0) }
    json["math_library"] = mathLibrary.map { .string($0) }
    json[PlannedSteps.name] = plannedSteps.map { .integer(Int64($0)) }
    return json
  }

  init(
    threads: Int, compute: String, processor: String? = nil, mathLibrary: String? = nil,
    microBatchTokens: Int, clock: Int, plannedSteps: Int? = nil
  ) {
    self.threads = threads
    self.compute = compute
    self.processor = processor
    self.mathLibrary = mathLibrary
    self.microBatchTokens = microBatchTokens
    self.clock = clock
    self.plannedSteps = plannedSteps
  }

  /// What a process computes under now.
  init(now compute: Compute, microBatchTokens: Int, clock: Int, plannedSteps: Int? = nil) {
    self.init(
      threads: compute.threads, compute: compute.description, processor: MachineProcessor.model,
      mathLibrary: MachineProcessor.mathLibrary, microBatchTokens: microBatchTokens, clock: clock,
      plannedSteps: plannedSteps)
  }

  /// Reads what `json` wrote; nil where something of it is missing.
  init?(_ json: JSONObject) {
    guard let threads = json["threads"]?.integer, let compute = json["compute"]?.string,
      let tokens = json["micro_batch_tokens"]?.integer, let clock = json["clock"]?.integer,
      tokens > 0
    else { return nil }
    self.init(
      threads: Int(threads), compute: compute, processor: json["processor"]?.string,
      mathLibrary: json["math_library"]?.string, microBatchTokens: Int(tokens), clock: Int(clock),
      plannedSteps: json[PlannedSteps.name]?.integer.map { Int($0) })
  }

  /// A sentence where something is different now, so that the bits may be.
  func differences(to now: RunHost) -> [String] {
    let present = now.things
    let changed = things.compactMap { name, value -> String? in
      guard let other = present.first(where: { $0.name == name })?.value, other != value else {
        return nil
      }
      return "\(name) was \(value) and is \(other)"
    }
    guard !changed.isEmpty else { return [] }
    return [
      "the run was begun under other conditions, so that from here its bits may differ from those "
        + "of a run that was never interrupted: \(changed.joined(separator: "; "))"
    ]
  }

  /// What is compared, by name.
  private var things: [(name: String, value: String)] {
    var things = compute.split(separator: "\n").compactMap {
      line -> (name: String, value: String)? in
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { return nil }
      return (String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces))
    }
    if let processor { things.append(("the processor", processor)) }
    if let mathLibrary { things.append(("the C library", mathLibrary)) }
    things.append(("micro_batch_tokens", "\(microBatchTokens)"))
    return things
  }
}
