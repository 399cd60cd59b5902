import Rollouts

/// Everything that a folder says about a tokenizer, read and checked.
struct TokenizerDescription {
  var model: BytePairModel
  var normalizers: [Normalizer] = []
  var preTokenizers: [PreTokenizer] = []
  var postProcessor = PostProcessor()
  /// nil where the file has no decoder: tokens are then joined by spaces.
  var decoders: [Decoder]?
  var addedTokens: [AddedToken] = []
  /// Whether words may be cut before "▁" although no pre-tokenizer cuts them.
  var cutsAtWordStarts = false

  // MARK: tokenizer.json

  /// Reads `tokenizer.json`.
  init(tokenizerFile bytes: [UInt8], file: String) throws(TokenizerError) {
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw TokenizerError(file: file, reason: "the file is not UTF-8 text")
    }
    let result: Result<TokenizerDescription, TokenizerError> = bytes.withUnsafeBufferPointer {
      buffer in
      do throws(TokenizerError) {
        return .success(try TokenizerDescription(buffer, file: file))
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  private init(_ bytes: UTF8Bytes, file: String) throws(TokenizerError) {
    let sections = try Self.sections(of: bytes, at: 0, file, place: nil)
    guard let modelRange = sections["model"] else {
      throw TokenizerError(
        file: file, reason: "there is no \"model\"", remedy: "expected a tokenizer.json")
    }
    var keepsWordStarts = false
    model = try Self.readModel(bytes, modelRange, file, &keepsWordStarts)
    if let reader = try Self.component("normalizer", sections, bytes, file) {
      try Normalizer.read(reader, into: &normalizers)
      try reader.checkGrowth(normalizers.map(\.growth))
    }
    if let reader = try Self.component("pre_tokenizer", sections, bytes, file) {
      try PreTokenizer.read(reader, into: &preTokenizers)
      try reader.checkGrowth(preTokenizers.map(\.growth))
    }
    if let reader = try Self.component("decoder", sections, bytes, file) {
      var steps: [Decoder] = []
      try Decoder.read(reader, into: &steps)
      try reader.checkGrowth(steps.map(\.growth))
      decoders = steps
    }
    if let reader = try Self.component("added_tokens", sections, bytes, file) {
      try readAddedTokens(reader)
    }
    if let reader = try Self.component("post_processor", sections, bytes, file) {
      postProcessor = try PostProcessor(reader, vocabularySize: model.vocabulary.size)
    }
    settle(keepsWordStarts: keepsWordStarts)
  }

  /// Settles what the model's alphabet is, now that the steps before it are known.
  private mutating func settle(keepsWordStarts: Bool) {
    let byteLevels = preTokenizers.filter { if case .byteLevel = $0 { true } else { false } }
    let spellsEarly = normalizers.contains { if case .byteLevel = $0 { true } else { false } }
    if byteLevels.count == 1, !spellsEarly,
      case .byteLevel(let addsSpace, let split, _)? = preTokenizers.last
    {
      // The spelling is the last thing done: the model may as well read the bytes themselves.
      model.alphabet = .bytes
      preTokenizers[preTokenizers.count - 1] = .byteLevel(
        addsPrefixSpace: addsSpace, split: split, spells: false)
    }
    model.prepare()
    cutsAtWordStarts =
      keepsWordStarts && preTokenizers.isEmpty && !model.ignoresMerges
      && model.continuingPrefix.isEmpty && model.endSuffix.isEmpty
      && VocabularyReader.wordStart.withUnsafeBufferPointer { model.ownID(of: $0) } != nil
  }

  /// The byte ranges of an object's members.
  private static func sections(
    of bytes: UTF8Bytes, at position: Int, _ file: String, place: String?
  ) throws(TokenizerError) -> [String: Range<Int>] {
    var sections: [String: Range<Int>] = [:]
    var cursor = JSONCursor(bytes, at: position)
    do throws(JSONError) {
      try cursor.members { (key, cursor) throws(JSONError) in
        cursor.skipSpace()
        let start = cursor.position
        try cursor.skipValue()
        sections[key.string] = start..<cursor.position
      }
      if place == nil, cursor.peek() != nil { throw cursor.fault("unexpected text at the end") }
    } catch {
      throw TokenizerError(
        file: file, place: "line \(error.line), column \(error.column)", reason: error.reason,
        remedy: "the file may have been cut short; fetch it again")
    }
    return sections
  }

  private static func component(
    _ name: String, _ sections: [String: Range<Int>], _ bytes: UTF8Bytes, _ file: String,
    prefix: String = ""
  ) throws(TokenizerError) -> ComponentReader? {
    guard let range = sections[name] else { return nil }
    do throws(JSONError) {
      let value = try JSONValue.parse(bytes: bytes[range])
      return value.isNull ? nil : ComponentReader(file: file, place: prefix + name, value: value)
    } catch {
      throw TokenizerError(
        file: file, place: prefix + name,
        reason: "\(error.reason) (line \(error.line) of the section, column \(error.column))")
    }
  }

  // MARK: The model

  private static func readModel(
    _ bytes: UTF8Bytes, _ range: Range<Int>, _ file: String, _ keepsWordStarts: inout Bool
  ) throws(TokenizerError) -> BytePairModel {
    let sections = try sections(of: bytes, at: range.lowerBound, file, place: "model")
    func setting(_ name: String) throws(TokenizerError) -> JSONValue {
      try component(name, sections, bytes, file, prefix: "model.")?.value ?? .null
    }
    func fault(_ place: String, _ reason: String, _ remedy: String? = nil) -> TokenizerError {
      TokenizerError(file: file, place: "model.\(place)", reason: reason, remedy: remedy)
    }
    func text(_ name: String) throws(TokenizerError) -> [UInt8] {
      let value = try setting(name)
      if value.isNull { return [] }
      guard let text = value.string else { throw fault(name, "expected text or null") }
      return Array(text.utf8)
    }
    func bool(_ name: String) throws(TokenizerError) -> Bool {
      let value = try setting(name)
      if value.isNull { return false }
      guard let bool = value.bool else { throw fault(name, "expected true or false") }
      return bool
    }
    let type = try setting("type").string ?? (sections["merges"] == nil ? "unknown" : "BPE")
    guard type == "BPE" else {
      throw fault(
        "type", "a model of type \"\(type)\" is not supported",
        "use a model whose tokenizer is byte-pair encoding (GPT-2, Llama, Qwen, Mistral …)")
    }
    if let dropout = try setting("dropout").double, dropout != 0 {
      throw fault(
        "dropout", "\(dropout) would make encoding random", "set it to null: it is for training")
    }
    guard let vocabularyRange = sections["vocab"], let mergesRange = sections["merges"] else {
      throw fault("vocab", "a BPE model needs \"vocab\" and \"merges\"")
    }
    let reader = VocabularyReader(file: file, prefix: "model.")
    var cursor = JSONCursor(bytes, at: vocabularyRange.lowerBound)
    let vocabulary = try reader.vocabulary(&cursor)
    let prefix = try text("continuing_subword_prefix")
    cursor = JSONCursor(bytes, at: mergesRange.lowerBound)
    let merges = try reader.merges(&cursor, vocabulary, continuingPrefix: prefix)
    keepsWordStarts = merges.keepsWordStarts
    var model = BytePairModel(vocabulary: vocabulary, merges: merges.table)
    model.continuingPrefix = prefix
    model.endSuffix = try text("end_of_word_suffix")
    model.fusesUnknown = try bool("fuse_unk")
    model.ignoresMerges = try bool("ignore_merges")
    let unknown = try text("unk_token")
    if !unknown.isEmpty {
      guard let id = vocabulary.id(of: unknown) else {
        throw fault(
          "unk_token", "\"\(String(decoding: unknown, as: UTF8.self))\" is not in the vocabulary")
      }
      model.unknown = id
    }
    if try bool("byte_fallback") {
      model.byteTokens = (0..<256).map { vocabulary.id(of: ByteToken.content(of: $0)) }
    }
    return model
  }

  // MARK: Added tokens

  private mutating func readAddedTokens(_ reader: ComponentReader) throws(TokenizerError) {
    guard let elements = reader.value.array else { throw reader.fault("expected a list") }
    for (index, element) in elements.enumerated() {
      let item = ComponentReader(
        file: reader.file, place: "\(reader.place)[\(index)]", value: element)
      guard let id = element["id"]?.integer else { throw item.fault("expected an integer \"id\"") }
      try add(try Self.addedToken(item, id: id), item)
    }
  }

  /// Reads a token's flags; `special` tokens are not normalized unless they say so.
  static func addedToken(
    _ reader: ComponentReader, id: Int
  ) throws(TokenizerError) -> AddedToken {
    guard (0..<Vocabulary.idLimit).contains(id) else {
      throw reader.fault(
        "the id \(id) is out of range; ids run from 0 to \(Vocabulary.idLimit - 1)")
    }
    var token = AddedToken(id: UInt32(id), content: Array(try reader.string("content").utf8))
    token.isSpecial = try reader.bool("special", default: false)
    token.isSingleWord = try reader.bool("single_word", default: false)
    token.stripsLeft = try reader.bool("lstrip", default: false)
    token.stripsRight = try reader.bool("rstrip", default: false)
    token.isNormalized = try reader.bool("normalized", default: !token.isSpecial)
    return token
  }

  /// Adds a token, or takes over its flags where it is there already.
  mutating func add(_ token: AddedToken, _ reader: ComponentReader) throws(TokenizerError) {
    guard !token.content.isEmpty else { return }
    guard token.content.count <= Self.addedTokenLimit else {
      throw reader.fault("an added token of more than \(Self.addedTokenLimit) bytes")
    }
    addedBytes += token.content.count
    guard addedBytes <= Self.addedBytesLimit else {
      throw reader.fault("the added tokens take more than \(Self.addedBytesLimit >> 20) MiB")
    }
    let name = String(decoding: token.content, as: UTF8.self)
    let insertion = token.content.withUnsafeBufferPointer {
      model.vocabulary.insert($0, id: Int(token.id))
    }
    switch insertion {
    case .added: model.addedOnly.insert(token.id)
    case .duplicateContent(let id):
      guard id == token.id else {
        throw reader.fault("\"\(name)\" has id \(token.id) here, but \(id) in the vocabulary")
      }
    case .duplicateID:
      let other = VocabularyReader.name(of: Int(token.id), in: model.vocabulary)
      throw reader.fault("id \(token.id) belongs to both \"\(other)\" and \"\(name)\"")
    case .idOutOfRange: throw reader.fault("the id \(token.id) is out of range")
    }
    if let index = addedIndex[token.id] {
      addedTokens[index] = token
    } else {
      addedIndex[token.id] = addedTokens.count
      addedTokens.append(token)
    }
  }

  /// Longer added tokens are refused: looking for them takes time at every place of a text.
  private static let addedTokenLimit = 1024
  /// The bytes that all added tokens together may have.
  private static let addedBytesLimit = 4 << 20
  private var addedBytes = 0
  private var addedIndex: [UInt32: Int] = [:]

  // MARK: vocab.json and merges.txt

  /// Reads the older pair of files; the steps around the model are those of the tokenizer's class.
  init(
    vocabulary: [UInt8], vocabularyFile: String, merges: [UInt8], mergesFile: String,
    family: LegacyFamily
  ) throws(TokenizerError) {
    for (bytes, file) in [(vocabulary, vocabularyFile), (merges, mergesFile)]
    where String(validating: bytes, as: UTF8.self) == nil {
      throw TokenizerError(file: file, reason: "the file is not UTF-8 text")
    }
    let result: Result<BytePairModel, TokenizerError> = vocabulary.withUnsafeBufferPointer {
      vocabulary in
      merges.withUnsafeBufferPointer { merges in
        do throws(TokenizerError) {
          var cursor = JSONCursor(vocabulary)
          let table = try VocabularyReader(file: vocabularyFile, prefix: "").vocabulary(&cursor)
          let merges = try VocabularyReader(file: mergesFile, prefix: "")
            .merges(text: merges, table)
          return .success(BytePairModel(vocabulary: table, merges: merges.table))
        } catch {
          return .failure(error)
        }
      }
    }
    model = try result.get()
    switch family {
    case .gpt2(let addsPrefixSpace):
      preTokenizers = [
        .byteLevel(
          addsPrefixSpace: addsPrefixSpace,
          split: TextSplit(pattern: .known(.gpt2), behavior: .isolated), spells: true)
      ]
    case .qwen2:
      normalizers = [.form(.nfc)]
      preTokenizers = [
        .split(TextSplit(pattern: .known(.cl100k(digits: 1)), behavior: .isolated)),
        .byteLevel(addsPrefixSpace: false, split: nil, spells: true),
      ]
    }
    decoders = [.byteLevel]
    settle(keepsWordStarts: false)
  }
}

/// The tokenizer classes of `vocab.json` + `merges.txt`, which say what surrounds the model.
enum LegacyFamily {
  case gpt2(addsPrefixSpace: Bool)
  case qwen2

  /// The family of a class name or a model type; GPT-2's where neither is known.
  init(className: String?, modelType: String?, addsPrefixSpace: Bool) {
    let names = [className, modelType].compactMap { $0?.lowercased() }
    self =
      names.contains { $0.hasPrefix("qwen2") || $0.hasPrefix("qwen3") }
      ? .qwen2 : .gpt2(addsPrefixSpace: addsPrefixSpace)
  }
}
