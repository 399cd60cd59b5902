import Rollouts
import Tensors
import TrajectoryStore
import Transformer

/// Draws the completions of a step's groups.
///
/// What is drawn depends on the weights, the settings and the key (seed, step, draw, sample) alone, so that a
/// completion of the log can be drawn again by itself.
struct GroupSampler {
  let engine: GenerationEngine
  let encoder: PromptEncoder
  let seed: UInt64
  let settings: SamplingSettings

  /// Draws the completions of each request; nil where the caller gave up.
  /// - Parameter completed: Told each completion in order of finishing.
  func generate(
    _ requests: [GenerationRequest], step: Int, isCancelled: @escaping () -> Bool,
    completed: @escaping (_ request: Int, _ completion: CompletionRecord) -> Void = { _, _ in }
  ) -> [[CompletionRecord]]? {
    var records = requests.map { [CompletionRecord?](repeating: nil, count: $0.samples) }
    var observer = GenerationObserver()
    observer.isCancelled = isCancelled
    if !encoder.stop.isEmpty {
      observer.endsCompletion = { [encoder] _, _, tokens in encoder.hasStopString(tokens) }
    }
    observer.completed = { [encoder] request, sample, completion in
      let record = CompletionRecord(
        completion, text: encoder.text(of: completion.tokens),
        sample: requests[request].firstSample + sample)
      records[request][sample] = record
      completed(request, record)
    }
    let key = GenerationKey(seed: seed, purpose: .sampling, step: step)
    guard engine.generate(requests, settings: settings, key: key, observer: observer) != nil
    else { return nil }
    return records.map { $0.compactMap(\.self) }
  }
}

extension CompletionRecord {
  /// What the log keeps of a completion that was drawn, before it is scored.
  init(_ completion: GeneratedCompletion, text: String, sample: Int) {
    self.init(
      sample: sample,
      completion: Completion(text: text, tokens: completion.tokens, finish: completion.finish),
      samplerLogProbabilities: completion.statistics.logProbabilities,
      entropies: completion.statistics.entropies,
      keptSets: completion.keptSets.isEmpty ? nil : completion.keptSets)
  }
}
