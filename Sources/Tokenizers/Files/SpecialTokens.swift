import Rollouts

/// The special tokens that `tokenizer_config.json` and `special_tokens_map.json` name by role.
struct SpecialTokens: Sendable {
  /// Contents by roles in transformers' spelling (`bos_token`, `eos_token` …).
  private(set) var byRole = JSONObject()

  static let roles = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  init() {}

  /// Collects the roles, `config` before `map`.
  init(config: JSONValue?, map: JSONValue?) {
    for role in Self.roles {
      let value = config?[role] ?? map?[role]
      if let text = value?.string ?? value?["content"]?.string { byRole[role] = .string(text) }
    }
    let others = config?["additional_special_tokens"] ?? map?["additional_special_tokens"]
    if let others = others?.array, !others.isEmpty {
      let texts = others.compactMap { $0.string ?? $0["content"]?.string }
      byRole["additional_special_tokens"] = .array(texts.map { .string($0) })
    }
  }

  /// The content of a role.
  subscript(role: String) -> String? { byRole[role]?.string }

  /// Every content that is named.
  var contents: [String] {
    Self.roles.compactMap { self[$0] }
      + (byRole["additional_special_tokens"]?.array?.compactMap(\.string) ?? [])
  }
}
