import Rollouts
import Tensors

/// Draws completions for prompts: a prompt is run once for all its completions, and the batch is
/// refilled as completions end.
///
/// What is drawn depends on the weights, the settings, and the key (seed, purpose, step, draw, sample,
/// position) alone: never on the slot, the batch or the order.
public final class GenerationEngine {
  /// How many completions are decoded together.
  public let concurrency: Int
  /// How many prompt rows are run together, unless one prompt is longer.
  public static let prefillRows = 512

  let model: LanguageModel
  let head: VocabularyHead
  let activations: SlotMemory
  let stream = TensorScratch()

  /// Makes an engine for a model.
  public init(_ model: LanguageModel, concurrency: Int = 128) {
    self.model = model
    self.concurrency = max(1, concurrency)
    head = VocabularyHead(model)
    activations = model.makeSharedActivations()
  }

  /// Draws the completions of each request; nil where the observer cancelled.
  ///
  /// A prompt must leave room for at least one token in the model's context.
  public func generate(
    _ requests: [GenerationRequest], settings: SamplingSettings, key: GenerationKey,
    observer: GenerationObserver = GenerationObserver()
  ) -> [[GeneratedCompletion]]? {
    var session = GenerationSession(
      engine: self, requests: requests, settings: settings, key: key, observer: observer)
    return session.run()
  }
}
