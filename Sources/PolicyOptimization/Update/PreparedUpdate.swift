// The loss of one update, split so that it can be computed completion by completion, in any order
// and in any micro-batches, without changing:
//
//   loss = Σ_i [ c_i Σ_t m_it ( L_it·keep_it·u_it + β k_it w_it? )  −  c_H Σ_t m'_it H_it ]
//
// What needs the whole update (c_i, c_H, the entropy threshold) is fixed here, from what is known
// before the forward pass. The evaluation of one completion is in CompletionEvaluation.swift.

/// An update whose denominators and masks are fixed.
public struct PreparedUpdate: Sendable {
  /// The settings of the objective.
  public let settings: ObjectiveSettings
  /// Where the update stands in its rollout.
  public let context: UpdateContext
  /// The completions in order.
  public let completions: [CompletionInput]
  /// The tokens of each completion that count, after truncated completions are masked.
  public let masks: [TokenMask]

  /// c_i: what each token loss of a completion is multiplied with.
  let weights: [Double]
  /// The top-entropy mask.
  let entropyMask: EntropyMask
  /// c_H: what each entropy is multiplied with in the loss, with its sign reversed.
  let entropyWeight: Double
  /// u_it.
  let samplerWeights: [SamplerWeights]
  let surrogate: any Surrogate
  let kl: KLPenalty

  /// Fixes the denominators and masks of an update.
  ///
  /// - Parameters:
  ///   - completions: every completion of the update, whole groups together.
  ///   - settings: the conventions, already validated.
  ///   - context: where the update stands in its rollout.
  /// - Throws: `ObjectiveError` naming the completion whose numbers are missing, misshapen or not
  ///   finite.
  /// - Complexity: O(tokens), or O(tokens · log tokens) with a top-entropy mask.
  public init(
    completions: [CompletionInput], settings: ObjectiveSettings, context: UpdateContext
  ) throws(ObjectiveError) {
    self.settings = settings
    self.context = context
    self.completions = completions
    var masks: [TokenMask] = []
    masks.reserveCapacity(completions.count)
    for index in completions.indices {
      try Self.check(completions[index], at: index, settings: settings)
      masks.append(Self.mask(of: completions[index], settings: settings))
    }
    self.masks = masks
    weights = settings.normalizer.weights(
      counts: masks.map(\.count), groups: completions.map(\.group), context: context)
    entropyMask = Self.entropyMask(of: completions, masks: masks, settings: settings)
    let bonusTokens = Self.bonusTokens(completions, masks: masks, entropyMask: entropyMask)
    let coefficient = context.entropyCoefficient ?? settings.entropyCoefficient
    entropyWeight =
      settings.hasEntropyBonus
      ? coefficient / Double(max(bonusTokens, 1)) / Double(context.accumulationSteps) : 0
    samplerWeights = completions.indices.map { index in
      guard settings.correctsSampler, let old = completions[index].oldLogProbabilities,
        let sampler = completions[index].samplerLogProbabilities
      else { return .none }
      return settings.samplerWeights(old: old, sampler: sampler, mask: masks[index])
    }
    surrogate = settings.makeSurrogate()
    kl = KLPenalty(settings)
  }

  /// The unmasked tokens of the update.
  public var tokenCount: Int { masks.reduce(0) { $0 + $1.count } }

  /// The mask that a completion has under these settings; a trainer sums its count for
  /// `rolloutTokens`.
  public static func mask(of completion: CompletionInput, settings: ObjectiveSettings) -> TokenMask
  {
    if settings.masksTruncatedCompletions && completion.isTruncated { return .none }
    return completion.mask.map(TokenMask.init) ?? .all(completion.length)
  }

  private static func check(
    _ completion: CompletionInput, at index: Int, settings: ObjectiveSettings
  ) throws(ObjectiveError) {
    let length = completion.length
    switch completion.advantages {
    case .uniform(let advantage):
      guard advantage.isFinite else {
        throw .notFinite(name: "the advantage", completion: index, token: nil, value: advantage)
      }
    case .perToken(let advantages):
      try advantages.check("the advantage", completion: index, length: length)
    }
    try completion.oldLogProbabilities?.check(
      "the old log-probability", completion: index, length: length)
    try completion.samplerLogProbabilities?.check(
      "the sampler's log-probability", completion: index, length: length)
    try completion.referenceLogProbabilities?.check(
      "the reference log-probability", completion: index, length: length)
    try completion.entropies?.check("the entropy", completion: index, length: length)
    if let mask = completion.mask, mask.count != length {
      throw .wrongLength(
        name: "the mask", completion: index, expected: length, found: mask.count)
    }
    if settings.hasKLInLoss && completion.referenceLogProbabilities == nil {
      throw .missing(
        name: "reference log-probabilities", completion: index,
        because: "beta \(settings.beta) (0 needs no reference)")
    }
    if settings.topEntropyQuantile < 1 && completion.entropies == nil {
      throw .missing(
        name: "entropies", completion: index,
        because: "top_entropy_quantile \(settings.topEntropyQuantile) (1 needs none)")
    }
  }

  private static func entropyMask(
    of completions: [CompletionInput], masks: [TokenMask], settings: ObjectiveSettings
  ) -> EntropyMask {
    guard settings.topEntropyQuantile < 1 else { return .everything }
    var entropies: [Double] = []
    for (completion, mask) in zip(completions, masks) {
      guard let values = completion.entropies else { continue }
      for token in values.indices where mask[token] { entropies.append(values[token]) }
    }
    return EntropyMask(
      entropies: entropies, share: settings.topEntropyQuantile,
      inFloat32: settings.float32Constants)
  }

  /// How many tokens the entropy bonus acts on.
  private static func bonusTokens(
    _ completions: [CompletionInput], masks: [TokenMask], entropyMask: EntropyMask
  ) -> Int {
    guard entropyMask.threshold != nil else { return masks.reduce(0) { $0 + $1.count } }
    var count = 0
    for (completion, mask) in zip(completions, masks) {
      guard let values = completion.entropies else { continue }
      for token in values.indices
      where mask[token] && entropyMask.keeps(entropy: values[token]) {
        count += 1
      }
    }
    return count
  }
}
