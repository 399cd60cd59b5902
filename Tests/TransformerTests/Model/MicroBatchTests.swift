import Tensors
import Testing

@testable import Transformer

@Suite("Micro-batches")
struct MicroBatchTests {
  private func cut(_ groups: [(Int, [Int])], _ limit: Int) -> [[(Int, Range<Int>)]] {
    MicroBatch.cut(groups.map { GroupLengths(prompt: $0, completions: $1) }, rowLimit: limit)
      .map { $0.slices.map { ($0.group, $0.completions) } }
  }

  private func expect(
    _ found: [[(Int, Range<Int>)]], _ wanted: [[(Int, Range<Int>)]],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      found.map { $0.map { "\($0)" } } == wanted.map { $0.map { "\($0)" } },
      sourceLocation: sourceLocation)
  }

  @Test("whole groups stay together where they fit")
  func wholeGroups() {
    let groups = [(10, [5, 5]), (10, [5, 5]), (10, [5, 5])]
    // A completion of 5 takes 4 rows: a group takes 18.
    expect(cut(groups, 36), [[(0, 0..<2), (1, 0..<2)], [(2, 0..<2)]])
    expect(cut(groups, 1000), [[(0, 0..<2), (1, 0..<2), (2, 0..<2)]])
    expect(cut([], 10), [])
  }

  @Test("a longer group is spread, its prompt in each batch")
  func longGroups() {
    expect(cut([(10, [5, 5, 5, 5])], 20), [[(0, 0..<2)], [(0, 2..<4)]])
    // One completion that is too long stands alone.
    expect(cut([(10, [50]), (1, [1])], 20), [[(0, 0..<1)], [(1, 0..<1)]])
    expect(cut([(10, [50, 3])], 20), [[(0, 0..<1)], [(0, 1..<2)]])
    expect(cut([(10, [])], 5), [[(0, 0..<0)]])
  }

  @Test("every completion is in one batch, in order", arguments: 0..<20)
  func covers(stream: Int) {
    let random = Philox(seed: 17, purpose: .data, step: stream)
    let groups = (0..<9).map { group in
      GroupLengths(
        prompt: 1 + random.integer(below: 30, at: group),
        completions: (0..<random.integer(below: 6, at: 50 + group)).map {
          random.integer(below: 25, at: 100 + 10 * group + $0)
        })
    }
    let limit = 5 + random.integer(below: 90, at: 999)
    let batches = MicroBatch.cut(groups, rowLimit: limit)
    let found = batches.flatMap(\.slices).flatMap { slice in
      slice.completions.map { [slice.group, $0] }
    }
    let wanted = groups.enumerated().flatMap { group, lengths in
      lengths.completions.indices.map { [group, $0] }
    }
    #expect(found == wanted)
    for batch in batches {
      let rows = batch.slices.reduce(0) { $0 + groups[$1.group].rows($1.completions) }
      #expect(rows <= limit || batch.slices.count == 1 && batch.slices[0].completions.count <= 1)
    }
  }
}

@Suite("What a generation session holds")
struct SessionDemandTests {
  @Test("suffices whatever ends when", arguments: 0..<6)
  func suffices(stream: Int) throws {
    // Completions of every length, in few slots: the cache traps where its capacity was too small.
    let random = Philox(seed: 23, purpose: .data, step: stream)
    let model = try SmallModel.llama.make()
    let requests = (0..<7).map { index in
      GenerationRequest(
        prompt: randomTokens(1 + random.integer(below: 40, at: index), below: 61, stream: index),
        samples: 1 + random.integer(below: 5, at: 20 + index), draw: index)
    }
    let engine = GenerationEngine(model, concurrency: 1 + random.integer(below: 6, at: 99))
    let drawn = engine.generate(
      requests,
      settings: SamplingSettings(maxNewTokens: 40, endTokens: Array(0..<6)),
      key: GenerationKey(seed: 3, purpose: .sampling, step: stream))
    #expect(drawn?.map(\.count) == requests.map(\.samples))
  }

  @Test("counts completions, rows and blocks from lengths")
  func counts() {
    let demand = SessionDemand(
      groups: [(100, 4), (20, 4), (30, 4)], completionLength: 33, concurrency: 5)
    #expect(demand.completions == 5)
    // Two groups of four under way, and the next one's prompt: 150 rows of prefill.
    #expect(demand.rows == 150)
    #expect(demand.blocks == 5 * 4 + 7 + 2 + 2)
    #expect(demand.blockLimit >= demand.blocks)
  }
}
