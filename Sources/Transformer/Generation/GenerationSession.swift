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
    /// How many of the completion's last tokens have not been run: the newest, and what was observed after it.
    var pending = 1
  }

  /// Which completion.
  private struct Place: Hashable {
    var request: Int
    var sample: Int
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
  /// Completions that wait for an answer to their last turn.
  private var waiting: [Place: Slot] = [:]
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
    while next < queue.count || !slots.isEmpty || !waiting.isEmpty {
      if observer.isCancelled?() == true { return nil }
      if !waiting.isEmpty { resume() }
      if next < queue.count, free > 0 { admit() }
      if !slots.isEmpty { decode() }
    }
    return results
  }

  /// How many completions more can be under way.
  private var free: Int { engine.concurrency - slots.count - waiting.count }

  // MARK: Turns

  /// Lets completions go on for which an answer has come.
  private mutating func resume() {
    let isIdle = slots.isEmpty && (next == queue.count || free <= 0)
    for answer in observer.answers?(isIdle) ?? [] {
      let place = Place(request: answer.request, sample: answer.sample)
      guard var slot = waiting.removeValue(forKey: place) else { continue }
      switch answer.continuation {
      case .observed(let tokens)
      where slot.completion.tokens.count + tokens.count < limit(place.request):
        var segments = slot.completion.segments
        if segments.isEmpty { segments.extend(.sampled, by: slot.completion.tokens.count) }
        segments.extend(.observed, by: tokens.count)
        slot.completion.segments = segments
        slot.completion.tokens += tokens
        slot.pending += tokens.count
        slots.append(slot)
      case .observed: end(slot, .length)
      case .ended(let finish): end(slot, finish)
      }
    }
  }

  private mutating func end(_ slot: Slot, _ reason: FinishReason) {
    var completion = slot.completion
    completion.finish = reason
    cache.release(slot.table[slot.sharedBlocks...])
    finish(completion, slot.request, slot.sample)
  }

  /// Whether a completion that is done waits for an answer to its last turn.
  private func isAwaited(_ completion: GeneratedCompletion, _ place: Place) -> Bool {
    completion.finish == .stop && completion.tokens.count < limit(place.request)
      && observer.awaitsAnswer?(place.request, place.sample, completion) == true
  }

  /// The most tokens that a completion of a request may have.
  private func limit(_ request: Int) -> Int {
    min(
      settings.maxNewTokens,
      engine.model.configuration.maximumPositions - requests[request].prompt.count)
  }

  // MARK: Prompts

  /// Fills free slots from the queue, running the prompts that are new.
  private mutating func admit() {
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
      let place = Place(request: member.request, sample: member.sample)
      let done = isDone(&completion, member.request, member.sample)
      if done, !isAwaited(completion, place) {
        finish(completion, member.request, member.sample)
      } else if let slot = slot(for: completion, member.request, member.sample) {
        if done { waiting[place] = slot } else { slots.append(slot) }
      }
    }
  }

  private func slot(
    for completion: GeneratedCompletion, _ request: Int, _ sample: Int
  ) -> Slot? {
    guard let prompt = prefilled[request] else { return nil }
    let whole = requests[request].prompt.count / KeyValueBlocks.positions
    var table = Array(prompt.blocks[..<whole])
    if whole < prompt.blocks.count { table.append(cache.duplicate(prompt.blocks[whole])) }
    return Slot(
      request: request, sample: sample, completion: completion, table: table, sharedBlocks: whole)
  }

  // MARK: Decoding

  /// Runs what is pending of every slot, the last token and what was observed after it, and draws the next.
  private mutating func decode() {
    let postponed = postponeLongest()
    var rows = TokenRows()
    var last: [Int] = []
    for index in slots.indices {
      let count = slots[index].completion.tokens.count
      let pending = slots[index].pending
      let position = requests[slots[index].request].prompt.count + count - pending
      let blocks = KeyValueBlocks.blocks(forPositions: position + pending)
      while slots[index].table.count < blocks { slots[index].table.append(cache.allocate()) }
      rows.attention.promptSpans.append(
        AttentionSpan(
          rowStart: rows.count, count: pending, firstPosition: position,
          tableStart: rows.attention.table.count))
      rows.tokens.append(contentsOf: slots[index].completion.tokens[(count - pending)...])
      rows.positions.append(contentsOf: (position..<position + pending).map { Int32(clamping: $0) })
      rows.attention.table.append(contentsOf: slots[index].table)
      last.append(rows.count - 1)
    }
    let logits = engine.head.logits(of: last, in: run(rows))
    let draws = slots.enumerated().map { row, slot in
      draw(row: row, slot.request, slot.sample, index: slot.completion.tokens.count)
    }
    advance(by: sampler.draw(draws, logits: logits))
    slots += postponed
  }

  /// Takes out slots whose observations would make the rows too many; they have their turn in the next round.
  private mutating func postponeLongest() -> [Slot] {
    guard slots.contains(where: { $0.pending > 1 }) else { return [] }
    var room = max(GenerationEngine.prefillRows, slots.map(\.pending).max() ?? 0)
    var postponed: [Slot] = []
    var kept: [Slot] = []
    for slot in slots {
      if slot.pending == 1 || slot.pending <= room {
        if slot.pending > 1 { room -= slot.pending }
        kept.append(slot)
      } else {
        postponed.append(slot)
      }
    }
    slots = kept
    return postponed
  }

  private mutating func advance(by tokens: [TokenSampler.Token]) {
    // Out of the session while they change: an array that is shared is copied by each change.
    var current = slots
    slots = []
    var kept = 0
    for (index, token) in tokens.enumerated() {
      append(token, to: &current[index].completion)
      current[index].pending = 1
      let (request, sample) = (current[index].request, current[index].sample)
      guard isDone(&current[index].completion, request, sample) else {
        current.swapAt(kept, index)
        kept += 1
        continue
      }
      let place = Place(request: request, sample: sample)
      if isAwaited(current[index].completion, place) {
        waiting[place] = current[index]
      } else {
        cache.release(current[index].table[current[index].sharedBlocks...])
        finish(current[index].completion, request, sample)
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
    if !completion.segments.isEmpty { completion.segments.extend(.sampled, by: 1) }
    completion.statistics.logProbabilities.append(token.logProbability)
    completion.statistics.entropies.append(token.entropy)
    if token.keptSet != nil, completion.keptSets.isEmpty {
      completion.keptSets = Array(
        repeating: nil, count: completion.statistics.logProbabilities.count - 1)
    }
    if token.keptSet != nil || !completion.keptSets.isEmpty {
      completion.keptSets.append(token.keptSet)
    }
  }

  private func isDone(
    _ completion: inout GeneratedCompletion, _ request: Int, _ sample: Int
  ) -> Bool {
    let count = completion.tokens.count
    let turn =
      completion.segments.last.map { $0.origin == .sampled ? $0.count : 0 } ?? count
    if settings.endTokens.contains(completion.tokens[count - 1])
      || observer.endsCompletion?(request, sample, completion.tokens) == true
    {
      completion.finish = .stop
      return true
    }
    completion.finish = .length
    return count >= limit(request) || turn >= settings.maxTurnTokens
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
