import Rollouts

/// How a family of models writes the call of a tool; the names are those of vLLM's `--tool-call-parser`.
public enum ToolFormat: String, Sendable, CaseIterable {
  /// `<tool_call>` around `{"name", "arguments"}`: Hermes, Qwen2.5, Qwen3.
  case hermes
  /// `<tool_call>` around `<function=N><parameter=K>V</parameter></function>`: Qwen3-Coder, Qwen3.5.
  case qwen3Coder = "qwen3_coder"
  /// A turn that is `{"name", "parameters"}`: Llama 3.1 and 3.2.
  case llama3JSON = "llama3_json"
  /// `[TOOL_CALLS]` before `[{"name", "arguments", "id"}]`: Mistral.
  case mistral
  /// `<｜tool▁calls▁begin｜>` around calls whose arguments are fenced JSON: DeepSeek-V3.
  case deepseekV3 = "deepseek_v3"

  /// The format that a chat template writes; nil where it writes none that is known.
  public init?(template: ChatTemplate) {
    let marks: [(ToolFormat, [String])] = [
      (.qwen3Coder, ["<function=", "<parameter="]), (.hermes, ["<tool_call>"]),
      (.mistral, ["[TOOL_CALLS]"]), (.deepseekV3, ["<｜tool▁calls▁begin｜>"]),
      (.llama3JSON, ["\"parameters\": ", "tool_call"]),
    ]
    let found = marks.first { _, marks in
      marks.allSatisfy {
        var scanner = TextScanner(template.source)
        return scanner.text(before: $0) != nil
      }
    }
    guard let found else { return nil }
    self = found.0
  }

  /// Reads a turn of the policy.
  /// - Parameters:
  ///   - text: The turn with the special tokens in it, without the token that ends it.
  ///   - tools: The tools' JSON schemas, by which arguments that are written as bare text get their types.
  /// - Complexity: O(n) in the text.
  public func turn(_ text: String, tools: [JSONValue] = []) -> AssistantTurn {
    var scanner = TextScanner(text)
    var reasoning: String?
    var start = scanner
    start.skipSpace()
    if start.skip("<think>"), let thought = start.text(before: "</think>") {
      reasoning = thought.trimmed.isEmpty ? nil : thought.withoutOuterLineEnds
      scanner = start
      scanner.skipSpace()
    }
    let (content, calls) =
      switch self {
      case .hermes: HermesSyntax.calls(&scanner)
      case .qwen3Coder: FunctionTagSyntax.calls(&scanner, tools: tools)
      case .llama3JSON: BareObjectSyntax.calls(&scanner)
      case .mistral: MistralSyntax.calls(&scanner)
      case .deepseekV3: DeepSeekSyntax.calls(&scanner)
      }
    return AssistantTurn(reasoning: reasoning, content: content, calls: calls)
  }

  /// Calls as a template wants them in a message's `tool_calls`.
  ///
  /// DeepSeek's wants the arguments as a text, Mistral's a name of nine letters for each call.
  public func templateCalls(_ calls: [ToolCall]) -> JSONValue {
    .array(
      calls.enumerated().map { index, call in
        var function: JSONObject = [
          "name": .string(call.name), "arguments": .object(call.arguments),
        ]
        if self == .deepseekV3 {
          function["arguments"] = .string(JSONValue.object(call.arguments).jsonText)
        }
        var member: JSONObject = ["type": "function", "function": .object(function)]
        if let id = call.id ?? (self == .mistral ? Self.callID(index) : nil) {
          member["id"] = .string(id)
        }
        return .object(member)
      })
  }

  /// A name for a call without one: nine letters and digits, as Mistral's template demands.
  public static func callID(_ index: Int) -> String {
    let digits = String(max(0, index))
    return "call" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits.suffix(5)
  }
}

/// One call's name and arguments out of a JSON value.
enum CallReader {
  typealias Outcome = Result<ToolCall, MalformedCall>

  /// Reads `{"name": …, KEY: {…}}` from a text.
  /// - Parameter key: what the arguments stand under.
  static func call(_ text: String, argumentsUnder keys: [String]) -> Outcome {
    let value: JSONValue
    do { value = try JSONValue.parse(text) } catch {
      return malformed(text, "the call is not JSON (\(error)): \(expected(keys))")
    }
    return call(value, text: text, argumentsUnder: keys)
  }

  static func call(_ value: JSONValue, text: String, argumentsUnder keys: [String]) -> Outcome {
    guard let members = value.object else {
      return malformed(text, "the call is not a JSON object: \(expected(keys))")
    }
    guard let name = members["name"]?.string, !name.isEmpty else {
      return malformed(text, "the call has no \"name\": \(expected(keys))")
    }
    let given = keys.lazy.compactMap { members[$0] }.first ?? [:]
    guard let arguments = arguments(given) else {
      return malformed(text, "the arguments of \(name) are not a JSON object: \(expected(keys))")
    }
    return .success(ToolCall(name: name, arguments: arguments, id: members["id"]?.string))
  }

  /// The arguments, which may be an object, the text of one, or null.
  static func arguments(_ value: JSONValue) -> JSONObject? {
    if value.isNull { return [:] }
    if let text = value.string { return (try? JSONValue.parse(text))?.object }
    return value.object
  }

  static func malformed(_ text: String, _ reason: String) -> Outcome {
    .failure(MalformedCall(text: text, reason: reason))
  }

  private static func expected(_ keys: [String]) -> String {
    "expected {\"name\": …, \"\(keys[0])\": {…}}"
  }
}
