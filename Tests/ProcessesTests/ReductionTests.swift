import Synchronization
import Tensors
import TestSupport
import Testing

@testable import Processes

@Suite struct ArenaSharesTests {
  @Test(arguments: [1, 2, 4, 8, 16]) func everyNumberHasOneOwner(ranks: Int) {
    // Blocks of very different sizes, fewer in the last bucket than ranks.
    var blocks = [0]
    for index in 0..<37 { blocks.append(blocks[index] + 1 + index * 7 % 50) }
    let shares = ArenaShares(blocks: blocks, ranks: ranks, bucketSize: 300)
    var owners = [Int](repeating: 0, count: blocks[37])
    for rank in 0..<ranks {
      for range in shares.owned(by: rank) {
        #expect(blocks.contains(range.lowerBound) && blocks.contains(range.upperBound))
        for place in range { owners[place] += 1 }
      }
    }
    #expect(owners.allSatisfy { $0 == 1 })
  }
}

@Suite struct TreeReductionTests {
  /// Numbers of all magnitudes, so that sums in other orders are other bits.
  private static func numbers(_ rank: Int, _ count: Int) -> [Float] {
    (0..<count).map { index in
      let bits = UInt32(truncatingIfNeeded: (index &+ 1) &* 2_654_435_761 &+ rank &* 40_503_271)
      let sign: Float = bits & 1 == 0 ? 1 : -1
      let scale = Float(sign: .plus, exponent: Int(bits >> 1 & 15) - 8, significand: 1)
      return sign * Float(bits >> 8) * scale
    }
  }

  private static func tree(_ arenas: ArraySlice<[Float]>) -> [Float] {
    guard arenas.count > 1 else { return arenas.first ?? [] }
    let middle = arenas.startIndex + arenas.count / 2
    return zip(tree(arenas[..<middle]), tree(arenas[middle...])).map { $0 + $1 }
  }

  @Test(arguments: [1, 2, 4, 8]) func ranksAddAsOneTree(size: Int) throws {
    let (count, shards) = (1000, 8)
    let expected = Self.tree((0..<shards).map { Self.numbers($0, count) }[...])
    let shares = ArenaShares(
      blocks: Array(stride(from: 0, to: count, by: 40)) + [count], ranks: size, bucketSize: 170)
    let results = try MemoryTransport.run(size) { ranks -> [Float] in
      // Each rank has a run of shards; all but the last subtree are summed already.
      let own = (0..<shards / size).map { $0 + ranks.rank * shards / size }
      var earlier: [Tensor] = []
      var (first, left) = (0, own.count)
      while left > 1 {
        left /= 2
        let sum = Self.tree(own[first..<first + left].map { Self.numbers($0, count) }[...])
        earlier.append(Tensor(sum))
        first += left
      }
      let arena = Tensor(Self.numbers(own[own.count - 1], count))
      let reduction = TreeReduction(ranks, shares: shares)
      reduction.begin(arena, adding: earlier)
      for end in stride(from: 0, to: count, by: 130) { reduction.advance(to: end) }
      try reduction.finish()
      for range in shares.owned(by: ranks.rank) {
        #expect(arena.elements(range).values == Array(expected[range]))
      }
      try reduction.gather(arena)
      return arena.values
    }
    for result in results { #expect(result == expected) }
  }

  @Test(arguments: [1, 3, 8]) func weightsOfRankZeroReachAll(size: Int) throws {
    let results = try MemoryTransport.run(size) { ranks -> [[Float]] in
      let tensors = [Tensor(Self.numbers(ranks.rank, 50)), Tensor(Self.numbers(ranks.rank, 7))]
      try ranks.broadcast(tensors)
      return tensors.map(\.values)
    }
    #expect(results.allSatisfy { $0 == [Self.numbers(0, 50), Self.numbers(0, 7)] })
  }
}

@Suite struct MessageTests {
  @Test func whatIsWrittenIsRead() throws {
    var writer = MessageWriter()
    writer.write("grüß")
    writer.write([1, nil, -5] as [Int?])
    writer.write(numbers: [Float(bitPattern: 0x7FC0_1234), -0.0, 1])
    writer.write(Double.infinity)
    writer.write([true, false])
    var reader = MessageReader(writer.bytes)
    #expect(try reader.read(String.self) == "grüß")
    #expect(try reader.read([Int?].self) == [1, nil, -5])
    let numbers = try reader.readNumbers(Float.self)
    #expect(numbers.map(\.bitPattern) == [0x7FC0_1234, 0x8000_0000, 0x3F80_0000])
    #expect(try reader.read(Double.self) == .infinity)
    #expect(try reader.read([Bool].self) == [true, false])
    #expect(throws: RankError.self) { try reader.read(Int.self) }
  }

  @Test func aTornMessageIsAnError() throws {
    let bytes = Array("hello".messageBytes.dropLast())
    #expect(throws: RankError.self) { try String(messageBytes: bytes) }
    #expect(throws: RankError.self) { try String(messageBytes: (-1).messageBytes) }
  }

  @Test func ranksTellMessages() throws {
    let told = try MemoryTransport.run(4) { ranks in
      (
        try ranks.broadcast("rank \(ranks.rank)"), try ranks.allGather([ranks.rank, 7])
      )
    }
    #expect(told.allSatisfy { $0.0 == "rank 0" && $0.1 == [[0, 7], [1, 7], [2, 7], [3, 7]] })
  }
}
