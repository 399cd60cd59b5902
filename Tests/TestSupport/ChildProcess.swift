import Foundation

/// A program in a process of its own; killed where it is forgotten.
///
/// Not `Foundation.Process`: that learns of an exit by a descriptor that other children inherit, so that a
/// server which another test started keeps it waiting for ever. What the program says goes to files for the
/// same reason, and because a pipe that nobody empties would stop it.
public final class ChildProcess {
  /// How a program ended, and what it said.
  public struct Result: Sendable {
    /// The exit code, or minus the signal that ended it.
    public var code: Int32
    /// What it wrote to standard output.
    public var output: String
    /// What it wrote to standard error.
    public var errors: String
  }

  /// The process.
  public let process: pid_t
  private let folder: URL
  private var status: Int32?

  /// Starts a program.
  /// - Parameters:
  ///   - words: The program, by path or by its name on the search path, and its arguments.
  ///   - place: The folder that it starts in; nil for the tests' own.
  ///   - environment: Variables beside those of the tests.
  ///   - input: What it finds on standard input.
  /// - Throws: `POSIXError` where it can't be started.
  public init(
    _ words: [String], in place: URL? = nil, environment: [String: String] = [:],
    input: String = ""
  ) throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("child-process-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(input.utf8).write(to: folder.appendingPathComponent("input"))
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, name, flags) in [
      (STDIN_FILENO, "input", O_RDONLY),
      (STDOUT_FILENO, "output", O_WRONLY | O_CREAT | O_TRUNC),
      (STDERR_FILENO, "errors", O_WRONLY | O_CREAT | O_TRUNC),
    ] {
      let path = folder.appendingPathComponent(name).path
      posix_spawn_file_actions_addopen(&actions, descriptor, path, flags, 0o600)
    }
    // Threads of a test run block signals, and a child would inherit that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // env goes to the folder, which no portable action of posix_spawn does, and becomes the program.
    let line = ["env"] + (place.map { ["-C", $0.path] } ?? []) + words
    var arguments = line.map { strdup($0) } + [nil]
    var variables = all.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in arguments + variables { free(text) } }
    var started = pid_t()
    let code = posix_spawn(&started, "/usr/bin/env", &actions, &attributes, &arguments, &variables)
    process = started
    guard code == 0 else {
      status = 0
      throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO)
    }
  }

  deinit {
    if status == nil {
      kill(process, SIGKILL)
      var ignored: Int32 = 0
      waitpid(process, &ignored, 0)
    }
    try? FileManager.default.removeItem(at: folder)
  }

  /// Runs a program to its end.
  public static func run(
    _ words: [String], in place: URL? = nil, environment: [String: String] = [:],
    input: String = ""
  ) throws -> Result {
    try ChildProcess(words, in: place, environment: environment, input: input).wait()
  }

  /// Sends a signal, unless the program has ended.
  public func signal(_ number: Int32) { if isRunning { kill(process, number) } }

  /// Whether the program has not ended yet.
  public var isRunning: Bool {
    look(WNOHANG)
    return status == nil
  }

  /// What the program has written to standard output so far.
  public var output: String { text("output") }

  /// Waits until the program ends.
  public func wait() throws -> Result {
    while status == nil { look(0) }
    let status = status ?? 0
    let signal = status & 0x7F
    return Result(
      code: signal != 0 ? -signal : status >> 8 & 0xFF, output: output, errors: text("errors"))
  }

  /// Waits until a condition holds; false where the program ended first.
  public func wait(until condition: () -> Bool) -> Bool {
    while isRunning {
      if condition() { return true }
      usleep(1000)
    }
    return condition()
  }

  private func text(_ name: String) -> String {
    let data = try? Data(contentsOf: folder.appendingPathComponent(name))
    return String(decoding: data ?? Data(), as: UTF8.self)
  }

  private func look(_ options: Int32) {
    guard status == nil else { return }
    var found: Int32 = 0
    if waitpid(process, &found, options) == process { status = found }
  }
}
