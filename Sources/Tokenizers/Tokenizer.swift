import Foundation
import Rollouts

/// Text to tokens and back, as a Hugging Face folder describes it.
///
/// Byte-pair encoding in its byte-level (GPT-2, Qwen, Llama 3) and SentencePiece-like (Llama 2,
/// Mistral) forms; the ids are those that the `tokenizers` library gives for the same files.
public struct Tokenizer: Sendable {
  private let encoder: TextEncoder
  private let decoders: [Decoder]?
  private let addedIDs: Set<TokenID>
  private let specialIDs: Set<TokenID>

  /// The tokenizer files found in the folder, to copy into checkpoints.
  public let files: [String]
  /// The special tokens by role, as chat templates see them (`bos_token`, `eos_token` …).
  public let specialTokens: JSONObject
  /// The token that ends a text, by `tokenizer_config.json`.
  public let endTokenID: TokenID?
  /// The token that begins a text, by `tokenizer_config.json`.
  public let beginTokenID: TokenID?
  /// The token that pads a batch, by `tokenizer_config.json`.
  public let padTokenID: TokenID?
  /// The token of what the vocabulary can't spell, by `tokenizer_config.json` or the model.
  public let unknownTokenID: TokenID?
  /// How conversations become text; nil where the folder has no template.
  public let chatTemplate: ChatTemplate?

  /// Reads the tokenizer of a model folder: `tokenizer.json`, or `vocab.json` with `merges.txt`;
  /// beside them, where present, `tokenizer_config.json`, `special_tokens_map.json`,
  /// `added_tokens.json` and `chat_template.jinja`.
  /// - Throws: `TokenizerError` naming file and place.
  public init(folder: URL) throws(TokenizerError) {
    let source = TokenizerFolder(folder: folder)
    let config = try source.json("tokenizer_config.json")
    let special = SpecialTokens(
      config: config, map: try source.json("special_tokens_map.json"))
    var description = try Self.describe(source, config)
    try Self.addTokens(of: source, config, special, to: &description)

    let vocabulary = description.model.vocabulary
    func id(_ role: String) -> TokenID? {
      special[role].flatMap { vocabulary.id(of: $0) }.map { TokenID(bitPattern: $0) }
    }
    encoder = TextEncoder(description)
    decoders = description.decoders
    addedIDs = Set(description.addedTokens.map { TokenID(bitPattern: $0.id) })
    specialIDs = Set(
      description.addedTokens.lazy.filter(\.isSpecial).map { TokenID(bitPattern: $0.id) })
    files = source.files
    specialTokens = special.byRole
    endTokenID = id("eos_token")
    beginTokenID = id("bos_token")
    padTokenID = id("pad_token")
    unknownTokenID = id("unk_token") ?? description.model.unknown.map { TokenID(bitPattern: $0) }
    chatTemplate = try ChatTemplate(source, config, specialTokens: special.byRole)
  }

  private static func describe(
    _ source: TokenizerFolder, _ config: JSONValue?
  ) throws(TokenizerError) -> TokenizerDescription {
    if let bytes = try source.bytes("tokenizer.json") {
      return try TokenizerDescription(tokenizerFile: bytes, file: source.path("tokenizer.json"))
    }
    if let vocabulary = try source.bytes("vocab.json"), let merges = try source.bytes("merges.txt")
    {
      let family = LegacyFamily(
        className: config?["tokenizer_class"]?.string,
        modelType: try source.json("config.json")?["model_type"]?.string,
        addsPrefixSpace: config?["add_prefix_space"]?.bool ?? false)
      return try TokenizerDescription(
        vocabulary: vocabulary, vocabularyFile: source.path("vocab.json"), merges: merges,
        mergesFile: source.path("merges.txt"), family: family)
    }
    let convert =
      "python3 -c \"from transformers import AutoTokenizer as T; "
      + "T.from_pretrained('\(source.folder.path)').save_pretrained('\(source.folder.path)')\""
    throw TokenizerError(
      file: source.folder.path,
      reason: source.has("tokenizer.model")
        ? "there is only SentencePiece's tokenizer.model" : "there is no tokenizer.json",
      remedy: source.has("tokenizer.model")
        ? "make a tokenizer.json of it: \(convert)"
        : "expected tokenizer.json, or vocab.json with merges.txt")
  }

  /// Adds what the files beside `tokenizer.json` know: tokens of their own, and flags.
  private static func addTokens(
    of source: TokenizerFolder, _ config: JSONValue?, _ special: SpecialTokens,
    to description: inout TokenizerDescription
  ) throws(TokenizerError) {
    if let older = try source.json("added_tokens.json")?.object {
      for (content, id) in older {
        let reader = ComponentReader(
          file: source.path("added_tokens.json"), place: "\"\(content)\"",
          value: ["content": .string(content)])
        guard let id = id.integer else { throw reader.fault("expected an integer id") }
        guard description.model.vocabulary.id(of: content) == nil else { continue }
        try description.add(try TokenizerDescription.addedToken(reader, id: id), reader)
      }
    }
    for (key, value) in config?["added_tokens_decoder"]?.object ?? [:] {
      let reader = ComponentReader(
        file: source.path("tokenizer_config.json"), place: "added_tokens_decoder[\"\(key)\"]",
        value: value)
      guard let id = Int(key) else { throw reader.fault("expected an integer id as key") }
      try description.add(try TokenizerDescription.addedToken(reader, id: id), reader)
    }
    // Tokens with a role are special even where they are ordinary entries of the vocabulary.
    for content in special.contents {
      guard let id = description.model.vocabulary.id(of: content),
        !description.addedTokens.contains(where: { $0.id == id })
      else { continue }
      var token = AddedToken(id: id, content: Array(content.utf8))
      token.isSpecial = true
      try description.add(
        token,
        ComponentReader(file: source.path("tokenizer_config.json"), place: content, value: .null))
    }
  }

  // MARK: Encoding

  /// Refuses a text that the normalizers would make so long that memory might not do.
  ///
  /// Encoding itself takes any text; what comes from a file is asked about first.
  /// - Throws: `TokenizerError` naming the normalizer.
  public func checkLength(of text: String) throws(TokenizerError) {
    guard let step = encoder.excessiveNormalizer(for: text) else { return }
    throw TokenizerError(
      file: "tokenizer.json", place: "normalizer",
      reason:
        "\(step.name) would make this text of \(text.utf8.count) bytes longer than 16 MiB and "
        + "eight times its length", remedy: "shorten the text")
  }

  /// The tokens of a text.
  /// - Parameters:
  ///   - text: The text.
  ///   - addSpecialTokens: Whether the post-processor's tokens (`<s>` …) surround the result.
  /// - Complexity: O(n log n) in the text's bytes.
  public func encode(_ text: String, addSpecialTokens: Bool) -> [TokenID] {
    encoder.encode(text, addSpecialTokens: addSpecialTokens)
  }

  // MARK: Decoding

  /// The text of tokens; ids without a token are passed over, bytes that are not text become U+FFFD.
  public func decode(_ ids: some Sequence<TokenID>, skipSpecialTokens: Bool) -> String {
    if let steps = decoders, steps.count == 1, case .byteLevel = steps[0] {
      var bytes: [UInt8] = []
      for id in ids where !(skipSpecialTokens && specialIDs.contains(id)) {
        _ = encoder.withSpelling(of: id) { ByteLevelAlphabet.unspell($0, into: &bytes) }
      }
      return String(decoding: bytes, as: UTF8.self)
    }
    var decoder = makeIncrementalDecoder(skipSpecialTokens: skipSpecialTokens)
    var text = ""
    for id in ids { text += decoder.append(id) }
    return text + decoder.finish()
  }

  /// A decoder that takes tokens one by one.
  public func makeIncrementalDecoder(skipSpecialTokens: Bool) -> IncrementalDecoder {
    IncrementalDecoder(
      encoder: encoder, steps: decoders,
      skippedIDs: skipSpecialTokens ? specialIDs : [])
  }

  // MARK: The vocabulary

  /// The id of a token by its content, as the files spell it ("Ġthe", "▁the", "<s>").
  public func id(of token: String) -> TokenID? {
    encoder.model.vocabulary.id(of: token).map { TokenID(bitPattern: $0) }
  }

  /// The content of a token, as the files spell it.
  public func token(of id: TokenID) -> String? {
    encoder.model.vocabulary.withContent(of: id) { String(decoding: $0, as: UTF8.self) }
  }

  /// The greatest id + 1.
  public var vocabularySize: Int { encoder.model.vocabulary.size }

  /// Whether decoding without special tokens leaves a token out.
  public func isSpecial(_ id: TokenID) -> Bool { specialIDs.contains(id) }

  /// The token with which the chat template ends an assistant's turn; nil where there is no such.
  public var endOfTurnTokenID: TokenID? { chatTemplate.flatMap(endOfTurnTokenID(of:)) }

  /// The token with which a chat template ends an assistant's turn; nil where there is no such.
  ///
  /// A base model's `eos_token` may be another one (`<|endoftext|>` beside `<|im_end|>`).
  public func endOfTurnTokenID(of chatTemplate: ChatTemplate) -> TokenID? {
    let mark = "end-of-turn-probe"
    let messages = [
      ChatMessage(role: "user", content: "?"), ChatMessage(role: "assistant", content: mark),
    ]
    guard
      let text = try? chatTemplate.render(messages: messages, end: .closed),
      let place = text.range(of: mark, options: .backwards)
    else { return nil }
    return encode(String(text[place.upperBound...]), addSpecialTokens: false)
      .first(where: addedIDs.contains)
  }
}
