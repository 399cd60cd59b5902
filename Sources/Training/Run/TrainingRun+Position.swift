import Audits
import Foundation
import PolicyOptimization
import Rollouts
import TrajectoryStore
import Transformer

/// Where a run stands when it begins or is resumed, and what it is held against.
extension TrainingRun {
  /// Where a run stands between two steps, and what its log has beyond.
  struct Position {
    var totals = RunTotals()
    /// The last step whose rollout is in the log: up to it nothing is sampled again.
    var lastCommitted = 0
    /// Evaluations in the log, by step.
    var evaluations: [Int: EvaluationRecord] = [:]
  }

  /// Brings a trainer to where the run stands: the newest whole checkpoint, or the beginning.
  func findPosition(of trainer: Trainer, _ means: Means) throws -> Position {
    let reader = try TrajectoryReader(readOnly: folder.log)
    var position = Position(lastCommitted: try reader.lastCommittedStep() ?? 0)
    for evaluation in try reader.evaluations() {
      position.evaluations[evaluation.step] = evaluation
    }
    let newest = folder.newestCheckpoint(
      check: { url, manifest throws(CheckpointError) in
        guard (try? Self.isLogged(manifest, in: reader)) ?? false else {
          throw CheckpointError(
            folder: url, reason: "the log lacks what was done up to step \(manifest.step)")
        }
      },
      damaged: { [observer] in observer.observe(.warning("\($0); the one before it is used")) })
    if let (url, manifest) = newest {
      try trainer.resume(from: url, manifest)
      position.totals = RunTotals(
        step: manifest.step, problemsDrawn: manifest.problemsDrawn,
        tokensSeen: manifest.tokensSeen ?? 0)
    } else {
      try coldStart(means)
    }
    if settings.objective.needsReference {
      trainer.reference = try makeReference(means.policy, moved: newest?.url)
    }
    let step = position.totals.step
    if newest != nil || recordedRun != nil { try resumePlan(of: trainer, means, after: step) }
    if newest != nil {
      observer.observe(
        .note(
          "resuming after step \(step); \(max(0, position.lastCommitted - step)) "
            + "committed steps are redone from the log"))
    }
    return position
  }

  /// Whether the log has the step that a checkpoint was written after, and the updates of it.
  private static func isLogged(
    _ manifest: CheckpointManifest, in reader: TrajectoryReader
  ) throws(StoreError) -> Bool {
    guard manifest.step > 0 else { return true }
    guard let before = try reader.policyStep(ofStep: manifest.step) else { return false }
    if manifest.updates == before { return true }
    return try reader.hasUpdates(ofStep: manifest.step)
  }

  /// Goes on by the plan that is recorded, and from here by another where one is asked for; says what is
  /// different.
  private func resumePlan(of trainer: Trainer, _ means: Means, after step: Int) throws {
    guard means.material.steps >= step else {
      throw RunFolderError.endsBefore(folder, steps: means.material.steps, stands: step)
    }
    var detail = JSONObject(changes.map { ($0.name, $0.new) })
    if var plan = recordedPlan, preparation.recorded == nil {
      let asked = means.material.planned.latest
      if asked != plan.latest {
        plan.change(to: asked, after: step)
        detail[PlannedSteps.name] = .integer(Int64(asked))
      }
      trainer.planned = plan
    }
    guard !detail.isEmpty else { return }
    let sentence = changes.map(\.description).joined(separator: "; ")
    observer.observe(.note("from here on: \(sentence)"))
    try log.append(
      event: EventRecord(
        step: step, kind: ResumedSettings.eventKind, message: sentence, detail: detail))
  }

  /// The reference: where it was moved, as the checkpoint has it; else the named model, or the policy
  /// before the first step, which is the bare base where adapters are randomly initialised.
  func makeReference(_ policy: Policy, moved checkpoint: URL?) throws -> ReferenceModel {
    let temperature = Float(settings.temperature)
    let kept = checkpoint?.appendingPathComponent(CheckpointFiles.referenceFolder)
    let isKept = kept.map { FileManager.default.fileExists(atPath: $0.path) } ?? false
    if !isKept, let name = settings.referenceModel {
      return ReferenceModel(
        try namedReference(name, for: policy), compute: preparation.compute,
        temperature: temperature)
    }
    let startsAsBase =
      settings.usePeft && policy.source.adapter == nil && preparation.supervised.isEmpty
    if startsAsBase, !settings.objective.refreshesReference {
      return ReferenceModel(baseOf: policy.model, temperature: temperature)
    }
    let parameters = Parameters(
      copying: policy.model.parameters, compute: policy.model.compute)
    if let kept, isKept {
      try parameters.readTrained(folder: kept)
    } else if checkpoint != nil {
      let first = folder.checkpoint(step: 0)
      _ = try CheckpointManifest.verified(in: first)
      try parameters.readTrained(folder: first)
    }
    return ReferenceModel(parameters, compute: preparation.compute, temperature: temperature)
  }

  /// A reference that the settings name: in float32 where it is to be moved, otherwise as it is stored.
  func namedReference(_ name: String, for policy: Policy) throws -> Parameters {
    let source = try ModelSource(
      ModelLocator.locate(name, environment: ProcessInfo.processInfo.environment))
    let vocabulary = policy.model.configuration.vocabularySize
    guard source.configuration.vocabularySize == vocabulary else {
      throw ModelError(
        .invalid, path: source.base.path, subject: "vocab_size",
        "is \(source.configuration.vocabularySize), and the policy's is \(vocabulary)",
        remedy: "name a reference_model with the policy's own tokenizer")
    }
    guard settings.objective.refreshesReference else { return try source.frozenParameters() }
    return try Parameters(folder: source.base, configuration: policy.model.configuration)
  }

  /// The supervised stage, where the settings ask for one.
  private func coldStart(_ means: Means) throws {
    guard !preparation.supervised.isEmpty else { return }
    guard let encoder = try makeEncoder(means.policy) else {
      throw MissingTokenizer(folder: means.policy.folder)
    }
    let stage = try ColdStart(
      preparation, policy: means.policy, encoder: encoder, cut: means.plan.cut)
    let probe = evaluator(
      means, of: Array(means.material.problems.prefix(Self.probeSize)), samples: 1)
    try stage.run(observer) {
      try probe?.evaluate(
        step: 0, state: means.material.calendar.state(finished: 0, drawn: 0),
        isCancelled: observer.isCancelled)?.accuracy.share
    }
  }
}
