import Rollouts

/// Byte-pair encoding of one word.
///
/// Symbols are merged, the merge of least rank first and the leftmost of equals, until none applies
/// (Sennrich, Haddow, Birch 2016, "Neural Machine Translation of Rare Words with Subword Units").
/// Deviations between tokenizers are settings, named as in `tokenizer.json`.
struct BytePairModel: Sendable {
  /// What the first symbols of a word are.
  enum Alphabet: Sendable {
    /// Bytes, each spelt as one character in the vocabulary (GPT-2, Qwen, Llama 3).
    case bytes
    /// Unicode scalars (SentencePiece style).
    case scalars
  }

  var vocabulary: Vocabulary
  /// Tokens of the vocabulary that are added ones only: the model's own steps don't know them.
  var addedOnly: Set<UInt32> = []
  var merges: MergeTable
  var alphabet = Alphabet.scalars
  /// What stands for a symbol without a token; nil drops it.
  var unknown: UInt32?
  /// Whether neighbouring unknown symbols become one token.
  var fusesUnknown = false
  /// The ids of `<0x00>`…`<0xFF>`, where a symbol without a token falls back on its bytes.
  var byteTokens: [UInt32?]?
  /// Whether a word that is a token is encoded as that token without merging.
  var ignoresMerges = false
  /// What symbols after the first start with in the vocabulary.
  var continuingPrefix: [UInt8] = []
  /// What the last symbol ends with in the vocabulary.
  var endSuffix: [UInt8] = []
  /// The id of each one-byte symbol; `Self.none` where there is no token.
  private(set) var byteSymbols = [UInt32](repeating: Self.none, count: 256)

  static let none = UInt32.max
  /// Longer words are merged with a heap, so that time grows as n log n.
  private static let shortWord = 48

  init(vocabulary: Vocabulary, merges: MergeTable) {
    self.vocabulary = vocabulary
    self.merges = merges
  }

  /// Fills the table of one-byte symbols; call after the alphabet is settled.
  mutating func prepare() {
    for byte in 0..<256 {
      var symbol: [UInt8] = []
      switch alphabet {
      case .bytes: symbol.append(scalar: ByteLevelAlphabet.scalars[byte])
      case .scalars:
        guard byte < 0x80 else { continue }
        symbol = [UInt8(byte)]
      }
      if let id = symbol.withUnsafeBufferPointer({ ownID(of: $0) }) { byteSymbols[byte] = id }
    }
  }

  /// The id of a token that belongs to the model itself.
  @inline(__always)
  func ownID(of token: UTF8Bytes) -> UInt32? {
    guard let id = vocabulary.id(of: token) else { return nil }
    return addedOnly.isEmpty || !addedOnly.contains(id) ? id : nil
  }

  /// Buffers that outlive a word.
  struct Scratch {
    fileprivate var symbols: [UInt32] = []
    fileprivate var ranks: [UInt32] = []
    fileprivate var products: [UInt32] = []
    fileprivate var spelling: [UInt8] = []
    fileprivate var queue = MergeQueue()
    var cache = WordCache()
  }

  /// Appends the tokens of a word.
  /// - Complexity: O(n log n) in the word's bytes.
  func encode(_ word: UTF8Bytes, into output: inout [TokenID], scratch: inout Scratch) {
    guard !word.isEmpty else { return }
    let key = WordCache.Key(word)
    if let key, scratch.cache.append(key, to: &output) { return }
    let start = output.count
    if !appendWhole(word, into: &output, scratch: &scratch) {
      scratch.symbols.removeAll(keepingCapacity: true)
      appendSymbols(of: word, scratch: &scratch)
      if scratch.symbols.count <= Self.shortWord {
        mergeShort(&scratch)
        for symbol in scratch.symbols { output.append(TokenID(bitPattern: symbol)) }
      } else {
        scratch.queue.merge(scratch.symbols, with: merges, into: &output)
      }
    }
    if let key { scratch.cache.store(key, output[start...]) }
  }

  private func appendWhole(
    _ word: UTF8Bytes, into output: inout [TokenID], scratch: inout Scratch
  ) -> Bool {
    guard ignoresMerges else { return false }
    var id: UInt32?
    switch alphabet {
    case .scalars: id = ownID(of: word)
    case .bytes:
      scratch.spelling.removeAll(keepingCapacity: true)
      ByteLevelAlphabet.spell(word, into: &scratch.spelling)
      id = scratch.spelling.withUnsafeBufferPointer { ownID(of: $0) }
    }
    guard let id else { return false }
    output.append(TokenID(bitPattern: id))
    return true
  }

  // MARK: The first symbols

  private func appendSymbols(of word: UTF8Bytes, scratch: inout Scratch) {
    if alphabet == .bytes, continuingPrefix.isEmpty, endSuffix.isEmpty {
      for byte in word {
        let symbol = byteSymbols[Int(byte)]
        if symbol == Self.none { return appendGeneralSymbols(of: word, scratch: &scratch) }
        scratch.symbols.append(symbol)
      }
      return
    }
    appendGeneralSymbols(of: word, scratch: &scratch)
  }

  /// The symbols with affixes, byte fallback and unknowns, in the reference implementation's order.
  private func appendGeneralSymbols(of word: UTF8Bytes, scratch: inout Scratch) {
    scratch.symbols.removeAll(keepingCapacity: true)
    var pendingUnknown = false
    var index = 0
    while index < word.count {
      let length = alphabet == .bytes ? 1 : word.scalar(at: index).length
      defer { index += length }
      if let id = symbol(of: word, at: index, length: length, spelling: &scratch.spelling) {
        if pendingUnknown, let unknown { scratch.symbols.append(unknown) }
        pendingUnknown = false
        scratch.symbols.append(id)
        continue
      }
      if let bytes = fallback(for: scratch.spelling) {
        scratch.symbols.append(contentsOf: bytes)
        continue
      }
      if let unknown {
        if pendingUnknown, !fusesUnknown { scratch.symbols.append(unknown) }
        pendingUnknown = true
      }
    }
    if pendingUnknown, let unknown { scratch.symbols.append(unknown) }
  }

  /// The id of the symbol at an offset; `spelling` holds its content with affixes afterwards.
  private func symbol(
    of word: UTF8Bytes, at index: Int, length: Int, spelling: inout [UInt8]
  ) -> UInt32? {
    spelling.removeAll(keepingCapacity: true)
    if index > 0 { spelling.append(contentsOf: continuingPrefix) }
    switch alphabet {
    case .bytes: spelling.append(scalar: ByteLevelAlphabet.scalars[Int(word[index])])
    case .scalars: for offset in 0..<length { spelling.append(word[index + offset]) }
    }
    if index + length == word.count { spelling.append(contentsOf: endSuffix) }
    if spelling.count == 1, byteSymbols[Int(spelling[0])] != Self.none, alphabet == .scalars {
      return byteSymbols[Int(spelling[0])]
    }
    return spelling.withUnsafeBufferPointer { ownID(of: $0) }
  }

  private func fallback(for spelling: [UInt8]) -> [UInt32]? {
    guard let byteTokens else { return nil }
    var ids: [UInt32] = []
    for byte in spelling {
      guard let id = byteTokens[Int(byte)] else { return nil }
      ids.append(id)
    }
    return ids
  }

  // MARK: Merging

  /// Merges in place: the least rank is searched for by looking at every pair.
  private func mergeShort(_ scratch: inout Scratch) {
    var count = scratch.symbols.count
    guard count > 1 else { return }
    scratch.ranks.removeAll(keepingCapacity: true)
    scratch.products.removeAll(keepingCapacity: true)
    for index in 0..<count - 1 {
      let merge = merges.merge(scratch.symbols[index], scratch.symbols[index + 1])
      scratch.ranks.append(merge.rank)
      scratch.products.append(merge.product)
    }
    scratch.symbols.withUnsafeMutableBufferPointer { symbols in
      scratch.ranks.withUnsafeMutableBufferPointer { ranks in
        scratch.products.withUnsafeMutableBufferPointer { products in
          while count > 1 {
            var best = MergeTable.noRank
            var place = 0
            for index in 0..<count - 1 where ranks[index] < best {
              best = ranks[index]
              place = index
            }
            if best == MergeTable.noRank { break }
            symbols[place] = products[place]
            count -= 1
            var index = place + 1
            while index < count {
              symbols[index] = symbols[index + 1]
              ranks[index - 1] = ranks[index]
              products[index - 1] = products[index]
              index += 1
            }
            // The pair at `place` is now with its new right neighbour, or gone at the end.
            for pair in max(place - 1, 0)...place where pair < count - 1 {
              let merge = merges.merge(symbols[pair], symbols[pair + 1])
              ranks[pair] = merge.rank
              products[pair] = merge.product
            }
          }
        }
      }
    }
    scratch.symbols.removeSubrange(count...)
  }
}
