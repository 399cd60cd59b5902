import Testing

@testable import Rollouts

@Suite("Nearest names")
struct SpellingTests {
  @Test(
    "Distances count insertions, deletions, substitutions and swaps",
    arguments: [
      ("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3),
      ("ca", "abc", 3),
    ])
  func distance(first: String, second: String, distance: Int) {
    #expect(Spelling.editDistance(Array(first.utf8), Array(second.utf8)) == distance)
  }

  @Test("A near name is found, a far one is not")
  func nearest() {
    let names = ["num_generations", "num_iterations", "learning_rate", "beta"]
    #expect(Spelling.nearest(to: "num-genrations", among: names) == "num_generations")
    #expect(Spelling.nearest(to: "learning", among: names) == "learning_rate")
    #expect(Spelling.nearest(to: "bteA", among: names) == "beta")
    #expect(Spelling.nearest(to: "optimizer", among: names) == nil)
    #expect(Spelling.nearest(to: "", among: names) == nil)
    #expect(Spelling.nearest(to: String(repeating: "x", count: 100_000), among: names) == nil)
  }
}
