import Rollouts

/// What a run is made of: enough to repeat it, and to tell whether another is the same.
public struct RunRecord: Sendable, Equatable {
  /// The run folder's name; nondeterministic.
  public var name: String
  /// `grpo`, `sft`, `rescore` or another word for what the run does.
  public var kind: String
  /// The seed of every random draw.
  public var seed: Int
  /// The program that ran.
  public var programVersion: String
  /// The resolved settings, without the run folder.
  public var configuration: JSONObject
  /// The parent model's path.
  public var model: String
  /// The SHA-256 of the parent model's weights.
  public var modelHash: String
  /// The dataset's path.
  public var dataset: String
  /// The SHA-256 of the dataset.
  public var datasetHash: String
  /// Whatever else the run depends on: hashes of tokenizer and evaluation data, the parent run.
  public var provenance: JSONObject
  /// The rewards, in the order of the config.
  public var rewards: [RewardRecord]
  /// Machine, CPU, libraries, threads, process; nondeterministic.
  public var host: JSONObject

  /// Makes a record.
  public init(
    name: String, kind: String = "grpo", seed: Int, programVersion: String,
    configuration: JSONObject, model: String, modelHash: String, dataset: String,
    datasetHash: String, provenance: JSONObject = [:], rewards: [RewardRecord],
    host: JSONObject = [:]
  ) {
    self.name = name
    self.kind = kind
    self.seed = seed
    self.programVersion = programVersion
    self.configuration = configuration
    self.model = model
    self.modelHash = modelHash
    self.dataset = dataset
    self.datasetHash = datasetHash
    self.provenance = provenance
    self.rewards = rewards
    self.host = host
  }
}

/// A reward of a run.
public struct RewardRecord: Sendable, Equatable {
  /// Its name, which is unique in the run.
  public var name: String
  /// Its weight in the total.
  public var weight: Double
  /// `built-in`, `executable`, `python` or another word for what hosts it.
  public var kind: String
  /// The SHA-256 of the plugin; empty where there is none.
  public var contentHash: String
  /// Whether it gives the same score for the same completion.
  public var isDeterministic: Bool
  /// Its entry in the config.
  public var specification: JSONValue

  /// Makes a record.
  public init(
    name: String, weight: Double = 1, kind: String = "built-in", contentHash: String = "",
    isDeterministic: Bool = true, specification: JSONValue = .null
  ) {
    self.name = name
    self.weight = weight
    self.kind = kind
    self.contentHash = contentHash
    self.isDeterministic = isDeterministic
    self.specification = specification
  }
}
