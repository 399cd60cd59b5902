import Foundation
import Rollouts
import Tensors
import Tokenizers
import Transformer

/// What to ask a policy for.
public struct SampleRequest: Sendable {
  /// The prompt as it was given; nil where only ids were.
  public var prompt: Prompt?
  /// Its tokens.
  public var tokens: [TokenID]

  /// Makes a request.
  public init(prompt: Prompt?, tokens: [TokenID]) {
    self.prompt = prompt
    self.tokens = tokens
  }
}

/// A completion that was asked for.
public struct SampledCompletion: Sendable {
  /// Which request, from 0.
  public var request: Int
  /// Which of its completions, from 0.
  public var sample: Int
  /// The text, before a stop string; empty without a tokenizer.
  public var text: String
  /// The tokens, and what the policy said of them.
  public var completion: GeneratedCompletion
}

/// Asks a policy for completions outside of a run.
public final class CompletionSampler {
  private let policy: Policy
  private let encoder: PromptEncoder?
  private let engine: GenerationEngine

  /// Makes a sampler; without an encoder completions have ids alone.
  public init(_ policy: Policy, encoder: PromptEncoder?) {
    self.policy = policy
    self.encoder = encoder
    engine = GenerationEngine(policy.model)
  }

  /// Draws completions.
  /// - Parameters:
  ///   - count: Completions per request.
  ///   - written: Pieces of text that are settled, as they come; nil spares the work.
  ///   - completed: Each completion in order of finishing.
  /// - Returns: Whether all were drawn; false where `isCancelled` said so.
  public func sample(
    _ requests: [SampleRequest], count: Int, settings: SamplingSettings, seed: UInt64,
    isCancelled: @escaping () -> Bool,
    written: ((_ request: Int, _ sample: Int, _ piece: String) -> Void)? = nil,
    completed: @escaping (SampledCompletion) -> Void
  ) -> Bool {
    var observer = GenerationObserver()
    observer.isCancelled = isCancelled
    var streams: [Int: TextStream] = [:]
    if let encoder, written != nil || !encoder.stop.isEmpty {
      observer.endsCompletion = { request, sample, tokens in
        if let written {
          let place = request * count + sample
          let piece = streams[place, default: TextStream(encoder)].append(tokens)
          if !piece.isEmpty { written(request, sample, piece) }
        }
        return encoder.hasStopString(tokens)
      }
    }
    observer.completed = { [encoder] request, sample, completion in
      let text = encoder?.text(of: completion.tokens) ?? ""
      if let written, let encoder {
        let place = request * count + sample
        let rest = streams[place, default: TextStream(encoder)].rest(of: text)
        streams[place] = nil
        if !rest.isEmpty { written(request, sample, rest) }
      }
      completed(
        SampledCompletion(request: request, sample: sample, text: text, completion: completion))
    }
    let asked = requests.enumerated().map { index, request in
      GenerationRequest(prompt: request.tokens, samples: count, draw: index)
    }
    let key = GenerationKey(seed: seed, purpose: .sampling, step: 0)
    return engine.generate(asked, settings: settings, key: key, observer: observer) != nil
  }
}

/// The text of a growing completion, given out as soon as nothing can take it back.
///
/// What may yet become a character or a stop string is held back.
struct TextStream {
  private var decoder: IncrementalDecoder
  private let stop: [String]
  private let heldBack: Int
  private var count = 0
  private var text = ""
  private var given = 0

  init(_ encoder: PromptEncoder) {
    decoder = encoder.tokenizer.makeIncrementalDecoder(skipSpecialTokens: true)
    stop = encoder.stop
    heldBack = max(0, (encoder.stop.map(\.unicodeScalars.count).max() ?? 0) - 1)
  }

  /// The piece that the newest of the completion's tokens settles.
  mutating func append(_ tokens: [TokenID]) -> String {
    for token in tokens[count...] { text += decoder.append(token) }
    count = tokens.count
    // The newest token may have brought a whole stop string: nothing from its start on is given.
    let starts = stop.compactMap { text.range(of: $0)?.lowerBound }
    let end = starts.min().map { text.unicodeScalars.distance(from: text.startIndex, to: $0) }
    return take(upTo: min(end ?? .max, text.unicodeScalars.count - heldBack))
  }

  /// What of the whole text was not given yet.
  mutating func rest(of whole: String) -> String {
    text = whole
    return take(upTo: whole.unicodeScalars.count)
  }

  private mutating func take(upTo end: Int) -> String {
    guard end > given else { return "" }
    let scalars = text.unicodeScalars
    let start = scalars.index(scalars.startIndex, offsetBy: given)
    let stop = scalars.index(scalars.startIndex, offsetBy: end)
    given = end
    return String(scalars[start..<stop])
  }
}
