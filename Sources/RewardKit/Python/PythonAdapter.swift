/// The Python program that runs TRL's and verl's reward functions unchanged.
enum PythonAdapter {
  /// Its source, embedded in the executable.
  static let source = String(decoding: PackageResources.adapter_py, as: UTF8.self)
}
