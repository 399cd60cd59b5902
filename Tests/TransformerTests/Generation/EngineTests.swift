import Rollouts
import Tensors
import Testing

@testable import Transformer

@Suite("Generation engine")
struct EngineTests {
  private static let key = GenerationKey(seed: 2, purpose: .sampling, step: 0)

  @Test("a completion ends at an end token, at its length, or at the end of the context")
  func finishes() throws {
    let model = try SmallModel.llama.make()
    let long = Array(repeating: TokenID(7), count: 250)
    let requests = [
      GenerationRequest(prompt: [7], samples: 20, draw: 0),
      GenerationRequest(prompt: long, samples: 20, draw: 1),
    ]
    let settings = SamplingSettings(maxNewTokens: 30, endTokens: [0, 1])
    let drawn = try #require(
      GenerationEngine(model).generate(requests, settings: settings, key: Self.key))
    for (completions, room) in zip(drawn, [30, 6]) {
      for completion in completions {
        let ends = completion.tokens.indices.filter { [0, 1].contains(completion.tokens[$0]) }
        if completion.finish == .stop {
          #expect(ends == [completion.tokens.count - 1])
        } else {
          #expect(ends.isEmpty && completion.tokens.count == room)
        }
      }
    }
    #expect(Set(drawn[0].map(\.finish)).count == 2)
  }

  @Test("no end token comes before min_new_tokens")
  func minimum() throws {
    let model = try SmallModel.llama.make()
    let settings = SamplingSettings(minNewTokens: 12, maxNewTokens: 40, endTokens: [0, 1, 2, 3])
    let drawn = try #require(
      GenerationEngine(model).generate(
        [GenerationRequest(prompt: [9, 9], samples: 30, draw: 0)], settings: settings,
        key: Self.key))
    #expect(drawn[0].allSatisfy { $0.tokens.count > 12 })
    #expect(drawn[0].contains { $0.finish == .stop })
  }

  @Test("an observer ends completions, hears of each once, and can give up")
  func observers() throws {
    let model = try SmallModel.llama.make()
    let requests = (0..<5).map {
      GenerationRequest(prompt: [5, TokenID($0)], samples: 3, draw: $0)
    }
    var heard: [String] = []
    var observer = GenerationObserver()
    observer.endsCompletion = { _, _, tokens in tokens.count == 4 }
    observer.completed = { request, sample, _ in heard.append("\(request)/\(sample)") }
    let settings = SamplingSettings(maxNewTokens: 9)
    let engine = GenerationEngine(model, concurrency: 4)
    let drawn = try #require(
      engine.generate(requests, settings: settings, key: Self.key, observer: observer))
    #expect(drawn.joined().allSatisfy { $0.tokens.count == 4 && $0.finish == .stop })
    #expect(heard.count == 15 && Set(heard).count == 15)
    var looks = 0
    observer.isCancelled = {
      looks += 1
      return looks > 3
    }
    #expect(
      engine.generate(requests, settings: settings, key: Self.key, observer: observer) == nil)
  }

  @Test("temperature 0 takes the likeliest token, ties to the lowest id")
  func greedy() throws {
    let model = try SmallModel.qwen2.make()
    let settings = SamplingSettings(temperature: 0, maxNewTokens: 12)
    let drawn = try #require(
      GenerationEngine(model).generate(
        [GenerationRequest(prompt: [3, 1, 4], samples: 2, draw: 0)], settings: settings,
        key: Self.key))[0]
    #expect(drawn[0].tokens == drawn[1].tokens)
    let pass = ScoringPass(model)
    for (index, token) in drawn[0].tokens.enumerated() {
      let prompt = [3, 1, 4] + drawn[0].tokens[..<index]
      let all = (0..<TokenID(model.configuration.vocabularySize)).map { [$0] }
      let scores = pass.score([TokenGroup(prompt: prompt, completions: all)])[0]
        .map { $0.logProbabilities[0] }
      #expect(scores.max() == scores[Int(token)])
    }
  }

  @Test("no requests and no samples are no work")
  func nothing() throws {
    let model = try SmallModel.llama.make()
    let engine = GenerationEngine(model)
    #expect(engine.generate([], settings: SamplingSettings(), key: Self.key)?.isEmpty == true)
    let none = engine.generate(
      [GenerationRequest(prompt: [1], samples: 0, draw: 0)], settings: SamplingSettings(),
      key: Self.key)
    #expect(none?.count == 1 && none?[0].isEmpty == true)
  }
}
