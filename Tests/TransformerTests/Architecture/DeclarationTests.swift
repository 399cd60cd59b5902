import Rollouts
import Tensors
import Testing

@testable import Transformer

@Suite("What parts declare")
struct DeclarationTests {
  @Test("is what a training pass takes, float for float", arguments: SmallModel.all, [false, true])
  func rowCosts(small: SmallModel, recomputes: Bool) throws {
    for parameters in [try small.make().parameters, try small.adapted()] {
      let model = LanguageModel(parameters, compute: Compute(threads: 1))
      let pass = TrainingPass(model, recomputesActivations: recomputes)
      let batch = PackedBatch(AdapterTests.groups)
      _ = pass.forward(batch)
      pass.backward(dLogProbability: batch.targets.map { _ in 1 })
      let costs = model.configuration.rowCosts(adapter: parameters.adapter)
      // Memory that layers share is counted once, by its identity.
      var seen: Set<ObjectIdentifier> = []
      var saved = 0
      for scratch in pass.saved.flatMap(\.memory)
      where seen.insert(ObjectIdentifier(scratch)).inserted {
        saved += scratch.capacity
      }
      let layers = model.configuration.layerCount
      let expected =
        recomputes
        ? (layers - 1) * costs.layerInput + costs.savedInTurn
        : costs.savedOfLayers.reduce(0, +)
      #expect(saved == batch.rowCount * expected)
      let scratch = model.scratch.memory.reduce(0) { $0 + $1.capacity }
      #expect(scratch == batch.rowCount * (costs.forwardScratch + costs.backwardScratch))
    }
  }

  @Test("norms and biases do not decay, and only linear maps of layers are adapted")
  func roles() throws {
    let model = try SmallModel.biased.configuration()
    for tensor in model.tensorDeclarations {
      let name = tensor.specification.name
      #expect(tensor.role.decays == (tensor.specification.shape.count == 2), "\(name)")
      #expect(tensor.role.isAdaptable == name.hasSuffix("_proj.weight"), "\(name)")
    }
    #expect(model.linearLayers.count == 7 * model.layerCount)
  }

  @Test("GPT-2's matrices are transposed in files, and its positions are an embedding")
  func gpt2() throws {
    let tensors = try SmallModel.gpt2.configuration().tensorDeclarations
    func tensor(_ name: String) throws -> TensorDeclaration {
      try #require(tensors.first { $0.specification.name == "transformer." + name })
    }
    #expect(try tensor("wpe.weight").specification.shape == [256, 36])
    let fused = try tensor("h.1.attn.c_attn.weight")
    #expect(
      fused.specification
        == TensorSpecification(
          "transformer.h.1.attn.c_attn.weight", [36, 108], isTransposed: true))
    #expect(fused.role.isAdaptable)
    #expect(try !tensor("wpe.weight").role.isAdaptable)
    #expect(try tensor("h.0.ln_2.bias").role == .bias)
    #expect(tensors.count == 2 + 2 * 12 + 2)
  }

  @Test("a token's flops are those of its products and of attention")
  func flops() throws {
    let model = try ModelConfiguration.llama(
      vocabularySize: 100, hiddenSize: 64, intermediateSize: 96, layerCount: 3, headCount: 8,
      keyValueHeadCount: 2, maximumPositions: 512)
    let products = 2 * (64 * 64 * 2 + 64 * 16 * 2 + 3 * 64 * 96)
    #expect(model.flops(context: 10, meetsVocabulary: false) == 3 * (products + 4 * 10 * 64))
    #expect(
      model.flops(context: 10) - model.flops(context: 10, meetsVocabulary: false) == 2 * 100 * 64)
    // A window bounds what a token sees.
    let windowed = try SmallModel.windowed.configuration()
    #expect(windowed.flops(context: 100) == windowed.flops(context: 21))
  }

  @Test("a cache holds keys and values of every layer")
  func cache() throws {
    let model = try ModelConfiguration.llama(
      vocabularySize: 100, hiddenSize: 64, intermediateSize: 96, layerCount: 3, headCount: 4,
      keyValueHeadCount: 2, maximumPositions: 512)
    #expect(model.cacheBytesPerToken() == 3 * 2 * 2 * 16 * 4)
    // Of latent attention the latent and the rotated key alone.
    let latent = try SmallModel.latent.configuration()
    #expect(latent.cacheBytesPerToken() == 2 * (21 + 6) * 4)
  }
}

@Suite("The arena of gradients")
struct GradientsTests {
  @Test(
    "lies in the order in which a backward pass finishes, and each range is final when it is announced",
    arguments: SmallModel.all, [false, true])
  func announcements(small: SmallModel, isAdapted: Bool) throws {
    let parameters = isAdapted ? try small.adapted() : try small.make().parameters
    let model = LanguageModel(parameters, compute: Compute(threads: 2))
    let pass = TrainingPass(model)
    let batch = PackedBatch(AdapterTests.groups)
    var ranges: [Range<Int>] = []
    var announced: [Float] = []
    // The first micro-batch is not announced; the last one is.
    for isLast in [false, true] {
      _ = pass.forward(batch)
      pass.backward(
        dLogProbability: batch.targets.indices.map { Float($0 % 3) - 1 },
        finished: isLast
          ? { range in
            ranges.append(range)
            announced += pass.gradients.arena.elements(range).values
          } : nil)
    }
    #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == pass.gradients.arena.count)
    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    #expect(announced.map(\.bitPattern) == pass.gradients.arena.values.map(\.bitPattern))
    // A block each, and what stands around the layers; a block whose maps are stacked has no adapters.
    let layers = model.configuration.layerCount
    #expect(ranges.count >= (isAdapted ? 1 : 2) * layers && ranges.count <= 2 * layers + 2)
  }

  @Test("holds every trained tensor once, aligned, with zeros between", arguments: SmallModel.all)
  func layout(small: SmallModel) throws {
    let parameters = try small.make().parameters
    let layout = parameters.arenaLayout
    var end = 0
    for (range, tensor) in zip(layout.ranges, parameters.trained).reversed() {
      #expect(range.lowerBound == (end + 15) / 16 * 16)
      #expect(range.count == tensor.specification.storedCount)
      end = range.upperBound
    }
    #expect(layout.count == (end + 15) / 16 * 16)
  }

  @Test("a batch without targets finishes everything at once")
  func noTargets() throws {
    let model = try SmallModel.llama.make()
    let pass = TrainingPass(model)
    _ = pass.forward(PackedBatch([TokenGroup(prompt: [1, 2], completions: [])]))
    var ranges: [Range<Int>] = []
    pass.backward(dLogProbability: []) { ranges.append($0) }
    #expect(ranges == [0..<pass.gradients.arena.count])
  }
}
