import Rollouts

typealias WrittenCalls = (content: String, calls: [Result<ToolCall, MalformedCall>])

/// Hermes: any number of `<tool_call>\n{"name": …, "arguments": {…}}\n</tool_call>` after the text.
enum HermesSyntax {
  static func calls(_ scanner: inout TextScanner) -> WrittenCalls {
    taggedCalls(&scanner) {
      CallReader.call($0.trimmed, argumentsUnder: ["arguments", "parameters"])
    }
  }

  /// The text before the first `<tool_call>`, and what each of them holds.
  static func taggedCalls(
    _ scanner: inout TextScanner, _ read: (String) -> Result<ToolCall, MalformedCall>
  ) -> WrittenCalls {
    guard let content = scanner.text(before: "<tool_call>") else { return (scanner.rest, []) }
    var calls: [Result<ToolCall, MalformedCall>] = []
    repeat {
      guard let call = scanner.text(before: "</tool_call>") else {
        calls.append(
          CallReader.malformed(scanner.rest, "the call is not closed: expected </tool_call>"))
        break
      }
      calls.append(read(call))
    } while scanner.text(before: "<tool_call>") != nil
    // Templates put one line's end between the text and the first call.
    return (content.hasSuffix("\n") ? String(content.dropLast()) : content, calls)
  }
}

/// Qwen3-Coder: `<function=N>` with a `<parameter=K>` for each argument, whose type the tool's schema tells.
enum FunctionTagSyntax {
  static func calls(_ scanner: inout TextScanner, tools: [JSONValue]) -> WrittenCalls {
    HermesSyntax.taggedCalls(&scanner) { call($0, tools) }
  }

  private static func call(
    _ text: String, _ tools: [JSONValue]
  ) -> Result<ToolCall, MalformedCall> {
    let expected = "expected <function=NAME><parameter=KEY>VALUE</parameter></function>"
    var scanner = TextScanner(text)
    scanner.skipSpace()
    guard scanner.skip("<function="), let name = scanner.text(before: ">")?.trimmed, !name.isEmpty
    else { return CallReader.malformed(text, "the call names no function: \(expected)") }
    let properties = tools.lazy.map { $0["function"] ?? $0 }.first { $0["name"]?.string == name }?[
      "parameters"]?["properties"]
    var arguments: JSONObject = [:]
    scanner.skipSpace()
    while scanner.skip("<parameter=") {
      guard let key = scanner.text(before: ">")?.trimmed,
        let value = scanner.text(before: "</parameter>")?.withoutOuterLineEnds
      else {
        return CallReader.malformed(text, "a parameter of \(name) is not closed: \(expected)")
      }
      arguments[key] = typed(value, by: properties?[key])
      scanner.skipSpace()
    }
    guard scanner.skip("</function>"), scanner.isBlank else {
      return CallReader.malformed(text, "the call of \(name) is not closed: \(expected)")
    }
    return .success(ToolCall(name: name, arguments: arguments))
  }

  /// A bare text as the schema's type; what can't be read as that stays text, and the tool says so.
  private static func typed(_ text: String, by schema: JSONValue?) -> JSONValue {
    guard let schema else { return .string(text) }
    let types = schema["type"]?.array?.compactMap(\.string) ?? [schema["type"]?.string ?? "string"]
    guard !types.contains("string") else { return .string(text) }
    // Python's spellings, which these models write too.
    let spelled = ["True": "true", "False": "false", "None": "null"][text.trimmed] ?? text.trimmed
    return (try? JSONValue.parse(spelled)) ?? .string(text)
  }
}

/// Llama 3: the whole turn is `{"name": …, "parameters": {…}}`.
enum BareObjectSyntax {
  static func calls(_ scanner: inout TextScanner) -> WrittenCalls {
    let text = scanner.rest
    scanner.skipSpace()
    _ = scanner.skip("<|python_tag|>")
    let call = scanner.rest.trimmed
    guard call.hasPrefix("{") else { return (text, []) }
    if let value = try? JSONValue.parse(call), value["name"] == nil { return (text, []) }
    return ("", [CallReader.call(call, argumentsUnder: ["parameters", "arguments"])])
  }
}

/// Mistral: `[TOOL_CALLS]` and a list of calls, each with an id.
enum MistralSyntax {
  static func calls(_ scanner: inout TextScanner) -> WrittenCalls {
    guard let content = scanner.text(before: "[TOOL_CALLS]") else { return (scanner.rest, []) }
    let text = scanner.rest.trimmed
    let list = (try? JSONValue.parse(text)).map { $0.array ?? [$0] } ?? []
    guard !list.isEmpty else {
      return (
        content,
        [
          CallReader.malformed(
            text, "the calls are not JSON: expected [{\"name\": …, \"arguments\": {…}, \"id\": …}]")
        ]
      )
    }
    return (
      content, list.map { CallReader.call($0, text: $0.jsonText, argumentsUnder: ["arguments"]) }
    )
  }
}

/// DeepSeek-V3: `function<｜tool▁sep｜>NAME`, then the arguments as fenced JSON.
enum DeepSeekSyntax {
  static func calls(_ scanner: inout TextScanner) -> WrittenCalls {
    guard let content = scanner.text(before: "<｜tool▁calls▁begin｜>") else {
      return (scanner.rest, [])
    }
    var calls: [Result<ToolCall, MalformedCall>] = []
    scanner.skipSpace()
    while scanner.skip("<｜tool▁call▁begin｜>") {
      guard let text = scanner.text(before: "<｜tool▁call▁end｜>") else {
        calls.append(
          CallReader.malformed(scanner.rest, "the call is not closed: expected <｜tool▁call▁end｜>"))
        return (content, calls)
      }
      calls.append(call(text))
      scanner.skipSpace()
    }
    if calls.isEmpty {
      calls.append(CallReader.malformed(scanner.rest, "expected <｜tool▁call▁begin｜>"))
    }
    return (content, calls)
  }

  private static func call(_ text: String) -> Result<ToolCall, MalformedCall> {
    var scanner = TextScanner(text)
    guard scanner.text(before: "<｜tool▁sep｜>") != nil,
      let name = scanner.text(before: "\n")?.trimmed, !name.isEmpty
    else { return CallReader.malformed(text, "expected function<｜tool▁sep｜>NAME and a line's end") }
    scanner.skipSpace()
    guard scanner.skip("```json"), let body = scanner.text(before: "```"),
      let arguments = (try? JSONValue.parse(body.trimmed))?.object
    else {
      return CallReader.malformed(
        text, "the arguments of \(name) are not an object in ```json … ```")
    }
    return .success(ToolCall(name: name, arguments: arguments))
  }
}
