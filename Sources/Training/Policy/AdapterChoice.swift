import Foundation
import Rollouts
import Transformer

/// What the settings say about adapters, held against the model that they are for.
struct AdapterChoice {
  private let resolved: ResolvedConfiguration

  init(_ resolved: ResolvedConfiguration) { self.resolved = resolved }

  private var settings: RunConfiguration { resolved.values }

  /// What of the model is trained.
  var trainedPart: Policy.TrainedPart {
    settings.usePeft ? .adapter(adapter, seed: UInt64(settings.seed)) : .everything
  }

  /// The adapters that the settings describe.
  var adapter: AdapterConfiguration {
    AdapterConfiguration(
      rank: settings.loraR, alpha: settings.loraAlpha, isRankStabilized: settings.useRslora,
      targets: settings.loraTargetModules)
  }

  /// The adapters of a run that trains some: those of an adapter's folder are as they are there.
  func adapter(for source: ModelSource?) -> AdapterConfiguration? {
    settings.usePeft ? source?.adapter?.adapter ?? adapter : nil
  }

  /// Refuses what a model can't do; a randomly initialised model is the embedded job's.
  /// - Throws: `ModelError` with every fault.
  func check(_ source: ModelSource?) throws(ModelError) {
    if let found = source?.adapter {
      try check(found)
    } else if settings.usePeft {
      let faults = adapter.faults(for: try model(of: source))
      guard faults.isEmpty else {
        throw ModelError(
          .invalid, path: settings.model ?? "the embedded job's model",
          faults: faults.map { ModelError.Fault(nil, $0) })
      }
    }
  }

  private func model(of source: ModelSource?) throws(ModelError) -> ModelConfiguration {
    if let source { return source.configuration }
    return try EmbeddedJob.model()
  }

  private func check(_ found: AdapterFolder) throws(ModelError) {
    guard settings.usePeft else {
      throw ModelError(
        .invalid, path: found.folder.path,
        "is a LoRA adapter, and use_peft false trains all weights",
        remedy: "add --use-peft to train the adapter further, or merge it first: "
          + "grpo export --merge \(found.folder.path) FOLDER")
    }
    let defaults = RunConfiguration()
    var faults: [ModelError.Fault] = []
    func compare<Value: Equatable>(_ name: String, _ given: Value, _ usual: Value, _ has: Value) {
      if given != usual, given != has {
        faults.append(ModelError.Fault(name, "is \(given), and the adapter has \(has)"))
      }
    }
    compare("lora_r", settings.loraR, defaults.loraR, found.adapter.rank)
    compare("lora_alpha", settings.loraAlpha, defaults.loraAlpha, found.adapter.alpha)
    compare("use_rslora", settings.useRslora, defaults.useRslora, found.adapter.isRankStabilized)
    guard faults.isEmpty else {
      throw ModelError(
        .invalid, path: found.folder.path, faults: faults,
        remedy: "leave these settings out: an adapter that is trained further keeps its own")
    }
  }
}
