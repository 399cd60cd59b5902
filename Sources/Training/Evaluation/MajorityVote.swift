/// maj@k: whether the answer that most of k completions give is right.
///
/// The share of problems whose most frequent answer is right, the first to appear where several are
/// equally frequent. k completions are taken in order: one vote per problem.
/// Source: Wang et al. 2022, self-consistency, arXiv 2203.11171.
func majorityIsRight(answers: some Collection<String>, isRight: some Collection<Bool>) -> Bool {
  var votes: [String: (count: Int, first: Int, isRight: Bool)] = [:]
  for (place, (answer, isRight)) in zip(answers, isRight).enumerated() {
    votes[answer, default: (0, place, isRight)].count += 1
  }
  let best = votes.values.max { a, b in
    a.count != b.count ? a.count < b.count : a.first > b.first
  }
  return best?.isRight ?? false
}
