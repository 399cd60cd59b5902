// Problems by solve rate: of those that a step may draw, without repeats, with probabilities in proportion to
//
//   w = k · 4 p (1 − p),   p = (solved + 1) / (scored + 2)        PromptPriority.swift
//
// for a problem that stands k times in an epoch. Weighted sampling without replacement: each gets the key
// ln(u)/w, and the greatest keys are drawn (Efraimidis and Spirakis 2006, algorithm A). u is a function of seed,
// step and problem, p of the log before the step: a resumed run draws what the uninterrupted one did.

import Foundation
import PolicyOptimization
import Tensors
import TrajectoryStore

/// Draws problems that are solved about half of the time more often than those that always or never are.
struct PrioritizedProblems: ProblemChooser {
  /// How problems fared in some steps, by the index that the log knows them by.
  typealias History = (ClosedRange<Int>) throws -> [ProblemOutcome]

  private struct Candidate {
    /// The problem's place among those that are drawn from.
    var problem: Int
    var copies: Double
    var record = PromptRecord(attempts: 0, successes: 0)
  }

  private var candidates: [Candidate]
  private let places: [Int: Int]
  private let seed: UInt64
  private let history: History
  private var lastStep = 0

  /// - Parameters:
  ///   - entries: The problems of an epoch, one as often as it stands there.
  ///   - indices: The row in the dataset of each problem.
  ///   - history: Reads how they fared.
  init(of entries: [Int], indices: [Int], seed: UInt64, history: @escaping History) {
    var copies: [Int: Double] = [:]
    for entry in entries { copies[entry, default: 0] += 1 }
    candidates = copies.sorted { $0.key < $1.key }.map { Candidate(problem: $0, copies: $1) }
    places = Dictionary(
      candidates.enumerated().map { (indices[$1.problem], $0) }, uniquingKeysWith: { $1 })
    self.seed = seed
    self.history = history
  }

  mutating func problems(for request: ProblemRequest) throws -> [Int] {
    try learn(before: request.step)
    let stream = Philox(
      seed: seed, purpose: .shuffle, step: request.step, draw: request.taken.count)
    let ranked = candidates.enumerated().map { place, candidate in
      (
        problem: candidate.problem,
        key: log(1 - stream.uniform(at: place)) / (candidate.record.weight * candidate.copies)
      )
    }.sorted { ($0.key, $1.problem) > ($1.key, $0.problem) }.map(\.problem)
    // What the step has asked already comes last, and again where it wants more than there are.
    let taken = Set(request.taken)
    let order = ranked.filter { !taken.contains($0) } + ranked.filter(taken.contains)
    return (0..<request.count).map { order[$0 % order.count] }
  }

  /// Takes in the steps that were committed since.
  private mutating func learn(before step: Int) throws {
    guard step - 1 > lastStep else { return }
    for outcome in try history(lastStep + 1...step - 1) {
      guard let place = places[outcome.problem] else { continue }
      candidates[place].record.attempts += outcome.scored
      candidates[place].record.successes += outcome.solved
    }
    lastStep = step - 1
  }
}
