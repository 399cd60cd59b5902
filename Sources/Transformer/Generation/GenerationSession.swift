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
    /// The residual stream at the prompt's last token, [1, C].
    var lastRow: Tensor
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
    sampler = TokenSampler(compute: engine.model.compute, settings: settings, key: key)
    results = requests.map { Array(repeating: GeneratedCompletion(), count: $0.samples) }
    for (index, request) in requests.enumerated() {
      for sample in 0..<request.samples { queue.append((index, sample)) }
    }
    // A limit beyond the context is legal, and never reached.
    let demand = SessionDemand(
      groups: requests.map { ($0.prompt.count, $0.samples) },
      completionLength: min(
        settings.maxNewTokens, engine.model.configuration.maximumPositions),
      concurrency: engine.concurrency)
    cache = KeyValueCache(engine.model, capacity: demand.blockLimit)
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
    var rows = TokenRows()
    var tables: [[Int32]] = []
    for request in prompts {
      let prompt = requests[request].prompt
      let blocks = (0..<KeyValueBlocks.blocks(forPositions: prompt.count)).map { _ in
        cache.allocate()
      }
      tables.append(blocks)
      rows.attention.promptSpans.append(
        AttentionSpan(
          rowStart: rows.count, count: prompt.count, firstPosition: 0,
          tableStart: rows.attention.table.count))
      rows.attention.table.append(contentsOf: blocks)
      rows.tokens.append(contentsOf: prompt)
      rows.positions.append(contentsOf: 0..<Int32(prompt.count))
    }
    let stream = run(rows)
    for ((request, blocks), span) in zip(zip(prompts, tables), rows.attention.promptSpans) {
      let last = Int(span.rowStart + span.count) - 1
      // A copy: the stream is written anew by the next rows.
      let lastRow = Tensor(count: stream.columns)
      lastRow.fill(from: stream.rows(last..<last + 1))
      prefilled[request] = Prefilled(
        blocks: blocks, lastRow: lastRow, unfinished: requests[request].samples)
    }
  }

  /// The residual stream of rows after the last layer, [R, C].
  private func run(_ rows: TokenRows) -> Tensor {
    engine.model.runLayers(
      rows, caches: cache.layers, keeping: [engine.activations], into: engine.stream)
    return engine.stream.tensor
  }

  /// Draws the first token of each admitted completion from its prompt's last row.
  private mutating func drawFirstTokens(
    _ order: [Int], _ members: [Int: [(request: Int, sample: Int)]]
  ) {
    let stream = Tensor(rows: order.count, columns: engine.model.configuration.hiddenSize)
    for (row, request) in order.enumerated() {
      guard let prompt = prefilled[request] else { continue }
      stream.rows(row..<row + 1).fill(from: prompt.lastRow)
    }
    let logits = engine.head.logits(of: Array(order.indices), in: stream)
    var draws: [TokenSampler.Draw] = []
    var drawn: [(request: Int, sample: Int)] = []
    for (row, request) in order.enumerated() {
      for member in members[request] ?? [] {
        draws.append(draw(row: row, member.request, member.sample, index: 0))
        drawn.append(member)
      }
    }
    let tokens = sampler.draw(draws, logits: logits)
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
    var rows = TokenRows()
    for index in slots.indices {
      let request = requests[slots[index].request]
      let position = request.prompt.count + slots[index].completion.tokens.count - 1
      if position / KeyValueBlocks.positions == slots[index].table.count {
        slots[index].table.append(cache.allocate())
      }
      rows.tokens.append(slots[index].completion.tokens[slots[index].completion.tokens.count - 1])
      rows.positions.append(Int32(position))
      rows.attention.promptSpans.append(
        AttentionSpan(
          rowStart: index, count: 1, firstPosition: position,
          tableStart: rows.attention.table.count))
      rows.attention.table.append(contentsOf: slots[index].table)
    }
    let logits = engine.head.logits(of: Array(slots.indices), in: run(rows))
    let draws = slots.enumerated().map { row, slot in
      draw(row: row, slot.request, slot.sample, index: slot.completion.tokens.count)
    }
    advance(by: sampler.draw(draws, logits: logits))
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
