import Rollouts
import Tensors
import Testing

@testable import Transformer

/// Trajectories of several turns: what is observed is run and not sampled, and sampler and trainer agree.
@Suite("Several turns: one policy, whenever answers come")
struct TurnsTests {
  /// Answers of varied lengths, some across blocks, whose arrival a test chooses.
  final class Script {
    /// Every so many polls an answer comes; answers wait in between.
    let patience: Int
    private var waiting: [TurnAnswer] = []
    private var polls = 0
    private var turns: [[Int]: Int] = [:]

    init(patience: Int) { self.patience = patience }

    func awaits(_ request: Int, _ sample: Int, _ completion: GeneratedCompletion) -> Bool {
      let turn = turns[[request, sample], default: 0]
      turns[[request, sample]] = turn + 1
      guard turn < 3 else { return false }
      let length = [1, 17, 5][turn] + (request + sample) % 3
      let tokens = (0..<length).map { TokenID(2 + ($0 * 7 + request + turn) % 20) }
      waiting.append(TurnAnswer(request: request, sample: sample, .observed(tokens)))
      return true
    }

    func answers(_ isIdle: Bool) -> [TurnAnswer] {
      polls += 1
      guard polls % patience == 0 || isIdle else { return [] }
      // The last to wait is the first to go on.
      return waiting.popLast().map { [$0] } ?? []
    }
  }

  private static func generate(
    _ model: LanguageModel, _ settings: SamplingSettings, patience: Int, concurrency: Int
  ) throws -> [[GeneratedCompletion]] {
    let script = Script(patience: patience)
    var observer = GenerationObserver()
    observer.awaitsAnswer = script.awaits
    observer.answers = script.answers
    return try #require(
      GenerationEngine(model, concurrency: concurrency).generate(
        OnePolicyTests.requests(model), settings: settings, key: OnePolicyTests.key,
        observer: observer))
  }

  private static func settings(_ model: LanguageModel) -> SamplingSettings {
    // Many end tokens, so that turns are short and there are several.
    SamplingSettings(maxNewTokens: 60, endTokens: (0..<12).map { TokenID($0) })
  }

  @Test(
    "sampled, scored and trained log-probabilities are the same bits", arguments: SmallModel.all)
  func onePolicy(small: SmallModel) throws {
    let model = try small.make(compute: Compute(threads: 2))
    let settings = Self.settings(model)
    let requests = OnePolicyTests.requests(model)
    let generated = try Self.generate(model, settings, patience: 2, concurrency: 7)
    let completions = generated.flatMap { $0 }
    #expect(completions.contains { $0.segments.count >= 5 })
    for completion in completions where !completion.segments.isEmpty {
      #expect(completion.segments.reduce(0) { $0 + $1.count } == completion.tokens.count)
      #expect(completion.segments.last?.origin == .sampled)
      #expect(
        completion.statistics.logProbabilities.count
          == completion.tokens.count - completion.segments.observedCount)
    }
    let groups = zip(requests, generated).map { request, completions in
      TokenGroup(
        prompt: request.prompt, completions: completions.map(\.tokens),
        observed: completions.map(\.segments.observedRanges))
    }
    let batch = PackedBatch(groups)
    let sampled = TokenStatistics(
      logProbabilities: completions.flatMap(\.statistics.logProbabilities),
      entropies: completions.flatMap(\.statistics.entropies))
    let scored = ScoringPass(model).score(batch, under: Distribution())
    let trained = TrainingPass(model).forward(batch, under: Distribution())
    #expect(sampled.logProbabilities.count == batch.targets.count)
    #expect(scored.bits == sampled.bits)
    #expect(trained.bits == sampled.bits)
  }

  @Test("what is sampled depends neither on when answers come nor on the batch")
  func arrival() throws {
    let model = try SmallModel.qwen3.make(compute: Compute(threads: 2))
    let settings = Self.settings(model)
    let first = try Self.generate(model, settings, patience: 1, concurrency: 128)
    for (patience, concurrency) in [(3, 128), (9, 2), (1, 1)] {
      let again = try Self.generate(model, settings, patience: patience, concurrency: concurrency)
      for (mine, other) in zip(first.joined(), again.joined()) {
        #expect(mine.tokens == other.tokens && mine.segments == other.segments)
        #expect(mine.finish == other.finish)
      }
    }
  }

  @Test("an answer that does not fit ends the completion as truncated, and is not in it")
  func overflow() throws {
    let model = try SmallModel.llama.make()
    var settings = Self.settings(model)
    settings.maxNewTokens = 12
    var observer = GenerationObserver()
    var waiting: [TurnAnswer] = []
    observer.awaitsAnswer = { request, sample, _ in
      waiting.append(
        TurnAnswer(request: request, sample: sample, .observed(Array(repeating: 5, count: 12))))
      return true
    }
    observer.answers = { _ in
      defer { waiting = [] }
      return waiting
    }
    let drawn = try #require(
      GenerationEngine(model).generate(
        [GenerationRequest(prompt: [7], samples: 30, draw: 0)], settings: settings,
        key: OnePolicyTests.key, observer: observer))
    #expect(drawn[0].allSatisfy { $0.finish == .length && $0.segments.isEmpty })
  }

  @Test("a turn is cut at its own length, and has no next one")
  func turnLength() throws {
    let model = try SmallModel.llama.make()
    var settings = Self.settings(model)
    settings.maxTurnTokens = 4
    let drawn = try Self.generate(model, settings, patience: 1, concurrency: 128).flatMap { $0 }
    #expect(drawn.contains { $0.finish == .length && $0.segments.count > 1 })
    for completion in drawn {
      let turns =
        completion.segments.isEmpty
        ? [completion.tokens.count]
        : completion.segments.filter { $0.origin == .sampled }.map(\.count)
      #expect(turns.allSatisfy { $0 <= 4 })
      #expect(completion.finish == .stop || turns.last == 4)
    }
  }
}
