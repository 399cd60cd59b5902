import Rollouts
import Tensors
import Testing

@testable import Transformer

/// The policy that acted is the policy that learns: sampler, scoring pass and training pass agree in
/// every bit, whatever stands beside a token.
@Suite("One policy: sampler = scoring = training, bit for bit")
struct OnePolicyTests {
  /// Prompts on both sides of a block's end (16 positions), and completions that cross one or two.
  static let promptLengths = [1, 15, 16, 17, 31, 32, 33, 40]

  static func requests(_ model: LanguageModel, samples: Int = 3) -> [GenerationRequest] {
    promptLengths.enumerated().map { index, length in
      GenerationRequest(
        prompt: randomTokens(
          length, below: model.configuration.vocabularySize, stream: index),
        samples: samples, draw: index)
    }
  }

  static let key = GenerationKey(seed: 7, purpose: .sampling, step: 3)

  static func settings(
    _ change: (inout SamplingSettings) -> Void = { _ in }
  ) -> SamplingSettings {
    var settings = SamplingSettings(maxNewTokens: 24, endTokens: [0, 1])
    change(&settings)
    return settings
  }

  static func generate(
    _ model: LanguageModel, _ requests: [GenerationRequest], _ settings: SamplingSettings,
    concurrency: Int = 128
  ) throws -> [[GeneratedCompletion]] {
    try #require(
      GenerationEngine(model, concurrency: concurrency).generate(
        requests, settings: settings, key: key))
  }

  /// Compares what was logged at sampling with the other two passes over the same tokens.
  static func expectOnePolicy(
    _ model: LanguageModel, _ settings: SamplingSettings, requests: [GenerationRequest],
    concurrency: Int = 128, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let generated = try generate(model, requests, settings, concurrency: concurrency)
    let groups = zip(requests, generated).map { request, completions in
      TokenGroup(prompt: request.prompt, completions: completions.map(\.tokens))
    }
    let completions = generated.flatMap { $0 }
    let batch = PackedBatch(groups)
    let distribution = Distribution(
      temperature: settings.temperature,
      keptSets: completions.flatMap { completion -> [KeptSet?] in
        completion.keptSets.isEmpty
          ? completion.tokens.map { _ in nil } : completion.keptSets
      })
    let sampled = TokenStatistics(
      logProbabilities: completions.flatMap(\.statistics.logProbabilities),
      entropies: completions.flatMap(\.statistics.entropies))
    let scored = ScoringPass(model).score(batch, under: distribution)
    let trained = TrainingPass(model).forward(batch, under: distribution)
    #expect(sampled.logProbabilities.count == batch.targets.count, sourceLocation: sourceLocation)
    #expect(sampled.logProbabilities.allSatisfy { $0.isFinite }, sourceLocation: sourceLocation)
    #expect(scored.bits == sampled.bits, sourceLocation: sourceLocation)
    #expect(trained.bits == sampled.bits, sourceLocation: sourceLocation)
  }

  @Test("every family, on one thread and on two", arguments: SmallModel.all, [1, 2])
  func families(small: SmallModel, threads: Int) throws {
    let model = try small.make(compute: Compute(threads: threads))
    try Self.expectOnePolicy(model, Self.settings(), requests: Self.requests(model))
  }

  @Test("batches of one, three and sixty-four", arguments: [1, 3, 64])
  func batches(concurrency: Int) throws {
    let model = try SmallModel.qwen3.make(compute: Compute(threads: 2))
    try Self.expectOnePolicy(
      model, Self.settings(), requests: Self.requests(model, samples: 8),
      concurrency: concurrency)
  }

  @Test(
    "every truncation",
    arguments: [
      SamplingSettings(temperature: 0.7), SamplingSettings(temperature: 1.9),
      SamplingSettings(topK: 5), SamplingSettings(topP: 0.8), SamplingSettings(minP: 0.1),
      SamplingSettings(minNewTokens: 10),
      SamplingSettings(temperature: 1.3, topK: 20, topP: 0.9, minP: 0.02, minNewTokens: 6),
      SamplingSettings(topK: 1),
    ])
  func truncations(settings: SamplingSettings) throws {
    var settings = settings
    settings.maxNewTokens = 24
    settings.endTokens = [0, 1]
    let model = try SmallModel.llama.make(compute: Compute(threads: 2))
    try Self.expectOnePolicy(model, settings, requests: Self.requests(model))
  }

  @Test("random shapes and families", arguments: 0..<12)
  func randomShapes(number: Int) throws {
    let model = try SmallModel(random: number).make(
      seed: UInt64(number), compute: Compute(threads: 1 + number % 2))
    let settings = Self.settings { $0.topP = number % 3 == 0 ? 0.9 : 1 }
    try Self.expectOnePolicy(model, settings, requests: Self.requests(model, samples: 2))
  }

  @Test(
    "every instruction-set table draws the same bits",
    arguments: InstructionSet.allCases.filter(\.isSupported), SmallModel.all)
  func instructionSets(set: InstructionSet, small: SmallModel) throws {
    func drawn(_ set: InstructionSet) throws -> [[UInt32]] {
      let model = try small.make(compute: Compute(threads: 1, instructionSet: set))
      let requests = Array(Self.requests(model, samples: 2).prefix(4))
      let settings = Self.settings { $0.maxNewTokens = 18 }
      try Self.expectOnePolicy(model, settings, requests: requests)
      return try Self.generate(model, requests, settings).joined().map(\.fingerprint)
    }
    #expect(try drawn(set) == drawn(.best))
  }

  @Test("concurrency, order of requests and threads change nothing that is drawn")
  func whatStandsBeside() throws {
    let model = try SmallModel.windowed.make()
    let requests = Self.requests(model, samples: 4)
    let whole = try Self.generate(model, requests, Self.settings()).map { $0.map(\.fingerprint) }
    for concurrency in [1, 3, 5, 64] {
      let other = try Self.generate(
        model, requests, Self.settings(), concurrency: concurrency)
      #expect(other.map { $0.map(\.fingerprint) } == whole, "concurrency \(concurrency)")
    }
    let backwards = try Self.generate(model, requests.reversed(), Self.settings(), concurrency: 7)
    #expect(backwards.reversed().map { $0.map(\.fingerprint) } == whole)
    let threaded = try Self.generate(
      SmallModel.windowed.make(compute: Compute(threads: 2)), requests, Self.settings())
    #expect(threaded.map { $0.map(\.fingerprint) } == whole)
    for (index, request) in requests.enumerated() {
      for sample in 0..<request.samples {
        let alone = GenerationRequest(
          prompt: request.prompt, samples: 1, draw: request.draw, firstSample: sample)
        let again = try Self.generate(model, [alone], Self.settings())
        #expect(again[0][0].fingerprint == whole[index][sample])
      }
    }
  }

  @Test("a problem drawn twice in a step differs; so do seeds, steps and purposes")
  func keys() throws {
    let model = try SmallModel.llama.make()
    func draw(_ draw: Int, _ key: GenerationKey) throws -> [[UInt32]] {
      let request = GenerationRequest(prompt: [5, 9, 3], samples: 4, draw: draw)
      let drawn = GenerationEngine(model).generate(
        [request], settings: Self.settings(), key: key)
      return try #require(drawn)[0].map(\.fingerprint)
    }
    let keys = [
      GenerationKey(seed: 1, purpose: .sampling, step: 1),
      GenerationKey(seed: 2, purpose: .sampling, step: 1),
      GenerationKey(seed: 1, purpose: .sampling, step: 2),
      GenerationKey(seed: 1, purpose: .evaluation, step: 1),
    ]
    var seen = try Set(keys.map { try draw(0, $0) })
    seen.insert(try draw(1, keys[0]))
    #expect(seen.count == 5)
    #expect(try draw(0, keys[0]) == draw(0, keys[0]))
  }

  @Test("cached decoding is the full forward, at every cut between prompt and completion")
  func cutsOfASequence() throws {
    let model = try SmallModel.qwen2.make()
    let tokens = randomTokens(50, below: model.configuration.vocabularySize, stream: 77)
    let pass = ScoringPass(model)
    func statistics(from cut: Int) -> TokenStatistics {
      pass.score([TokenGroup(prompt: Array(tokens[..<cut]), completions: [Array(tokens[cut...])])])[
        0][0]
    }
    let whole = statistics(from: 1)
    for cut in 2..<tokens.count {
      #expect(
        statistics(from: cut).bits == whole[(cut - 1)..<(tokens.count - 1)].bits, "cut \(cut)")
    }
  }

  @Test("packed groups are groups one by one", arguments: SmallModel.all)
  func packing(small: SmallModel) throws {
    let model = try small.make(compute: Compute(threads: 2))
    let vocabulary = model.configuration.vocabularySize
    let groups = Self.promptLengths.enumerated().map { index, length in
      TokenGroup(
        prompt: randomTokens(length, below: vocabulary, stream: index),
        completions: [0, 1, 2, 16, 17, 30].map {
          randomTokens($0, below: vocabulary, stream: 100 + 10 * index + $0)
        })
    }
    let pass = ScoringPass(model)
    let packed = pass.score(groups)
    let cut = pass.score(groups, rowLimit: 64)
    for (index, group) in groups.enumerated() {
      for (place, completion) in group.completions.enumerated() {
        let alone = pass.score([TokenGroup(prompt: group.prompt, completions: [completion])])
        #expect(packed[index][place].bits == alone[0][0].bits)
        #expect(cut[index][place].bits == alone[0][0].bits)
      }
    }
  }
}
