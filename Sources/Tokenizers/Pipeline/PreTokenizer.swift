import Rollouts

/// One step of cutting text into the words that the model encodes one by one.
enum PreTokenizer: Sendable {
  /// Spells the text's bytes as characters, after an optional split by GPT-2's pattern.
  case byteLevel(addsPrefixSpace: Bool, split: TextSplit?, spells: Bool)
  case split(TextSplit)
  case metaspace(replacement: [UInt8], scheme: PrependScheme, splits: Bool)

  /// When `Metaspace` puts its character before a piece that lacks it.
  enum PrependScheme: String, Sendable { case first, never, always }

  /// Reads a component and appends its steps.
  static func read(
    _ reader: ComponentReader, into steps: inout [PreTokenizer], depth: Int = 0
  ) throws(TokenizerError) {
    guard depth < 16 else { throw reader.fault("sequences nested too deep") }
    let type = try reader.type()
    switch type {
    case "Sequence":
      for element in try reader.list("pretokenizers") {
        try read(element, into: &steps, depth: depth + 1)
      }
    case "ByteLevel":
      let usesPattern = try reader.bool("use_regex", default: true)
      steps.append(
        .byteLevel(
          addsPrefixSpace: try reader.bool("add_prefix_space", default: true),
          split: usesPattern ? TextSplit(pattern: .known(.gpt2), behavior: .isolated) : nil,
          spells: true))
    case "Split":
      var split = TextSplit(
        pattern: try reader.pattern("pattern"), behavior: try behavior(reader, default: nil))
      split.isInverted = try reader.bool("invert", default: false)
      steps.append(.split(split))
    case "Metaspace": steps.append(try metaspace(reader))
    default: steps.append(try simple(type, reader))
    }
  }

  private static func simple(
    _ type: String, _ reader: ComponentReader
  ) throws(TokenizerError) -> PreTokenizer {
    switch type {
    case "Digits":
      let isIndividual = try reader.bool("individual_digits", default: false)
      return .split(
        TextSplit(
          pattern: .scalar { _, properties in properties.isNumber },
          behavior: isIndividual ? .isolated : .contiguous))
    case "Punctuation":
      return .split(
        TextSplit(
          pattern: .scalar(isPunctuation), behavior: try behavior(reader, default: .isolated)))
    case "WhitespaceSplit":
      return .split(
        TextSplit(pattern: .scalar { _, properties in properties.isSpace }, behavior: .removed))
    case "Whitespace":
      let word = #"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D"#
      guard let program = try? RegexProgram("[\(word)]+|[^\(word)\\s]+") else {
        throw reader.unsupported("pre-tokenizer", type)
      }
      return .split(TextSplit(pattern: .regex(program), behavior: .removed, isInverted: true))
    case "CharDelimiterSplit":
      return .split(
        TextSplit(
          pattern: .literal(Array(try reader.string("delimiter").utf8)), behavior: .removed))
    default: throw reader.unsupported("pre-tokenizer", type)
    }
  }

  /// ASCII's punctuation and symbols, and what Unicode 8 calls punctuation: the reference library's
  /// table for this step is of that age.
  @Sendable
  private static func isPunctuation(_ value: UInt32, _ properties: ScalarProperties) -> Bool {
    switch value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E, 0x166D, 0x111C9: return true
    default:
      guard (11...17).contains(properties.category), let scalar = Unicode.Scalar(value) else {
        return false
      }
      return (scalar.properties.age?.major ?? 0) <= 8
    }
  }

  private static func behavior(
    _ reader: ComponentReader, default fallback: SplitBehavior?
  ) throws(TokenizerError) -> SplitBehavior {
    if reader.value["behavior"] == nil, let fallback { return fallback }
    let name = try reader.string("behavior")
    guard let behavior = SplitBehavior(rawValue: name) else {
      throw reader.fault(
        "unknown behavior \"\(name)\"",
        remedy: "expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous")
    }
    return behavior
  }

  private static func metaspace(_ reader: ComponentReader) throws(TokenizerError) -> PreTokenizer {
    let settings = try MetaspaceSettings(reader)
    return .metaspace(
      replacement: settings.replacement, scheme: settings.scheme,
      splits: try reader.bool("split", default: true))
  }

  /// How many times longer a text may become.
  var growth: Int {
    switch self {
    case .byteLevel: 2
    case .metaspace(let replacement, _, _): replacement.count
    case .split: 1
    }
  }

  // MARK: Cutting

  /// Cuts a piece by the steps in order and visits the words.
  ///
  /// `isFirst` says whether the piece starts where the whole text does.
  static func cut(
    _ bytes: UTF8Bytes, isFirst: Bool, by steps: ArraySlice<PreTokenizer>,
    _ body: (UTF8Bytes) -> Void
  ) {
    guard !bytes.isEmpty else { return }
    guard let step = steps.first else { return body(bytes) }
    let rest = steps.dropFirst()
    switch step {
    case .split(let split):
      // The usual last step, which only spells bytes, has nothing left to do here.
      let isLast = rest.isEmpty || rest.count == 1 && rest[rest.startIndex].isTransparent
      split.forEachPiece(in: bytes) { range in
        let piece = bytes.slice(range)
        if isLast {
          body(piece)
        } else {
          cut(piece, isFirst: isFirst && range.lowerBound == 0, by: rest, body)
        }
      }
    case .byteLevel(let addsPrefixSpace, let split, let spells):
      cutByteLevel(
        bytes, isFirst: isFirst, addsPrefixSpace: addsPrefixSpace, split: split, spells: spells,
        by: rest, body)
    case .metaspace(let replacement, let scheme, let splits):
      var text = TextPattern.literal([0x20]).replacing(in: bytes, with: replacement)
      let prepends = scheme == .always || scheme == .first && isFirst
      if prepends, !text.starts(with: replacement) { text.insert(contentsOf: replacement, at: 0) }
      text.withUnsafeBufferPointer { text in
        guard splits else { return cut(text, isFirst: isFirst, by: rest, body) }
        let split = TextSplit(pattern: .literal(replacement), behavior: .mergedWithNext)
        split.forEachPiece(in: text) { range in
          cut(text.slice(range), isFirst: isFirst && range.lowerBound == 0, by: rest, body)
        }
      }
    }
  }

  /// Whether the step hands a piece on as it is.
  private var isTransparent: Bool {
    if case .byteLevel(addsPrefixSpace: false, split: nil, spells: false) = self { return true }
    return false
  }

  private static func cutByteLevel(
    _ bytes: UTF8Bytes, isFirst: Bool, addsPrefixSpace: Bool, split: TextSplit?, spells: Bool,
    by rest: ArraySlice<PreTokenizer>, _ body: (UTF8Bytes) -> Void
  ) {
    if addsPrefixSpace, bytes[0] != 0x20 {
      ([0x20] + Array(bytes)).withUnsafeBufferPointer { text in
        cutByteLevel(
          text, isFirst: isFirst, addsPrefixSpace: false, split: split, spells: spells, by: rest,
          body)
      }
      return
    }
    func emit(_ range: Range<Int>) {
      let piece = bytes.slice(range)
      let isFirst = isFirst && range.lowerBound == 0
      guard spells else {
        if rest.isEmpty { body(piece) } else { cut(piece, isFirst: isFirst, by: rest, body) }
        return
      }
      var text: [UInt8] = []
      ByteLevelAlphabet.spell(piece, into: &text)
      text.withUnsafeBufferPointer { cut($0, isFirst: isFirst, by: rest, body) }
    }
    if let split { split.forEachPiece(in: bytes, emit) } else { emit(0..<bytes.count) }
  }
}

/// The settings that the pre-tokenizer and the decoder `Metaspace` share.
struct MetaspaceSettings {
  var replacement: [UInt8]
  var scheme: PreTokenizer.PrependScheme

  init(_ reader: ComponentReader) throws(TokenizerError) {
    let text = reader.value["replacement"] == nil ? "▁" : try reader.string("replacement")
    guard text.unicodeScalars.count == 1 else {
      throw reader.fault("expected one character for \"replacement\"")
    }
    replacement = Array(text.utf8)
    let name = reader.value["prepend_scheme"] == nil ? nil : try reader.string("prepend_scheme")
    guard let scheme = PreTokenizer.PrependScheme(rawValue: name ?? "always") else {
      throw reader.fault("expected first, never or always for \"prepend_scheme\"")
    }
    // The older spelling: without a scheme, `add_prefix_space` false means never.
    let adds = try reader.bool("add_prefix_space", default: true)
    self.scheme = name == nil && !adds ? .never : scheme
  }
}
