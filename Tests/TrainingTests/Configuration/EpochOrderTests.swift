import Testing

@testable import Training

@Suite("Epochs of weighted and ordered data")
struct EpochOrderTests {
  @Test("A problem that stands twice in an epoch is drawn twice in each")
  func weights() {
    let entries = [0, 1, 1, 2]
    var order = ProblemOrder(of: entries, seed: 3, shuffles: true)
    for epoch in 0..<3 {
      let drawn = (0..<4).map { order.problem(at: epoch * 4 + $0) }
      #expect(drawn.sorted() == entries)
    }
  }

  @Test("Of a curriculum the first epoch keeps its order, later ones are shuffled")
  func curriculum() {
    let entries = Array((0..<50).reversed())
    var order = ProblemOrder(of: entries, seed: 3, shuffles: true, keepsFirstEpoch: true)
    #expect((0..<50).map { order.problem(at: $0) } == entries)
    let second = (50..<100).map { order.problem(at: $0) }
    #expect(second != entries && second.sorted() == entries.sorted())
  }
}
