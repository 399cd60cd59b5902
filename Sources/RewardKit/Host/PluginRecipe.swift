import Foundation
import Rollouts

/// How to run a plugin, and within which limits.
struct PluginRecipe: Sendable {
  /// The reward's name, for messages.
  var name: String
  /// The executable, absolute.
  var executable: String
  /// The arguments, from argv[0].
  var arguments: [String]
  /// The settings of the reward.
  var specification: RewardSpecification
  /// How far the process is kept from the machine.
  var sandbox: Sandbox
  /// What an isolated worker is shown; nil until the host starts, and for others.
  var isolation: Isolation?
  /// The columns that requests will have, as told in the hello; nil where no data set is known.
  var columns: [String]?
  /// What the columns are of, for messages.
  var data: String

  /// The first line that the plugin is sent.
  var hello: String {
    JSONValue.object([
      "grpo": .integer(Int64(rewardProtocolVersion)),
      "hello": [
        "columns": columns.map { .array($0.map { .string($0) }) } ?? .null,
        "data": .string(data),
        "parameters": .object(specification.parameters),
        "batch": .integer(Int64(specification.batch ?? 1)),
      ],
    ]).jsonText
  }
}

/// The variables that a plugin's process gets: a short list of the usual ones, and those named.
enum ChildEnvironment {
  private static let usual: Set<String> = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV",
    "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "PYENV_ROOT", "PYENV_VERSION",
  ]

  /// The environment as `NAME=value` texts in order of the names.
  static func make(
    passing names: [String], isolation: Isolation?,
    from parent: [String: String] = ProcessInfo.processInfo.environment
  ) -> [String] {
    var result = parent.filter {
      usual.contains($0.key) || $0.key.hasPrefix("LC_") || names.contains($0.key)
    }
    // A plugin that forgets to flush would wait for us, and we for it.
    result["PYTHONUNBUFFERED"] = "1"
    // The order of Python's sets follows from this, and a run is a function of its inputs.
    if !names.contains("PYTHONHASHSEED") { result["PYTHONHASHSEED"] = "0" }
    if let isolation {
      // The only folder that an isolated process may write to.
      result["TMPDIR"] = Isolation.scratch
      result["HOME"] = Isolation.scratch
      result["GRPO_SANDBOX"] = Sandbox.isolated.rawValue
      let path = result["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
      result["PATH"] = isolation.programs.map { "\($0):\(path)" } ?? path
    }
    return result.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  }
}
