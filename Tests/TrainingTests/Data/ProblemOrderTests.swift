import Testing

@testable import Training

@Suite("Order of problems")
struct ProblemOrderTests {
  @Test("each epoch draws every problem once, in another order each time")
  func epochs() {
    var order = ProblemOrder(count: 40, seed: 3, shuffles: true)
    let epochs = (0..<3).map { epoch in (0..<40).map { order.problem(at: epoch * 40 + $0) } }
    for epoch in epochs { #expect(epoch.sorted() == Array(0..<40)) }
    #expect(Set(epochs).count == 3)
    #expect(epochs[0] != Array(0..<40))
  }

  @Test("the order is a function of seed and ordinal, so that resuming needs no state")
  func stateless() {
    var order = ProblemOrder(count: 17, seed: 9, shuffles: true)
    let whole = (0..<60).map { order.problem(at: $0) }
    for start in [0, 16, 17, 33, 59] {
      var resumed = ProblemOrder(count: 17, seed: 9, shuffles: true)
      #expect((start..<60).map { resumed.problem(at: $0) } == Array(whole[start...]))
    }
    var other = ProblemOrder(count: 17, seed: 10, shuffles: true)
    #expect((0..<60).map { other.problem(at: $0) } != whole)
  }

  @Test("a curriculum goes through the first epoch in order, then shuffles")
  func curriculum() {
    var order = ProblemOrder(of: Array(0..<30), seed: 1, shuffles: true, keepsFirstEpoch: true)
    let epochs = (0..<2).map { epoch in (0..<30).map { order.problem(at: epoch * 30 + $0) } }
    #expect(epochs[0] == Array(0..<30))
    #expect(epochs[1] != epochs[0] && epochs[1].sorted() == epochs[0])
  }

  @Test("an epoch draws its entries as often as they stand in it")
  func entries() {
    var order = ProblemOrder(of: [4, 4, 7, 9], seed: 1, shuffles: true)
    #expect((0..<4).map { order.problem(at: $0) }.sorted() == [4, 4, 7, 9])
    #expect((4..<8).map { order.problem(at: $0) }.sorted() == [4, 4, 7, 9])
  }

  @Test("unshuffled problems come as they stand")
  func unshuffled() {
    var order = ProblemOrder(count: 3, seed: 1, shuffles: false)
    #expect((0..<7).map { order.problem(at: $0) } == [0, 1, 2, 0, 1, 2, 0])
  }
}
