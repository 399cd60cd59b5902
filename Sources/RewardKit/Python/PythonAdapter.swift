import Rollouts

/// The Python programs that run other people's reward functions, tools and environments unchanged.
enum PythonAdapter {
  /// TRL's, verl's and verifiers' reward functions.
  static let source = program([
    ("grpo_functions", PackageResources.functions_py),
    ("grpo_replies", PackageResources.replies_py),
    ("grpo_conventions", PackageResources.conventions_py),
    ("grpo_adapter", PackageResources.adapter_py),
  ])

  /// TRL's, verl's, OpenRLHF's and SkyRL's tools and environments.
  static let environments = program([
    ("grpo_functions", PackageResources.functions_py),
    ("grpo_replies", PackageResources.replies_py),
    ("grpo_schemas", PackageResources.schemas_py),
    ("grpo_episodes", PackageResources.episodes_py),
    ("grpo_trl", PackageResources.trl_py),
    ("grpo_verl", PackageResources.verl_py),
    ("grpo_openrlhf", PackageResources.openrlhf_py),
    ("grpo_skyrl", PackageResources.skyrl_py),
    ("grpo_environments", PackageResources.environments_py),
  ])

  /// Modules embedded in the executable, made before the last of them runs.
  private static func program(_ modules: [(String, [UInt8])]) -> String {
    // A JSON string is a Python string, as long as no character needs two escapes.
    let sources = JSONValue.object(
      JSONObject(modules.map { ($0.0, .string(String(decoding: $0.1, as: UTF8.self))) }))
    return """
      import sys, types
      for name, text in \(sources.jsonText).items():
          module = sys.modules[name] = types.ModuleType(name)
          exec(compile(text, f"<{name}>", "exec"), module.__dict__)
      """
  }
}
