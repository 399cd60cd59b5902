import Rollouts

/// A component's settings in `tokenizer.json`, with its place for errors.
struct ComponentReader {
  let file: String
  let place: String
  let value: JSONValue

  /// The component's `type`.
  func type() throws(TokenizerError) -> String {
    guard let type = value["type"]?.string else {
      throw fault("expected an object with a \"type\"")
    }
    return type
  }

  func fault(_ reason: String, remedy: String? = nil) -> TokenizerError {
    TokenizerError(file: file, place: place, reason: reason, remedy: remedy)
  }

  /// What stands for a component that this program does not have.
  func unsupported(_ kind: String, _ type: String) -> TokenizerError {
    fault(
      "the \(kind) \"\(type)\" is not supported",
      remedy: "use a model whose tokenizer is byte-pair encoding (GPT-2, Llama, Qwen, Mistral …)")
  }

  func string(_ key: String) throws(TokenizerError) -> String {
    guard let text = value[key]?.string else { throw fault("expected text for \"\(key)\"") }
    return text
  }

  func bool(_ key: String, default fallback: Bool) throws(TokenizerError) -> Bool {
    guard let member = value[key], !member.isNull else { return fallback }
    guard let value = member.bool else { throw fault("expected true or false for \"\(key)\"") }
    return value
  }

  func count(_ key: String, default fallback: Int) throws(TokenizerError) -> Int {
    guard let member = value[key], !member.isNull else { return fallback }
    guard let value = member.integer, (0...1_000_000).contains(value) else {
      throw fault("expected a count for \"\(key)\"")
    }
    return value
  }

  /// Refuses steps that together could make every text so much longer that memory would not do.
  func checkGrowth(_ factors: [Int]) throws(TokenizerError) {
    var growth = 1
    for factor in factors {
      growth = growth.multipliedReportingOverflow(by: factor).partialValue
      guard factors.count <= 64, factor <= 1 << 10, growth <= 1 << 12 else {
        throw fault("the steps could make a text thousands of times longer")
      }
    }
  }

  /// The elements of a list, each with its place.
  func list(_ key: String) throws(TokenizerError) -> [ComponentReader] {
    guard let elements = value[key]?.array else { throw fault("expected a list for \"\(key)\"") }
    return elements.enumerated().map { index, element in
      ComponentReader(file: file, place: "\(place).\(key)[\(index)]", value: element)
    }
  }

  /// A pattern: `{"String": …}` or `{"Regex": …}`.
  func pattern(_ key: String) throws(TokenizerError) -> TextPattern {
    if let text = value[key]?["String"]?.string { return .literal(Array(text.utf8)) }
    guard let source = value[key]?["Regex"]?.string else {
      throw fault("expected {\"String\": …} or {\"Regex\": …} for \"\(key)\"")
    }
    if let known = KnownPattern(source: source) { return .known(known) }
    do throws(RegexError) {
      return .regex(try RegexProgram(source))
    } catch {
      throw fault("the pattern can't be used: \(error.reason)")
    }
  }
}
