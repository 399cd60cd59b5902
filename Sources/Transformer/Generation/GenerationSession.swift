import Rollouts
import Tensors

/// One call of `generate`: the queue, the slots, and the cache they share.
struct GenerationSession {
  /// A completion being decoded.
  private struct Slot {
    var request: Int
    var sample: Int
    var completion: GeneratedCompletion
    /// The blocks of its sequence, the prompt's whole blocks first.
    var table: [Int32]
    /// How many of them are the prompt's.
    var sharedBlocks: Int
  }

  /// A prompt that has been run, for as long as completions of it are to come or under way.
  private struct Prefilled {
    var blocks: [Int32]
    /// The residual stream at the prompt's last token, [C].
    var lastRow: [Float]
    var unfinished: Int
  }

  private let engine: GenerationEngine
  private let requests: [GenerationRequest]
  private let settings: SamplingSettings
  private let observer: GenerationObserver
  private let cache: KeyValueCache
  private var sampler: TokenSampler
  private var queue: [(request: Int, sample: Int)] = []
  private var next = 0
  private var prefilled: [Int: Prefilled] = [:]
  private var slots: [Slot] = []
  private var results: [[GeneratedCompletion]]

  init(
    engine: GenerationEngine, requests: [GenerationRequest], settings: SamplingSettings,
    key: GenerationKey, observer: GenerationObserver
  ) {
    self.engine = engine
    self.requests = requests
    self.settings = settings
    self.observer = observer
    sampler = TokenSampler(
      compute: engine.model.compute, vocabulary: engine.model.configuration.vocabularySize,
      settings: settings, key: key)
    results = requests.map { Array(repeating: GeneratedCompletion(), count: $0.samples) }
    for (index, request) in requests.enumerated() {
      for sample in 0..<request.samples { queue.append((index, sample)) }
    }
    cache = KeyValueCache(
      engine.model.configuration,
      capacity: Self.capacity(
        requests, settings, context: engine.model.configuration.maximumPositions,
        engine.concurrency,
        queue.count))
  }

  /// Blocks that suffice whatever ends when: those of the longest prompts and completions.
  private static func capacity(
    _ requests: [GenerationRequest], _ settings: SamplingSettings, context: Int, _ concurrency: Int,
    _ total: Int
  ) -> Int {
    let size = KeyValueBlocks.positions
    let longest = requests.map(\.prompt.count).max() ?? 0
    let atOnce = min(concurrency, total)
    // A limit beyond the context is legal, and never reached.
    let own = (min(settings.maxNewTokens, context) + size - 1) / size + 2
    let prompt = (longest + size - 1) / size
    // A prompt lives while one of its completions does; a prefill may run a few ahead.
    let promptsAtOnce = min(requests.count, atOnce + GenerationEngine.prefillRows)
    return atOnce * own + promptsAtOnce * prompt
  }

  mutating func run() -> [[GeneratedCompletion]]? {
    while next < queue.count || !slots.isEmpty {
      if observer.isCancelled?() == true { return nil }
      if next < queue.count, slots.count < engine.concurrency { admit() }
      if !slots.isEmpty { decode() }
    }
    return results
  }

  // MARK: Prompts

  /// Fills free slots from the queue, running the prompts that are new.
  private mutating func admit() {
    let free = engine.concurrency - slots.count
    let admitted = Array(queue[next..<min(next + free, queue.count)])
    next += admitted.count
    let members = Dictionary(grouping: admitted, by: \.request)
    let order = members.keys.sorted()
    prefill(order.filter { prefilled[$0] == nil })
    drawFirstTokens(order, members)
  }

  private mutating func prefill(_ new: [Int]) {
    var start = 0
    while start < new.count {
      var end = start
      var rows = 0
      repeat {
        rows += requests[new[end]].prompt.count
        end += 1
      } while end < new.count
        && rows + requests[new[end]].prompt.count <= GenerationEngine.prefillRows
      run(prompts: Array(new[start..<end]))
      start = end
    }
  }

  private mutating func run(prompts: [Int]) {
    var tokens: [TokenID] = []
    var positions: [Int32] = []
    var plan = AttentionPlan()
    var lastRows: [Int] = []
    for request in prompts {
      let prompt = requests[request].prompt
      let count = (prompt.count + KeyValueBlocks.positions - 1) / KeyValueBlocks.positions
      let blocks = (0..<count).map { _ in cache.allocate() }
      plan.promptSpans.append(
        AttentionSpan(
          rowStart: tokens.count, count: prompt.count, firstPosition: 0,
          tableStart: plan.table.count))
      plan.table.append(contentsOf: blocks)
      tokens.append(contentsOf: prompt)
      positions.append(contentsOf: 0..<Int32(prompt.count))
      lastRows.append(tokens.count - 1)
      prefilled[request] = Prefilled(
        blocks: blocks, lastRow: [], unfinished: requests[request].samples)
    }
    engine.model.runLayers(
      tokens: tokens, positions: positions, plan: plan, blocks: cache.layers,
      keeping: [engine.activations], into: engine.stream)
    let width = engine.model.configuration.hiddenSize
    for (request, row) in zip(prompts, lastRows) {
      prefilled[request]?.lastRow = Array(
        UnsafeBufferPointer(start: engine.stream.pointer + row * width, count: width))
    }
  }

  /// Draws the first token of each admitted completion from its prompt's last row.
  private mutating func drawFirstTokens(
    _ order: [Int], _ members: [Int: [(request: Int, sample: Int)]]
  ) {
    let stream = order.flatMap { prefilled[$0]?.lastRow ?? [] }
    let logits = stream.withUnsafeBufferPointer { rows in
      rows.baseAddress.map { engine.head.logits(of: Array(order.indices), in: $0) }
    }
    guard let logits else { return }
    var draws: [TokenSampler.Draw] = []
    var drawn: [(request: Int, sample: Int)] = []
    for (row, request) in order.enumerated() {
      for member in members[request] ?? [] {
        draws.append(draw(row: row, member.request, member.sample, index: 0))
        drawn.append(member)
      }
    }
    let tokens = sampler.draw(draws, logits: logits, rows: order.count)
    for (member, token) in zip(drawn, tokens) {
      var completion = GeneratedCompletion()
      append(token, to: &completion)
      if isDone(&completion, member.request, member.sample) {
        finish(completion, member.request, member.sample)
      } else {
        start(completion, member.request, member.sample)
      }
    }
  }

  private mutating func start(_ completion: GeneratedCompletion, _ request: Int, _ sample: Int) {
    guard let prompt = prefilled[request] else { return }
    let whole = requests[request].prompt.count / KeyValueBlocks.positions
    var table = Array(prompt.blocks[..<whole])
    if whole < prompt.blocks.count { table.append(cache.duplicate(prompt.blocks[whole])) }
    slots.append(
      Slot(
        request: request, sample: sample, completion: completion, table: table,
        sharedBlocks: whole))
  }

  // MARK: Decoding

  /// Runs the last token of every slot and draws the next.
  private mutating func decode() {
    var tokens: [TokenID] = []
    var positions: [Int32] = []
    var plan = AttentionPlan()
    for index in slots.indices {
      let request = requests[slots[index].request]
      let position = request.prompt.count + slots[index].completion.tokens.count - 1
      if position / KeyValueBlocks.positions == slots[index].table.count {
        slots[index].table.append(cache.allocate())
      }
      tokens.append(slots[index].completion.tokens[slots[index].completion.tokens.count - 1])
      positions.append(Int32(position))
      plan.promptSpans.append(
        AttentionSpan(
          rowStart: index, count: 1, firstPosition: position,
          tableStart: plan.table.count))
      plan.table.append(contentsOf: slots[index].table)
    }
    engine.model.runLayers(
      tokens: tokens, positions: positions, plan: plan, blocks: cache.layers,
      keeping: [engine.activations], into: engine.stream)
    let logits = engine.head.logits(of: Array(slots.indices), in: engine.stream.pointer)
    let draws = slots.enumerated().map { row, slot in
      draw(row: row, slot.request, slot.sample, index: slot.completion.tokens.count)
    }
    advance(by: sampler.draw(draws, logits: logits, rows: slots.count))
  }

  private mutating func advance(by tokens: [TokenSampler.Token]) {
    // Out of the session while they change: an array that is shared is copied by each change.
    var current = slots
    slots = []
    var kept = 0
    for (index, token) in tokens.enumerated() {
      append(token, to: &current[index].completion)
      let (request, sample) = (current[index].request, current[index].sample)
      if isDone(&current[index].completion, request, sample) {
        cache.release(current[index].table[current[index].sharedBlocks...])
        finish(current[index].completion, request, sample)
      } else {
        current.swapAt(kept, index)
        kept += 1
      }
    }
    current.removeLast(current.count - kept)
    slots = current
  }

  private func draw(row: Int, _ request: Int, _ sample: Int, index: Int) -> TokenSampler.Draw {
    TokenSampler.Draw(
      row: row, draw: requests[request].draw, sample: requests[request].firstSample + sample,
      index: index)
  }

  private func append(_ token: TokenSampler.Token, to completion: inout GeneratedCompletion) {
    completion.tokens.append(token.id)
    completion.statistics.logProbabilities.append(token.logProbability)
    completion.statistics.entropies.append(token.entropy)
    if token.keptSet != nil, completion.keptSets.isEmpty {
      completion.keptSets = Array(repeating: nil, count: completion.tokens.count - 1)
    }
    if token.keptSet != nil || !completion.keptSets.isEmpty {
      completion.keptSets.append(token.keptSet)
    }
  }

  private func isDone(
    _ completion: inout GeneratedCompletion, _ request: Int, _ sample: Int
  ) -> Bool {
    let count = completion.tokens.count
    let room = engine.model.configuration.maximumPositions - requests[request].prompt.count
    if settings.endTokens.contains(completion.tokens[count - 1])
      || observer.endsCompletion?(request, sample, completion.tokens) == true
    {
      completion.finish = .stop
      return true
    }
    completion.finish = .length
    return count >= min(settings.maxNewTokens, room)
  }

  private mutating func finish(_ completion: GeneratedCompletion, _ request: Int, _ sample: Int) {
    results[request][sample] = completion
    prefilled[request]?.unfinished -= 1
    if let prompt = prefilled[request], prompt.unfinished == 0 {
      cache.release(prompt.blocks)
      prefilled[request] = nil
    }
    observer.completed?(request, sample, completion)
  }
}
