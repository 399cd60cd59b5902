import Rollouts

/// The Python program that runs TRL's, verl's and verifiers' reward functions unchanged.
enum PythonAdapter {
  /// Its source, embedded in the executable: four modules, made before the last of them runs.
  static let source: String = {
    let modules = [
      ("grpo_functions", PackageResources.functions_py),
      ("grpo_replies", PackageResources.replies_py),
      ("grpo_conventions", PackageResources.conventions_py),
      ("grpo_adapter", PackageResources.adapter_py),
    ]
    // A JSON string is a Python string, as long as no character needs two escapes.
    let sources = JSONValue.object(
      JSONObject(modules.map { ($0.0, .string(String(decoding: $0.1, as: UTF8.self))) }))
    return """
      import sys, types
      for name, text in \(sources.jsonText).items():
          module = sys.modules[name] = types.ModuleType(name)
          exec(compile(text, f"<{name}>", "exec"), module.__dict__)
      """
  }()
}
