import Foundation

/// The user's Python: for rewards in Python, and for data in formats that only Python reads here.
public enum PythonInterpreter {
  /// The interpreter of the active environment, else of the `.venv` in a folder, else the first of the path.
  /// - Parameters:
  ///   - folder: Where a `.venv` may lie; nil to look for none.
  ///   - environment: The variables of the process.
  public static func find(
    beside folder: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    let places = [
      environment["VIRTUAL_ENV"], environment["CONDA_PREFIX"], folder.map { $0 + "/.venv" },
    ]
    for place in places.compactMap(\.self)
    where FileManager.default.isExecutableFile(atPath: place + "/bin/python3") {
      return place + "/bin/python3"
    }
    return program("python3", environment) ?? program("python", environment)
  }

  /// A program of the path.
  public static func program(
    _ name: String, _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
      .map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}
