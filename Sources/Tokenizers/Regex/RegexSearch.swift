/// A search for a pattern through one text, match after match.
///
/// - Complexity: O(instructions × bytes) over all matches together.
struct RegexSearch {
  private let program: RegexProgram
  private let table = ScalarProperties.Table.shared
  private let bytes: UTF8Bytes
  private var code: RegexProgram.Code
  private var frames: [Frame] = []
  /// Steps taken since the search began; above `workLimit` the safe program takes over.
  private var work = 0
  private let workLimit: Int
  /// Two bits, a `State`, for each split and position.
  ///
  /// Empty while the fast program runs.
  private var memo: [UInt64] = []
  private var usesMemory = false
  private var position = 0
  private var lastEnd = -1

  /// A choice that has been made and may be revised.
  private struct Frame {
    var instruction: Int
    var position: Int
    /// The least position that a run may be cut back to.
    ///
    /// For a split -1 while its first choice is tried, -2 once its second is.
    var low: Int
  }

  private enum State {
    static let unknown: UInt64 = 0
    /// Failed, or being tried: either way nothing is won by trying again from here.
    static let failed: UInt64 = 1
    static let succeeded: UInt64 = 2
  }

  init(_ program: RegexProgram, in bytes: UTF8Bytes) {
    self.program = program
    self.bytes = bytes
    code = program.fast
    workLimit = 1024 + 32 * bytes.count
    if program.needsMemory { switchToSafe() }
  }

  /// The next match; as in Oniguruma's iteration, an empty one right after a match is passed over.
  mutating func next() -> Range<Int>? {
    while position <= bytes.count {
      let start = position
      if let end = matchEnd(at: start) {
        if end == start {
          position = start < bytes.count ? start + bytes.scalar(at: start).length : start + 1
          if lastEnd == end { continue }
        } else {
          position = end
        }
        lastEnd = end
        return start..<end
      }
      guard position < bytes.count else { return nil }
      position += bytes.scalar(at: position).length
    }
    return nil
  }

  private mutating func matchEnd(at start: Int) -> Int? {
    frames.removeAll(keepingCapacity: true)
    if let end = run(from: 0, at: start, isLook: false) { return end }
    if !usesMemory, work > workLimit {
      switchToSafe()
      frames.removeAll(keepingCapacity: true)
      return run(from: 0, at: start, isLook: false)
    }
    return nil
  }

  private mutating func switchToSafe() {
    usesMemory = true
    code = program.safe
    memo = [UInt64](repeating: 0, count: (code.splits * (bytes.count + 1) + 31) / 32)
  }

  // MARK: Memory

  private func state(_ split: Int, _ position: Int) -> UInt64 {
    let place = split * (bytes.count + 1) + position
    return memo[place / 32] >> UInt64(2 * (place % 32)) & 3
  }

  private mutating func setState(_ split: Int, _ position: Int, _ state: UInt64) {
    let place = split * (bytes.count + 1) + position
    let shift = UInt64(2 * (place % 32))
    memo[place / 32] = memo[place / 32] & ~(3 << shift) | state << shift
  }

  // MARK: Execution

  /// Runs from an instruction to its `accept`; gives the position there, nil where nothing matches
  /// (or, in the fast program, where too much work was done).
  private mutating func run(from instruction: Int, at start: Int, isLook: Bool) -> Int? {
    let base = frames.count
    var counter = instruction
    var position = start
    while true {
      work += 1
      if !usesMemory, work > workLimit {
        frames.removeSubrange(base...)
        return nil
      }
      var succeeds: Bool
      switch code.instructions[counter] {
      case .accept:
        settle(from: base, isLook: isLook)
        return position
      case .jump(let target):
        counter = target
        succeeds = true
      case .set(let set):
        succeeds = step(set, &position)
        counter += 1
      case .split(let first, _, let memo):
        if usesMemory {
          let state = state(memo, position)
          if state == State.succeeded {
            settle(from: base, isLook: isLook)
            return position
          }
          succeeds = state == State.unknown
          if succeeds { setState(memo, position, State.failed) }
        } else {
          succeeds = true
        }
        if succeeds {
          frames.append(Frame(instruction: counter, position: position, low: -1))
          counter = first
        }
      case .greedyRun(let set, let minimum, let maximum):
        let entry = position
        succeeds = take(set, minimum, maximum, &position)
        if succeeds, position > entry {
          let low = floor(from: entry, minimum)
          if low < position {
            frames.append(Frame(instruction: counter, position: position, low: low))
          }
        }
        counter += 1
      case .possessiveRun(let set, let minimum, let maximum):
        succeeds = take(set, minimum, maximum, &position)
        counter += 1
      case .look(let isNegative, let back, let next):
        succeeds = look(from: counter + 1, at: position, back: back) != isNegative
        counter = next
      case .assertion(let assertion):
        succeeds = holds(assertion, at: position)
        counter += 1
      }
      if !succeeds, !backtrack(to: base, &counter, &position) { return nil }
    }
  }

  /// Returns to the newest choice that has something left to try.
  private mutating func backtrack(to base: Int, _ counter: inout Int, _ position: inout Int) -> Bool
  {
    while frames.count > base {
      let top = frames.count - 1
      let frame = frames[top]
      if frame.low >= 0 {
        work += 1
        position = bytes.index(before: frame.position)
        counter = frame.instruction + 1
        if position <= frame.low { frames.removeLast() } else { frames[top].position = position }
        return true
      }
      guard case .split(_, let second, _) = code.instructions[frame.instruction], frame.low == -1
      else {
        frames.removeLast()
        continue
      }
      position = frame.position
      counter = second
      if usesMemory { frames[top].low = -2 } else { frames.removeLast() }
      return true
    }
    return false
  }

  /// Writes down what the choices on a successful path have come to.
  ///
  /// In a look-around they succeed from there for ever. In the match itself they are forgotten, as
  /// the next match may start where this one ends.
  private mutating func settle(from base: Int, isLook: Bool) {
    if usesMemory {
      for frame in frames[base...] {
        guard case .split(_, _, let memo) = code.instructions[frame.instruction] else { continue }
        setState(memo, frame.position, isLook ? State.succeeded : State.unknown)
      }
    }
    frames.removeSubrange(base...)
  }

  @inline(__always)
  private func step(_ set: Int, _ position: inout Int) -> Bool {
    guard position < bytes.count else { return false }
    let (value, length) = bytes.scalar(at: position)
    guard program.sets[set].contains(value, table) else { return false }
    position += length
    return true
  }

  private mutating func take(_ set: Int, _ minimum: Int, _ maximum: Int, _ position: inout Int)
    -> Bool
  {
    var count = 0
    while count < maximum, step(set, &position) { count += 1 }
    work += count
    return count >= minimum
  }

  /// The position after the first scalars of a run.
  private func floor(from start: Int, _ count: Int) -> Int {
    var position = start
    for _ in 0..<count where position < bytes.count {
      position += bytes.scalar(at: position).length
    }
    return position
  }

  private mutating func look(from instruction: Int, at position: Int, back: Int) -> Bool {
    var start = position
    for _ in 0..<back {
      guard start > 0 else { return false }
      start = bytes.index(before: start)
    }
    return run(from: instruction, at: start, isLook: true) != nil
  }

  private func holds(_ assertion: RegexAssertion, at position: Int) -> Bool {
    switch assertion {
    case .textStart: return position == 0
    case .textEnd: return position == bytes.count
    case .textEndBeforeBreak:
      return position == bytes.count || position == bytes.count - 1 && bytes[position] == 0x0A
    case .lineStart: return position == 0 || position < bytes.count && bytes[position - 1] == 0x0A
    case .lineEnd: return position == bytes.count || bytes[position] == 0x0A
    case .wordBoundary: return isWord(before: position) != isWord(after: position)
    case .notWordBoundary: return isWord(before: position) == isWord(after: position)
    }
  }

  private func isWord(before position: Int) -> Bool {
    position > 0 && table[bytes.scalar(at: bytes.index(before: position)).value].isWord
  }

  private func isWord(after position: Int) -> Bool {
    position < bytes.count && table[bytes.scalar(at: position).value].isWord
  }
}
