import Foundation
import RewardKit
import Rollouts
import TrajectoryStore
import Transformer

/// What a run records of itself before its first step, in the log and in what it writes.
extension TrainingRun {
  /// Records the run, or where it is recorded says what is different now.
  func begin(_ means: Means) throws {
    let host = host(of: means)
    if let recordedRun {
      try check(means, against: recordedRun.record)
      for sentence in recorded?.differences(to: host) ?? [] {
        observer.observe(.warning(sentence))
      }
      if !changes.isEmpty {
        try AtomicFile.write(
          preparation.resolved.json.prettyJSONText + "\n", to: folder.configuration)
        CrashPoint.changing.reach()
      }
      return
    }
    CrashPoint.opening.reach()
    _ = try log.begin(
      run: RunRecord(
        name: folder.url.lastPathComponent, seed: settings.seed,
        programVersion: ProgramVersion.current,
        configuration: lastingSettings,
        model: settings.model ?? "randomly initialised",
        modelHash: try weightsHash(of: means.policy.source),
        dataset: preparation.train.name, datasetHash: preparation.train.contentHash,
        provenance: provenance,
        rewards: means.material.rewards.map { reward in
          means.rewards.rewards.firstIndex { $0.name == reward.name }.map {
            RewardRecord(means.rewards.rewards[$0], asGiven: settings.reward[$0])
          } ?? RewardRecord(name: reward.name, weight: reward.weight, kind: "recorded")
        },
        host: host.json))
  }

  /// What this process computes under.
  func host(of means: Means) -> RunHost {
    RunHost(
      now: preparation.compute, microBatchTokens: means.plan.cut.rows, clock: clock,
      plannedSteps: means.material.planned.latest)
  }

  /// Holds what the run is made of now against what it was made of.
  ///
  /// Other data or another model would make it a run that nobody began; a reward may be mended on the way, which
  /// is said.
  private func check(_ means: Means, against record: RunRecord) throws {
    var changed: [String] = []
    if preparation.recorded == nil, preparation.train.contentHash != record.datasetHash {
      changed.append("the rows of \(preparation.train.name)")
    }
    if try weightsHash(of: means.policy.source) != record.modelHash {
      changed.append("the weights of \(settings.model ?? folder.initial.path)")
    }
    let now = lastingSettings
    for (name, old) in record.configuration where !ResumedSettings.changeable.contains(name) {
      guard let value = now[name], value.jsonText != old.jsonText else { continue }
      changed.append("\(name), which was \(old.jsonText) and is \(value.jsonText)")
    }
    guard changed.isEmpty else { throw RunFolderError.inputsChanged(folder, changed) }
    for reward in means.rewards.rewards {
      guard let old = record.rewards.first(where: { $0.name == reward.name }),
        old.contentHash != reward.contentHash
      else { continue }
      let sentence =
        "the reward \(reward.name) is another than when the run began: from here completions are scored by it"
      observer.observe(.warning(sentence))
      try log.append(event: EventRecord(kind: "reward changed", message: sentence))
    }
  }

  /// The settings but the name of the folder, which is not part of what a run does.
  var lastingSettings: JSONObject {
    var settings = preparation.resolved.json.object ?? [:]
    settings["run"] = nil
    return settings
  }

  /// The fingerprint of the weights, an adapter's after those of its base.
  func weightsHash(of source: ModelSource) throws -> String {
    var hash = SHA256()
    for folder in source.adapter == nil ? [source.base] : [source.base, source.folder] {
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        .filter { $0.hasSuffix(".safetensors") }.sorted()
      for file in files {
        let path = folder.appendingPathComponent(file).path
        hash.update(Array(try SHA256.digest(ofFile: path).hexadecimal.utf8))
      }
    }
    return hash.finalize().hexadecimal
  }

  var provenance: JSONObject {
    [
      "program": .string("grpo \(ProgramVersion.current)"),
      "seed": .integer(Int64(settings.seed)),
      "parent_model": .string(settings.model ?? "randomly initialised"),
      "dataset": .string(preparation.train.name),
      "dataset_sha256": .string(preparation.train.contentHash),
      "configuration": .object(lastingSettings),
    ]
  }
}
