import Foundation
import Testing

@testable import Commands

@Suite("Calling the program")
struct CommandLineTests {
  private func call(_ words: String...) -> (code: ExitCode, output: String, errors: String) {
    let context = CommandContext.memory()
    let code = runCommandLine(words, context: context)
    return (code, context.standardOutput.text, context.standardError.text)
  }

  @Test("A mistaken command names the nearest one and exits with 2")
  func unknownCommand() {
    let call = call("dat")
    #expect(call.code == .usage)
    #expect(call.output.isEmpty)
    #expect(call.errors == "error: unknown command 'dat'; did you mean 'grpo data'?\n")
    #expect(self.call("data", "mkae").errors.contains("did you mean 'grpo data make'?"))
  }

  @Test("A group by itself says what it needs")
  func group() {
    let call = call("data")
    #expect(call.code == .usage)
    #expect(
      call.errors == "error: 'grpo data' needs a command after it; see 'grpo data --help'\n")
  }

  @Test("Several faults are all reported, and that nothing was begun")
  func severalFaults() {
    let call = call("data", "make", "arithmtic", "--rows", "0", "--lvel", "3")
    #expect(call.code == .usage)
    #expect(
      call.errors == """
        error: --rows must be from 1 to 10000000, not 0
        error: unknown option --lvel; did you mean --level?
        error: TASK must be one of arithmetic, countdown, char-count, reverse-text, sort, not \
        'arithmtic'
        3 faults; nothing was begun

        """)
  }

  @Test("--version prints one line")
  func version() {
    let call = call("--version")
    #expect(call.code == .done)
    #expect(call.output.wholeMatch(of: /grpo \d+\.\d+\.\d+\n/) != nil)
  }

  @Test("The program alone shows its commands")
  func overview() {
    let call = call()
    #expect(call.code == .done)
    #expect(call.output.contains("\n  data "))
  }

  @Test("A device or a pipe that is named for output is written to, and stays what it is")
  func devices() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("output-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let pipe = folder.appendingPathComponent("pipe").path
    #expect(mkfifo(pipe, 0o600) == 0)
    // Held open for reading, so that writing needn't wait.
    let reader = open(pipe, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    try OutputFile(pipe).write("text")
    var bytes = [UInt8](repeating: 0, count: 16)
    #expect(read(reader, &bytes, bytes.count) == 4)
    var status = stat()
    #expect(stat(pipe, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)

    // A link is followed, and stays a link.
    let link = folder.appendingPathComponent("link")
    let file = folder.appendingPathComponent("file")
    try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
    try Data("old".utf8).write(to: file)
    try OutputFile(link.path).write("new")
    #expect(try String(contentsOf: file, encoding: .utf8) == "new")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == file.path)
  }

  @Test("Results that can't be written end with 1, a reader that went away does not")
  func unwritable() throws {
    func run(_ descriptor: Int32) -> (ExitCode, String) {
      var context = CommandContext.memory()
      context.standardOutput = OutputChannel(fileDescriptor: descriptor)
      let code = runCommandLine(
        ["data", "make", "sort", "--rows", "50", "-o", "-"], context: context)
      return (code, context.standardError.text)
    }
    let full = open("/dev/full", O_WRONLY)
    defer { close(full) }
    let (code, message) = run(full)
    #expect(code == .failed)
    #expect(message == "error: the results could not be written: No space left on device\n")

    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    close(ends[0])
    let (closedCode, closedMessage) = run(ends[1])
    close(ends[1])
    #expect(closedCode == .done)
    #expect(closedMessage.isEmpty)
  }

  @Test("An interrupted command exits with 130")
  func interrupted() {
    let flag = InterruptFlag { true }
    #expect(throws: Interrupted.self) { try flag.check() }
    #expect(ExitCode.interrupted.rawValue == 130)
  }

  @Test("Data sets are made once and never overwritten unasked")
  func makingData() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("grpo-make-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let words = ["data", "make", "sort", "--rows", "20", "--eval-rows", "5", "-o", folder]
    let first = CommandContext.memory()
    #expect(runCommandLine(words, context: first) == .done)
    #expect(
      first.standardOutput.text
        == "\(folder)/train.jsonl  20 rows\n\(folder)/eval.jsonl  5 rows\n")
    let second = CommandContext.memory()
    #expect(runCommandLine(words, context: second) == .usage)
    #expect(second.standardError.text.contains("exists already; add --force to replace it"))
    #expect(runCommandLine(words + ["--force"], context: .memory()) == .done)

    let inspection = CommandContext.memory()
    let inspect = ["data", "inspect", folder, "--against", folder, "--json"]
    #expect(runCommandLine(inspect, context: inspection) == .done)
    #expect(inspection.standardOutput.text.contains("\"rows\": 20"))
    #expect(inspection.standardOutput.text.contains("\"equal\": 0"))
  }

  @Test("A setting is found by another toolkit's name")
  func settings() {
    let call = call("settings", "actor_rollout_ref.rollout.n")
    #expect(call.code == .done)
    #expect(call.output.contains("num_generations"))
    #expect(self.call("settings", "nonsense").code == .usage)
  }
}
