import Rollouts
import Tensors

/// How tokens are drawn from the policy.
public struct SamplingSettings: Sendable, Equatable {
  /// Logits are divided by it; 0 takes the likeliest token (evaluation only).
  public var temperature: Float
  /// Keep the k likeliest tokens, ties with the last included; 0 keeps all.
  public var topK: Int
  /// Keep the smallest set of likeliest tokens whose mass reaches it; 1 keeps all.
  public var topP: Float
  /// Keep tokens at least this share as likely as the likeliest; 0 keeps all.
  public var minP: Float
  /// End tokens are excluded before this many tokens.
  public var minNewTokens: Int
  /// A completion is cut here; what is observed between turns counts.
  public var maxNewTokens: Int
  /// One turn is cut here.
  public var maxTurnTokens: Int = .max
  /// Tokens that end a completion.
  public var endTokens: [TokenID]

  /// Makes settings; the defaults draw from the full softmax.
  public init(
    temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0,
    minNewTokens: Int = 0, maxNewTokens: Int = 512, endTokens: [TokenID] = []
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.minNewTokens = minNewTokens
    self.maxNewTokens = maxNewTokens
    self.endTokens = endTokens.sorted()
  }

  /// What of the distribution tokens are drawn from.
  var truncation: Truncation {
    Truncation(temperature: temperature, topK: topK, topP: topP, minP: minP)
  }

  /// The tokens that can't be drawn as the completion's `index`-th token.
  func excluded(at index: Int) -> [TokenID] { index < minNewTokens ? endTokens : [] }
}
