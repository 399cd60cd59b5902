/// Made-up words: syllables joined, so that no list of words is needed.
enum Syllables {
  private static let all = [
    "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va",
    "we", "xi", "yo", "zu", "bra", "cle", "dri", "flo", "gru", "ess", "ill", "oon", "and", "str",
  ]

  /// A word of so many syllables.
  static func word(_ syllables: Int, _ random: inout SeededRandom) -> String {
    (0..<syllables).map { _ in random.element(of: all) }.joined()
  }
}

/// How often a letter stands in a word.
package struct CharacterCountTask: ProceduralTask {
  package static let name = "char-count"
  package static let summary = "how often a letter stands in a word or a sentence"
  package static let levels = 1...4

  /// How many syllables each word has.
  package var syllables: Int
  /// How many words there are.
  package var words: Int

  /// Level 1 asks of a short word, level 4 of a sentence of long ones.
  package init(level: Int) {
    (syllables, words) = [(2, 1), (4, 1), (4, 3), (5, 6)][min(max(level, 1), 4) - 1]
  }

  package func draw(_ random: inout SeededRandom) -> ProceduralProblem {
    let text = (0..<words).map { _ in Syllables.word(syllables, &random) }.joined(separator: " ")
    let letters = Array(Set(text.filter { $0 != " " })).sorted()
    // One question in eight asks for a letter that may be missing.
    let letter =
      random.integer(in: 0...7) == 0
      ? random.element(of: Array("abcdefghijklmnopqrstuvwxyz")) : random.element(of: letters)
    let count = text.filter { $0 == letter }.count
    return ProceduralProblem(
      prompt: "How many times does the letter \(letter) stand in \"\(text)\"?\n",
      answer: "\(count)", columns: ["text": .string(text), "letter": .string(String(letter))],
      difficulty: text.count)
  }

  package func isCorrect(_ answer: String, for problem: ProceduralProblem) -> Bool {
    guard let text = problem.columns["text"]?.string,
      let letter = problem.columns["letter"]?.string
    else { return false }
    return Int(answer) == text.components(separatedBy: letter) - 1
  }
}

extension String {
  /// How many pieces the text falls into where `separator` is cut out.
  fileprivate func components(separatedBy separator: String) -> Int {
    split(separator: separator, omittingEmptySubsequences: false).count
  }
}

/// Write a text backwards.
package struct ReverseTextTask: ProceduralTask {
  package static let name = "reverse-text"
  package static let summary = "a word or a sentence written backwards"
  package static let levels = 1...4

  /// How many words the text has.
  package var words: Int

  /// Level 1 gives one short word, level 4 eight.
  package init(level: Int) { words = [1, 2, 4, 8][min(max(level, 1), 4) - 1] }

  package func draw(_ random: inout SeededRandom) -> ProceduralProblem {
    let text = (0..<words).map { _ in
      let syllables = random.integer(in: 2...3)
      return Syllables.word(syllables, &random)
    }.joined(separator: " ")
    return ProceduralProblem(
      prompt: "Reverse: \(text)\n", answer: String(text.reversed()),
      columns: ["text": .string(text)], difficulty: text.count)
  }

  package func isCorrect(_ answer: String, for problem: ProceduralProblem) -> Bool {
    guard let text = problem.columns["text"]?.string.map(Array.init) else { return false }
    let letters = Array(answer)
    return letters.count == text.count
      && letters.indices.allSatisfy { letters[$0] == text[text.count - 1 - $0] }
  }
}

/// Put numbers in order.
package struct SortTask: ProceduralTask {
  package static let name = "sort"
  package static let summary = "numbers put in ascending order"
  package static let levels = 1...4

  /// How many numbers are given.
  package var count: Int
  /// The largest number.
  package var largest: Int

  /// Level 1 gives three digits, level 4 sixteen numbers up to 999.
  package init(level: Int) {
    (count, largest) = [(3, 9), (5, 99), (8, 99), (16, 999)][min(max(level, 1), 4) - 1]
  }

  package func draw(_ random: inout SeededRandom) -> ProceduralProblem {
    let numbers = (0..<count).map { _ in random.integer(in: 0...largest) }
    return ProceduralProblem(
      prompt: "Sort: \(numbers.map(String.init).joined(separator: " "))\n",
      answer: numbers.sorted().map(String.init).joined(separator: " "),
      columns: ["numbers": .array(numbers.map { .integer(Int64($0)) })], difficulty: count)
  }

  package func isCorrect(_ answer: String, for problem: ProceduralProblem) -> Bool {
    var given = problem.columns["numbers"]?.array?.compactMap(\.integer) ?? []
    let sorted = answer.split(separator: " ").compactMap { Int($0) }
    guard sorted.count == given.count, zip(sorted, sorted.dropFirst()).allSatisfy(<=) else {
      return false
    }
    // Every number of the answer is found and taken out of the given ones.
    for number in sorted {
      guard let index = given.firstIndex(of: number) else { return false }
      given.remove(at: index)
    }
    return given.isEmpty
  }
}
