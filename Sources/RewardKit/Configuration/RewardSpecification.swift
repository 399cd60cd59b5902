import Rollouts

/// What becomes of a completion whose scoring failed.
public enum FailureEffect: String, Sendable, CaseIterable {
  /// Left out of its group's mean and deviation, with advantage 0.
  case unscorable
  /// Counts as a score of 0.
  case zero
  /// Ends the run.
  case stop
}

/// How far a plugin's process is kept from the machine.
public enum Sandbox: String, Sendable, CaseIterable {
  /// An ordinary process with limits.
  case none
  /// A fresh tree of files, all read-only but a scratch; no network, no other process, another user.
  case isolated
}

/// A reward as a config asks for it; see docs/rewards.md for the keys.
public struct RewardSpecification: Sendable, Equatable {
  /// A built-in's name, `path`, or `path:function`.
  public var use: String
  /// The name in metrics and log; nil takes it from `use`.
  public var name: String?
  /// The factor in the weighted sum.
  public var weight: Double = 1
  /// The reward's own settings.
  public var parameters: JSONObject = [:]
  /// For a column that the reward reads: the dataset's column (dots go into objects).
  public var columns: [String: String] = [:]
  /// Seconds for a call about one completion.
  public var timeLimit: Double = 10
  /// Seconds for a call about several; nil is four times the limit of one completion, or a quarter of it for
  /// each where that is more.
  public var batchTimeLimit: Double?
  /// Seconds for the start, imports included.
  public var startLimit: Double = 60
  /// What becomes of a completion whose scoring failed.
  public var onError: FailureEffect = .unscorable
  /// Processes that score in parallel.
  public var workers: Int = 1
  /// Most completions on one line in completion scope; nil leaves it to the plugin.
  public var batch: Int?
  /// How far the process is kept from the machine; nil is the plugin's own default.
  public var sandbox: Sandbox?
  /// What an isolated process may read besides the system, its interpreter and its own folder.
  public var sandboxRead: [String] = []
  /// Bytes of private memory for each process; 0 is no limit.
  public var memoryLimit: Int = 4 << 30
  /// Seconds of processor time for each process over its life; 0 is no limit.
  public var cpuLimit: Int = 0
  /// Bytes of the largest file that it may write; 0 is no limit.
  public var fileLimit: Int = 1 << 30
  /// Processes alive at one time in a worker.
  public var processLimit: Int = 64
  /// Failures in a row after which the plugin is given up.
  public var restartLimit: Int = 20
  /// The share of a step's completions that may fail before the run stops.
  public var failureLimit: Double = 0.5
  /// Variables passed on from grpo's environment besides the usual ones.
  public var environment: [String] = []
  /// Whether the scores of a reward of completion scope are remembered; nil is where the plugin says that it
  /// is deterministic.
  public var cache: Bool?
  /// The Python that runs `path.py:function`; nil finds the active environment's.
  public var python: String?

  /// Makes a specification of what to use.
  public init(use: String) { self.use = use }

  /// The keys of the object form.
  public static let keys = [
    "use", "name", "weight", "parameters", "columns", "time_limit", "batch_time_limit",
    "start_limit", "on_error", "workers", "batch", "sandbox", "sandbox_read", "memory_limit",
    "cpu_limit",
    "file_limit", "process_limit", "restart_limit", "failure_limit", "environment", "cache",
    "python",
  ]
}

extension RewardSpecification {
  /// Reads the string form `WHAT[=weight]`, which splits at the last `=` followed by a number.
  public init(_ text: String) throws(RewardError) {
    self.init(use: text)
    if let sign = text.lastIndex(of: "="), let weight = Double(text[text.index(after: sign)...]) {
      guard weight.isFinite else {
        throw RewardError(.configuration, "reward \"\(text)\": the weight must be a finite number")
      }
      use = String(text[..<sign])
      self.weight = weight
    }
    guard !use.isEmpty else {
      throw RewardError(.configuration, "reward \"\(text)\": names no reward before the weight")
    }
  }

  /// Reads the list of a config: strings, objects, or one of either alone.
  /// - Throws: every fault in the list, each with its place (`reward[1].weight`).
  public static func list(from value: JSONValue) throws(RewardError) -> [RewardSpecification] {
    var specifications: [RewardSpecification] = []
    var faults: [String] = []
    for (index, element) in (value.array ?? [value]).enumerated() {
      let place = value.array == nil ? "reward" : "reward[\(index)]"
      do throws(RewardError) {
        specifications.append(try RewardSpecification(from: element, at: place))
      } catch {
        faults += error.faults
      }
    }
    guard faults.isEmpty else { throw RewardError(.configuration, faults) }
    return specifications
  }

  /// Reads one element of the list.
  /// - Throws: every fault of the element, each beginning with its place.
  public init(from value: JSONValue, at place: String) throws(RewardError) {
    if let text = value.string {
      try self.init(text)
      return
    }
    guard let object = value.object else {
      throw RewardError(
        .configuration, "\(place) is \(value.jsonText), expected a text or an object with \"use\"")
    }
    var reader = SpecificationReader(object: object, place: place)
    self = reader.specification()
    guard reader.faults.isEmpty else { throw RewardError(.configuration, reader.faults) }
  }

  /// The specification as the object form, with every key that differs from its default.
  public var json: JSONValue {
    let standard = RewardSpecification(use: use)
    var object: JSONObject = ["use": .string(use)]
    func add<Value: Equatable>(
      _ key: String, _ path: KeyPath<RewardSpecification, Value>, _ json: JSONValue
    ) {
      if self[keyPath: path] != standard[keyPath: path] { object[key] = json }
    }
    add("name", \.name, name.map { .string($0) } ?? .null)
    add("weight", \.weight, .number(weight))
    add("parameters", \.parameters, .object(parameters))
    add(
      "columns", \.columns,
      .object(JSONObject(sorting: columns.mapValues { .string($0) })))
    add("time_limit", \.timeLimit, .number(timeLimit))
    add("batch_time_limit", \.batchTimeLimit, batchTimeLimit.map { .number($0) } ?? .null)
    add("start_limit", \.startLimit, .number(startLimit))
    add("on_error", \.onError, .string(onError.rawValue))
    add("workers", \.workers, .integer(Int64(workers)))
    add("batch", \.batch, batch.map { .integer(Int64($0)) } ?? .null)
    add("sandbox", \.sandbox, sandbox.map { .string($0.rawValue) } ?? .null)
    add("sandbox_read", \.sandboxRead, .array(sandboxRead.map { .string($0) }))
    add("memory_limit", \.memoryLimit, .integer(Int64(memoryLimit)))
    add("cpu_limit", \.cpuLimit, .integer(Int64(cpuLimit)))
    add("file_limit", \.fileLimit, .integer(Int64(fileLimit)))
    add("process_limit", \.processLimit, .integer(Int64(processLimit)))
    add("restart_limit", \.restartLimit, .integer(Int64(restartLimit)))
    add("failure_limit", \.failureLimit, .number(failureLimit))
    add("environment", \.environment, .array(environment.map { .string($0) }))
    add("cache", \.cache, cache.map { .bool($0) } ?? .null)
    add("python", \.python, python.map { .string($0) } ?? .null)
    return .object(object)
  }
}
