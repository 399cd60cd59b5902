import Foundation
import Rollouts
import Tensors
import Testing
import TrajectoryStore
import Transformer

@testable import Training

/// `grpo score` and the reference pass give the sampler's bits, over random shapes and batches of 1 to 64.
@Suite("One policy: scoring and reference say what the sampler said")
struct OnePolicyInTrainingTests {
  /// A model whose shape a number picks.
  private func model(_ number: Int, compute: Compute) throws -> LanguageModel {
    let keyValueHeads = 1 + number % 2
    let heads = keyValueHeads * (1 + number % 3)
    let configuration = try ModelConfiguration.llama(
      vocabularySize: 19 + 7 * number, hiddenSize: heads * 8 * (1 + number % 2),
      intermediateSize: 24 + 8 * (number % 5), layerCount: 1 + number % 3, headCount: heads,
      keyValueHeadCount: keyValueHeads, maximumPositions: 96, endTokenIDs: [0])
    return LanguageModel(
      Parameters(initializing: configuration, seed: UInt64(number), deviation: 0.3),
      compute: compute)
  }

  /// So many completions, drawn together, in groups of one to five.
  private func rollout(_ model: LanguageModel, count: Int) throws -> StepRecord {
    var requests: [GenerationRequest] = []
    var left = count
    while left > 0 {
      let samples = min(left, 1 + requests.count * 2 % 5)
      let length = 1 + (requests.count * 13 + count) % 37
      let prompt = (0..<length).map {
        TokenID(($0 * 5 + requests.count) % model.configuration.vocabularySize)
      }
      requests.append(GenerationRequest(prompt: prompt, samples: samples, draw: requests.count))
      left -= samples
    }
    let drawn = try #require(
      GenerationEngine(model, concurrency: count).generate(
        requests, settings: SamplingSettings(maxNewTokens: 20, endTokens: [0]),
        key: GenerationKey(seed: 3, purpose: .sampling, step: 1)))
    let groups = zip(requests, drawn).map { request, completions in
      GroupRecord(
        problem: Problem(index: request.draw, prompt: .text("")), promptTokens: request.prompt,
        draw: request.draw,
        completions: completions.enumerated().map {
          CompletionRecord($1, text: "", sample: $0)
        })
    }
    return StepRecord(step: 1, policyStep: 0, groups: groups)
  }

  private func bits(_ values: [Float]?) -> [UInt32] { (values ?? []).map(\.bitPattern) }

  @Test(
    "whatever the shape, the batch and the threads",
    arguments: [1, 2, 3, 5, 8, 13, 31, 32, 33, 63, 64])
  func shapesAndBatches(count: Int) throws {
    let drawing = try model(count, compute: Compute(threads: 2))
    let rollout = try rollout(drawing, count: count)
    let completions = rollout.groups.flatMap(\.completions)

    // As `grpo score` reads it: from files, on one thread, in batches of another size.
    let folder = try TemporaryFolder()
    try ModelWriter.write(drawing.configuration, elementType: .float32, to: folder.url)
    try drawing.parameters.write(to: folder["model.safetensors"])
    let policy = try Policy(folder: folder.url, compute: Compute(threads: 1))
    let asked = rollout.groups.flatMap { group in
      group.completions.map { (prompt: group.promptTokens, completion: $0.completion.tokens) }
    }
    for rowLimit in [1, 64, 4096] {
      var place = 0
      RolloutScorer(policy, rowLimit: rowLimit).score(asked) { statistics in
        let completion = completions[place]
        place += 1
        #expect(bits(statistics.logProbabilities) == bits(completion.samplerLogProbabilities))
        #expect(bits(statistics.entropies) == bits(completion.entropies))
      }
      #expect(place == count)
    }

    var referred = rollout
    ReferenceModel(
      Parameters(copying: drawing.parameters, compute: drawing.compute), compute: drawing.compute,
      temperature: 1
    ).score(&referred, rowLimit: 50)
    for completion in referred.groups.flatMap(\.completions) {
      #expect(
        bits(completion.referenceLogProbabilities) == bits(completion.samplerLogProbabilities))
    }
  }
}
