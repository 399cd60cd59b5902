// Regular expressions that can't hang: a program of simple instructions, run over all threads at
// once (Pike's machine; Thompson 1968, Cox 2007), in time linear in the text for a given pattern.
//
// Known: literals, ., [classes], \d \w \s \b and their opposites, (groups), (?:groups), (?i), |,
// * + ? {n} {n,} {n,m} and their lazy forms, ^ $, \n \t \r \xHH \uHHHH. Look-around and
// back-references are refused, since no linear machine runs them.
import RewardKit

/// A compiled regular expression over Unicode scalars.
struct Pattern: Sendable {
  /// A set of scalars.
  struct Class: Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    func contains(_ scalar: UInt32) -> Bool {
      ranges.contains { $0.contains(scalar) } != isNegated
    }
  }

  enum Instruction: Sendable {
    case scalar(UInt32)
    case any(newlines: Bool)
    case set(Class)
    case split(Int, Int)
    case jump(Int)
    case save(Int)
    case begin(multiline: Bool)
    case end(multiline: Bool)
    case boundary(Bool)
    case match
  }

  /// The most instructions of a pattern.
  static let programLimit = 1_000

  let program: [Instruction]
  let groups: Int

  /// Compiles a pattern.
  /// - Parameter isDotAll: whether `.` matches the ends of lines as well.
  init(
    _ source: String, ignoresCase: Bool = false, isMultiline: Bool = false, isDotAll: Bool = false
  ) throws(RewardParameterError) {
    var compiler = PatternCompiler(
      source, ignoresCase: ignoresCase, isMultiline: isMultiline, isDotAll: isDotAll)
    program = try compiler.compile()
    groups = compiler.groups
  }

  /// A match: the range of the whole and of each group, in scalars.
  struct Match {
    var ranges: [Range<Int>?]
    var whole: Range<Int> { ranges[0] ?? 0..<0 }
  }

  /// The first match from a place on, leftmost, then by the order of the alternatives.
  func firstMatch(in text: [UInt32], from start: Int = 0, anchored: Bool = false) -> Match? {
    var machine = PatternMachine(program: program, slots: 2 * (groups + 1), text: text)
    return machine.run(from: start, anchored: anchored).map { slots in
      Match(
        ranges: (0...groups).map { group in
          let (low, high) = (slots[2 * group], slots[2 * group + 1])
          return low >= 0 && high >= low ? low..<high : nil
        })
    }
  }

  /// How many matches there are, one after the other, up to a limit.
  func count(in text: [UInt32], limit: Int) -> Int {
    var start = 0
    var count = 0
    while count < limit, start <= text.count, let match = firstMatch(in: text, from: start) {
      count += 1
      start = match.whole.isEmpty ? match.whole.upperBound + 1 : match.whole.upperBound
    }
    return count
  }
}

/// Runs a program over a text: every thread steps on each scalar, in order of priority.
private struct PatternMachine {
  let program: [Pattern.Instruction]
  let slots: Int
  let text: [UInt32]

  private struct Threads {
    var at: [Int] = []
    var saved: [[Int]] = []
    mutating func removeAll() {
      at.removeAll(keepingCapacity: true)
      saved.removeAll(keepingCapacity: true)
    }
  }

  /// The step at which an instruction was last added, so that each is added once per step.
  private var added: [Int]
  private var step = 0

  init(program: [Pattern.Instruction], slots: Int, text: [UInt32]) {
    self.program = program
    self.slots = slots
    self.text = text
    added = [Int](repeating: -1, count: program.count)
  }

  mutating func run(from start: Int, anchored: Bool) -> [Int]? {
    var current = Threads()
    var next = Threads()
    var found: [Int]?
    let empty = [Int](repeating: -1, count: slots)
    for position in start...max(start, text.count) {
      if found == nil, !anchored || position == start {
        // A new thread has the lowest priority: what began further left wins.
        add(0, empty, position, to: &current, isFresh: current.at.isEmpty)
      }
      if current.at.isEmpty { if found != nil || anchored { break } else { continue } }
      step += 1
      next.removeAll()
      let scalar = position < text.count ? text[position] : nil
      for (index, at) in current.at.enumerated() {
        if case .match = program[at] {
          found = current.saved[index]
          break
        }
        if let scalar, consumes(program[at], scalar) {
          add(at + 1, current.saved[index], position + 1, to: &next, isFresh: false)
        }
      }
      swap(&current, &next)
    }
    return found
  }

  private func consumes(_ instruction: Pattern.Instruction, _ scalar: UInt32) -> Bool {
    switch instruction {
    case .scalar(let expected): return scalar == expected
    case .any(let newlines): return newlines || scalar != 0x0A
    case .set(let set): return set.contains(scalar)
    default: return false
    }
  }

  /// Follows jumps to the instructions that consume, highest priority first; no recursion.
  private mutating func add(
    _ start: Int, _ saved: [Int], _ position: Int, to threads: inout Threads, isFresh: Bool
  ) {
    if isFresh { step += 1 }
    var stack = [(start, saved)]
    while let (at, saved) = stack.popLast() {
      if added[at] == step { continue }
      added[at] = step
      switch program[at] {
      case .jump(let target): stack.append((target, saved))
      case .split(let first, let second):
        stack.append((second, saved))
        stack.append((first, saved))
      case .save(let slot):
        var saved = saved
        saved[slot] = position
        stack.append((at + 1, saved))
      case .begin(let multiline):
        if position == 0 || multiline && text[position - 1] == 0x0A {
          stack.append((at + 1, saved))
        }
      case .end(let multiline):
        let isLast = position == text.count
        let isBeforeLastLineEnd = position == text.count - 1 && text[position] == 0x0A
        if isLast || isBeforeLastLineEnd || multiline && text[position] == 0x0A {
          stack.append((at + 1, saved))
        }
      case .boundary(let expected):
        let before = position > 0 && Self.isWord(text[position - 1])
        let after = position < text.count && Self.isWord(text[position])
        if (before != after) == expected { stack.append((at + 1, saved)) }
      default:
        threads.at.append(at)
        threads.saved.append(saved)
      }
    }
  }

  private static func isWord(_ scalar: UInt32) -> Bool {
    PatternCompiler.word.contains(scalar)
      || scalar > 0x7F && Unicode.Scalar(scalar)?.properties.isAlphabetic == true
  }
}
