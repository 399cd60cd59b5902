/// One step of a compiled pattern; targets are indices of instructions.
enum RegexInstruction {
  /// Consumes one scalar of a set.
  case set(Int)
  /// Tries one continuation, then the other; `memo` numbers the instruction among its kind.
  case split(first: Int, second: Int, memo: Int)
  case jump(Int)
  /// Consumes as many scalars of a set as there are, and gives them back one by one.
  case greedyRun(set: Int, minimum: Int, maximum: Int)
  /// Consumes as many scalars of a set as there are, and keeps them.
  case possessiveRun(set: Int, minimum: Int, maximum: Int)
  /// Asks whether the instructions up to its `accept` match here; `back` scalars behind if not ahead.
  case look(isNegative: Bool, back: Int, next: Int)
  case assertion(RegexAssertion)
  case accept
}

/// A pattern compiled twice: fast for ordinary text, and so that time has a bound.
///
/// The fast program takes whole runs (`\p{L}+`) in one instruction and remembers nothing. Where it
/// backtracks too much, the search goes on with the safe program, which splits at every scalar and
/// remembers each failed (instruction, position): linear in instructions × text, whatever the
/// pattern. (Memoised backtracking as in RE2's BitState; Cox 2010.)
struct RegexProgram: Sendable {
  /// One form of the program.
  struct Code: Sendable {
    var instructions: [RegexInstruction] = []
    /// How many splits there are.
    var splits = 0
  }

  private(set) var fast = Code()
  private(set) var safe = Code()
  private(set) var sets: [ScalarSet] = []
  /// Whether only the safe program may run, as some loop can turn without consuming.
  private(set) var needsMemory = false
  /// How many nodes the present form has emitted, those without instructions included.
  private var emissions = 0

  /// Longer programs are refused.
  static let instructionLimit = 4096

  /// Compiles a pattern.
  init(_ pattern: String) throws(RegexError) {
    let node: RegexNode
    (node, sets) = try RegexParser.parse(pattern)
    try emit(node, to: \.fast, isSafe: false)
    fast.instructions.append(.accept)
    emissions = 0
    try emit(node, to: \.safe, isSafe: true)
    safe.instructions.append(.accept)
    for index in sets.indices { sets[index].seal() }
  }

  private mutating func emit(
    _ node: RegexNode, to code: WritableKeyPath<Self, Code>, isSafe: Bool
  ) throws(RegexError) {
    emissions += 1
    guard count(code) < Self.instructionLimit, emissions < 16 * Self.instructionLimit else {
      throw RegexError(
        reason:
          "the pattern needs more than \(Self.instructionLimit) steps; its counts are too great")
    }
    switch node {
    case .empty: break
    case .set(let set): append(.set(set), to: code)
    case .sequence(let items): for item in items { try emit(item, to: code, isSafe: isSafe) }
    case .alternation(let branches): try emit(branches: branches, to: code, isSafe: isSafe)
    case .repetition(let body, let minimum, let maximum, let style):
      try emitRepetition(body, minimum, maximum, style, to: code, isSafe: isSafe)
    case .look(let body, let isAhead, let isNegative):
      try emitLook(body, isAhead: isAhead, isNegative: isNegative, to: code, isSafe: isSafe)
    case .assertion(let assertion): append(.assertion(assertion), to: code)
    }
  }

  private mutating func append(
    _ instruction: RegexInstruction, to code: WritableKeyPath<Self, Code>
  ) {
    self[keyPath: code].instructions.append(instruction)
  }

  private func count(_ code: WritableKeyPath<Self, Code>) -> Int {
    self[keyPath: code].instructions.count
  }

  /// Appends a split whose targets are set later; gives its place.
  private mutating func appendSplit(to code: WritableKeyPath<Self, Code>) -> Int {
    let memo = self[keyPath: code].splits
    self[keyPath: code].splits += 1
    append(.split(first: 0, second: 0, memo: memo), to: code)
    return count(code) - 1
  }

  private mutating func setTargets(
    of place: Int, first: Int, second: Int, in code: WritableKeyPath<Self, Code>
  ) {
    guard case .split(_, _, let memo) = self[keyPath: code].instructions[place] else { return }
    self[keyPath: code].instructions[place] = .split(first: first, second: second, memo: memo)
  }

  private mutating func emit(
    branches: [RegexNode], to code: WritableKeyPath<Self, Code>, isSafe: Bool
  ) throws(RegexError) {
    var jumps: [Int] = []
    for (index, branch) in branches.enumerated() {
      guard index + 1 < branches.count else {
        try emit(branch, to: code, isSafe: isSafe)
        break
      }
      let split = appendSplit(to: code)
      try emit(branch, to: code, isSafe: isSafe)
      jumps.append(count(code))
      append(.jump(0), to: code)
      setTargets(of: split, first: split + 1, second: count(code), in: code)
    }
    let end = count(code)
    for jump in jumps { self[keyPath: code].instructions[jump] = .jump(end) }
  }

  private mutating func emitRepetition(
    _ body: RegexNode, _ minimum: Int, _ maximum: Int?, _ style: RegexRepetition,
    to code: WritableKeyPath<Self, Code>, isSafe: Bool
  ) throws(RegexError) {
    if style == .possessive {
      guard case .set(let set) = body else {
        throw RegexError(
          reason: "a possessive repetition or atomic group of more than one character class is "
            + "not supported")
      }
      return append(
        .possessiveRun(set: set, minimum: minimum, maximum: maximum ?? .max), to: code)
    }
    if case .set(let set) = body, style == .greedy, !isSafe {
      return append(
        .greedyRun(set: set, minimum: minimum, maximum: maximum ?? .max), to: code)
    }
    for _ in 0..<minimum { try emit(body, to: code, isSafe: isSafe) }
    if let maximum {
      try emitOptional(body, maximum - minimum, style, to: code, isSafe: isSafe)
    } else {
      if Self.canBeEmpty(body) { needsMemory = true }
      let split = appendSplit(to: code)
      try emit(body, to: code, isSafe: isSafe)
      append(.jump(split), to: code)
      setTargets(of: split, style, body: split + 1, exit: count(code), in: code)
    }
  }

  /// `x{0,n}`: each of the n may be the last.
  private mutating func emitOptional(
    _ body: RegexNode, _ count: Int, _ style: RegexRepetition,
    to code: WritableKeyPath<Self, Code>, isSafe: Bool
  ) throws(RegexError) {
    var splits: [Int] = []
    for _ in 0..<max(count, 0) {
      splits.append(appendSplit(to: code))
      try emit(body, to: code, isSafe: isSafe)
    }
    let end = self.count(code)
    for split in splits { setTargets(of: split, style, body: split + 1, exit: end, in: code) }
  }

  private mutating func setTargets(
    of split: Int, _ style: RegexRepetition, body: Int, exit: Int,
    in code: WritableKeyPath<Self, Code>
  ) {
    let isLazy = style == .lazy
    setTargets(of: split, first: isLazy ? exit : body, second: isLazy ? body : exit, in: code)
  }

  private mutating func emitLook(
    _ body: RegexNode, isAhead: Bool, isNegative: Bool, to code: WritableKeyPath<Self, Code>,
    isSafe: Bool
  ) throws(RegexError) {
    var back = 0
    if !isAhead {
      guard let length = Self.length(of: body) else {
        throw RegexError(reason: "a look-behind whose length varies is not supported")
      }
      back = length
    }
    let place = count(code)
    append(.look(isNegative: isNegative, back: back, next: 0), to: code)
    try emit(body, to: code, isSafe: isSafe)
    append(.accept, to: code)
    self[keyPath: code].instructions[place] = .look(
      isNegative: isNegative, back: back, next: count(code))
  }

  private static func canBeEmpty(_ node: RegexNode) -> Bool {
    switch node {
    case .empty, .look, .assertion: true
    case .set: false
    case .sequence(let items): items.allSatisfy(canBeEmpty)
    case .alternation(let branches): branches.contains(where: canBeEmpty)
    case .repetition(let body, let minimum, _, _): minimum == 0 || canBeEmpty(body)
    }
  }

  /// The number of scalars that a node consumes, nil where it varies.
  private static func length(of node: RegexNode) -> Int? {
    switch node {
    case .empty, .look, .assertion: return 0
    case .set: return 1
    case .sequence(let items):
      var sum = 0
      for item in items {
        guard let length = length(of: item) else { return nil }
        sum += length
      }
      return sum
    case .alternation(let branches):
      let lengths = branches.map { length(of: $0) }
      guard let first = lengths.first, lengths.allSatisfy({ $0 == first }) else { return nil }
      return first
    case .repetition(let body, let minimum, let maximum, _):
      guard minimum == maximum, let length = length(of: body) else { return nil }
      return minimum * length
    }
  }
}
