import Processes
import Tensors

/// What slows ranks down though they work, and how to start them better.
enum RankAdvice {
  /// A sentence for each, for rank 0 to say.
  static func sentences(_ ranks: Ranks) -> [String] {
    guard ranks.size > 1 else { return [] }
    let unbound =
      "mpirun --bind-to none, or --map-by slot:PE=N for N processors per rank (Open MPI); "
      + "-bind-to none (MPICH)"
    var sentences: [String] = []
    let byHost = Dictionary(grouping: ranks.places, by: \.host)
    for (host, places) in byHost.sorted(by: { $0.key < $1.key }) {
      let processors = Set(places.flatMap(\.processors))
      if places.count > processors.count {
        sentences.append(
          "\(places.count) ranks share \(count(processors.count, "processor")) of \(host): they take turns, and gain nothing"
        )
      } else if places.contains(where: { $0.processors.count == 1 }) {
        sentences.append(
          "ranks on \(host) are bound to one processor each, which all threads of a rank share; start with \(unbound)"
        )
      }
    }
    return sentences
  }

  private static func count(_ number: Int, _ noun: String) -> String {
    "\(number) \(noun)\(number == 1 ? "" : "s")"
  }
}
