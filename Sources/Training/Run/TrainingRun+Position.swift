import Foundation
import PolicyOptimization
import Rollouts
import TrajectoryStore
import Transformer

/// Where a run stands when it begins or is resumed, and what it is held against.
extension TrainingRun {
  /// Brings the parts to where the run stands: the newest whole checkpoint, or the beginning.
  func findPosition(of parts: inout Trainer.Parts) throws -> Trainer.Position {
    var position = Trainer.Position()
    let reader = try TrajectoryReader(readOnly: folder.log)
    position.lastCommitted = try reader.lastCommittedStep() ?? 0
    for evaluation in try reader.evaluations() {
      position.evaluations[evaluation.step] = evaluation
    }
    let needsReference = settings.objective.needsReference
    let newest = folder.newestCheckpoint(
      check: { url, manifest throws(CheckpointError) in
        guard (try? Self.isLogged(manifest, in: reader)) ?? false else {
          throw CheckpointError(
            folder: url, reason: "the log lacks what was done up to step \(manifest.step)")
        }
      },
      damaged: { [observer] in observer.observe(.warning("\($0); the one before it is used")) })
    guard let found = newest else {
      try coldStart(parts)
      if needsReference { parts.reference = try makeReference(parts.policy, moved: nil) }
      if recordedRun != nil { try resumePlan(&parts, after: 0) }
      return position
    }
    try CheckpointFiles.read(
      found.url, into: parts.policy.model, optimizer: parts.optimizer, manifest: found.manifest)
    parts.updater.entropy = found.manifest.entropy
    position.step = found.manifest.step
    position.problemsDrawn = found.manifest.problemsDrawn
    position.tokensSeen = found.manifest.tokensSeen ?? 0
    if needsReference { parts.reference = try makeReference(parts.policy, moved: found.url) }
    try resumePlan(&parts, after: position.step)
    observer.observe(
      .note(
        "resuming after step \(position.step); \(max(0, position.lastCommitted - position.step)) "
          + "committed steps are redone from the log"))
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
  private func resumePlan(_ parts: inout Trainer.Parts, after step: Int) throws {
    guard parts.schedule.steps >= step else {
      throw RunFolderError.endsBefore(folder, steps: parts.schedule.steps, stands: step)
    }
    var detail = JSONObject(changes.map { ($0.name, $0.new) })
    if var plan = recordedPlan, !parts.source.isRecorded {
      let asked = parts.schedule.planned.latest
      if asked != plan.latest {
        plan.change(to: asked, after: step)
        detail[PlannedSteps.name] = .integer(Int64(asked))
      }
      parts.schedule.planned = plan
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
  func coldStart(_ parts: Trainer.Parts) throws {
    guard !preparation.supervised.isEmpty else { return }
    guard let encoder = try makeEncoder(parts.policy) else {
      throw MissingTokenizer(folder: parts.policy.folder)
    }
    let stage = try ColdStart(
      preparation, policy: parts.policy, encoder: encoder,
      optimizer: settings.optimizer(
        for: parts.policy.model, learningRate: settings.sftLearningRate),
      cut: parts.schedule.cut)
    try stage.run(observer) {
      try parts.probe?.evaluate(
        step: 0, state: parts.schedule.calendar.state(finished: 0, drawn: 0),
        isCancelled: observer.isCancelled)?.accuracy.share
    }
  }
}
