import Foundation
import Rollouts
import Tensors
import Training
import TrajectoryStore

/// `grpo doctor`: what the program found of this machine, to be pasted into an issue.
struct DoctorCommand: Command {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "doctor", summary: "what the program finds of this machine, for an issue",
      discussion: """
        Prints the processor and the instruction set in use, the libraries, memory, disk, and the \
        programs that parts of the toolkit can use but don't need.

        With --verify it computes the SHA-256 of a folder's files again and compares them with those \
        recorded when they were written; exit 1 where one is damaged or missing. With --same it compares two runs \
        byte for byte: metrics outside time/, weights, optimiser; exit 1 names the first difference.

        With --mpi, under mpirun or srun, it says what the ranks of a run would find: the MPI library, the \
        hosts, the processors that each rank is bound to, the time of a message and the bandwidth, and that what \
        arrives is what was sent. Another library than the launcher's is exit 2.
        """,
      positionals: [
        PositionalSpecification("RUN2", .path, help: "the second run of --same", isRequired: false)
      ],
      options: [
        OptionSpecification(
          "verify", .path, valueName: "FOLDER",
          help: "check a checkpoint, a final/ or an export instead"),
        OptionSpecification(
          "same", .path, valueName: "RUN",
          help: "compare this run with a second, given after it", repeats: true),
        .flag("mpi", help: "join the ranks that a launcher started, and say how they stand"),
        .json,
      ],
      examples: [
        .init("grpo doctor", "a report to paste into an issue"),
        .init("grpo doctor --same RUN1 RUN2", "are two runs identical, and if not, where first?"),
        .init("mpirun -n 4 grpo doctor --mpi", "can these ranks work together, and how fast?"),
        .init("grpo doctor --verify runs/NAME/final", "are the files what was written?"),
      ])
  }

  func run(_ arguments: ParsedArguments, _ context: CommandContext) throws -> ExitCode {
    if let folder = arguments.string("verify") {
      return try Self.verify(folder, asJSON: arguments.flag("json"), context)
    }
    if arguments.isGiven("same") {
      let names = arguments.strings("same") + [arguments.positional(0)].compactMap { $0 }
      return try Self.same(names, context)
    }
    if arguments.flag("mpi") {
      return try RanksReport.print(asJSON: arguments.flag("json"), context)
    }
    let findings = Self.findings(context.environment)
    if arguments.flag("json") {
      let members = findings.map { ($0.name, JSONValue.string($0.value)) }
      context.print(exactly: JSONValue.object(JSONObject(members)).prettyJSONText)
    } else {
      let column = findings.map(\.name.count).max() ?? 0
      for finding in findings {
        context.print(TextLayout.pad(finding.name, to: column + 2) + finding.value)
      }
    }
    return .done
  }

  private static func same(_ names: [String], _ context: CommandContext) throws -> ExitCode {
    guard names.count == 2 else {
      throw UsageError("--same compares two runs: grpo doctor --same RUN1 RUN2")
    }
    let runs = try refusing { try names.map(RunFolder.find) }
    // The log first: it names the step, the completion and the token.
    if let difference = try LogDifference.first(between: runs[0].log, and: runs[1].log) {
      context.print("first difference: \(difference)")
      return .failed
    }
    if let difference = try RunComparison(runs[0], runs[1]).firstDifference() {
      context.print("first difference: \(difference)")
      return .failed
    }
    context.print("identical")
    return .done
  }

  private static func verify(
    _ path: String, asJSON: Bool, _ context: CommandContext
  ) throws -> ExitCode {
    let verification = try refusing {
      try FolderVerification(of: URL(fileURLWithPath: path, isDirectory: true))
    }
    if asJSON {
      let files = verification.files.map { ($0.name, JSONValue.string($0.state.rawValue)) }
      let report: JSONObject = [
        "folder": .string(path), "record": .string(verification.record),
        "intact": .bool(verification.isIntact), "files": .object(JSONObject(files)),
      ]
      context.print(exactly: JSONValue.object(report).prettyJSONText)
    } else {
      let column = verification.files.map(\.name.count).max() ?? 0
      for file in verification.files {
        context.print(TextLayout.pad(file.name, to: column + 2) + file.state.rawValue)
      }
      context.print(
        verification.isIntact
          ? "every file that \(verification.record) names is what was written"
          : "\(path) is damaged: take another checkpoint, or export the model again")
    }
    return verification.isIntact ? .done : .failed
  }

  private struct Finding {
    var name: String
    var value: String
  }

  private static func findings(_ environment: [String: String]) -> [Finding] {
    let memory = MachineMemory.total.map(NumberFormat.bytes) ?? "unknown"
    let available = MachineMemory.available.map(NumberFormat.bytes) ?? "unknown"
    let disk = DiskSpace.available(at: ".").map(NumberFormat.bytes) ?? "unknown"
    let supported = InstructionSet.allCases.filter(\.isSupported).map(\.rawValue)
    return [
      Finding(name: "grpo", value: ProgramVersion.current),
      Finding(name: "system", value: systemName),
      Finding(name: "processor", value: MachineProcessor.model ?? "unknown"),
      Finding(name: "C library", value: MachineProcessor.mathLibrary ?? "unknown"),
      Finding(name: "threads", value: "\(Compute.availableProcessors)"),
      Finding(
        name: "instruction set",
        value: "\(InstructionSet.best.rawValue) (of \(supported.joined(separator: ", ")))"),
      Finding(name: "instruction set in use", value: InstructionSet.preferred.rawValue),
      Finding(name: "OpenBLAS", value: Compute.openBLASConfiguration),
      Finding(name: "OpenBLAS core", value: Compute.openBLASCoreType),
      Finding(name: "SQLite", value: SQLiteLibrary.version),
      Finding(name: "memory", value: "\(memory), \(available) available"),
      Finding(name: "disk", value: "\(disk) available here"),
      Finding(name: "Python", value: found(["python3", "python"], environment)),
      Finding(
        name: "Chromium",
        value: found(["chromium", "chromium-browser", "google-chrome"], environment)),
    ]
  }

  private static var systemName: String {
    let release = (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8)) ?? ""
    let line = release.split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }
    let name = line?.dropFirst("PRETTY_NAME=".count).filter { $0 != "\"" } ?? "Linux"
    var system = utsname()
    guard uname(&system) == 0 else { return String(name) }
    return "\(name), \(text(of: system.sysname)) \(text(of: system.release)), "
      + text(of: system.machine)
  }

  /// The text in one of `utsname`'s fixed arrays, which Swift sees as tuples.
  private static func text<Tuple>(of tuple: Tuple) -> String {
    withUnsafeBytes(of: tuple) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// The first of these programs that the search path has.
  private static func found(_ names: [String], _ environment: [String: String]) -> String {
    let folders = environment["PATH", default: "/usr/local/bin:/usr/bin:/bin"].split(separator: ":")
    for name in names {
      for folder in folders {
        let path = "\(folder)/\(name)"
        if FileManager.default.isExecutableFile(atPath: path) { return path }
      }
    }
    return "not found"
  }
}
