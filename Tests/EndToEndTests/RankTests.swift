import Foundation
import Rollouts
import TestSupport
import Testing

/// A launcher of ranks that this machine may have.
enum MPI: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case openMPI = "mpirun.openmpi"
  case mpich = "mpirun.mpich"

  var testDescription: String { rawValue }

  /// Those that are here; tests over none are skipped by name.
  static let found = allCases.filter { launcher in
    ["/usr/bin", "/usr/local/bin"].contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(launcher.rawValue)")
    }
  }

  /// The words that start so many ranks, also as root and on fewer processors.
  func words(_ ranks: Int) -> [String] {
    switch self {
    case .openMPI: [rawValue, "--allow-run-as-root", "--oversubscribe", "-n", "\(ranks)"]
    case .mpich: [rawValue, "-n", "\(ranks)"]
    }
  }

  /// Starts the built command on so many ranks.
  func start(
    _ ranks: Int, _ words: [String], in folder: URL, environment: [String: String] = [:]
  ) throws -> ChildProcess {
    try ChildProcess(
      self.words(ranks) + [BuiltCommand.url.path] + words, in: folder, environment: environment)
  }
}

@Suite("Ranks", .enabled(if: !MPI.found.isEmpty, "neither mpirun.openmpi nor mpirun.mpich is here"))
struct RankTests {
  @Test(arguments: MPI.found) func doctorSaysHowRanksStand(launcher: MPI) throws {
    let folder = try TemporaryFolder()
    let ended = try launcher.start(3, ["doctor", "--mpi", "--json"], in: folder.url).wait()
    #expect(ended.code == 0, "\(ended.errors)")
    let report = try #require(try JSONValue.parse(ended.output).object, "one report, of rank 0")
    #expect(report["ranks"]?.array?.count == 3)
    let library = try #require(report["library"]?.string)
    #expect(library.contains(launcher == .openMPI ? "Open MPI" : "MPICH"))
    #expect((report["bytes_per_second"]?.double ?? 0) > 0)
    #expect((report["message_seconds"]?.double ?? 0) > 0)
  }

  @Test(arguments: MPI.found) func anotherLibraryIsRefusedInOneSentence(launcher: MPI) throws {
    let other = MPI.allCases.first { $0 != launcher }
    guard let other, MPI.found.contains(other) else { return }
    let folder = try TemporaryFolder()
    let ended = try launcher.start(
      2, ["doctor", "--mpi"], in: folder.url,
      environment: ["GRPO_MPI": other == .openMPI ? "libmpi.so.40" : "libmpich.so.12"]
    ).wait()
    #expect(ended.code == 2)
    #expect(ended.output.isEmpty)
    let sentences = ended.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }
    #expect(sentences.count == 1, "\(ended.errors)")
    #expect(sentences.first?.contains("started 2 processes") == true)
  }

  @Test(arguments: MPI.found) func aMissingLibraryIsNamed(launcher: MPI) throws {
    let folder = try TemporaryFolder()
    let ended = try launcher.start(
      2, ["doctor", "--mpi"], in: folder.url, environment: ["GRPO_MPI": "/nowhere/libmpi.so.40"]
    ).wait()
    #expect(ended.code == 2)
    #expect(ended.errors.contains("/nowhere/libmpi.so.40"))
  }
}
