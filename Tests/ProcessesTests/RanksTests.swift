import TestSupport
import Testing

@testable import Processes

@Suite struct RanksTests {
  /// One by itself, powers of two and the numbers between.
  static let sizes = [1, 2, 3, 4, 5, 8, 13]

  @Test(arguments: sizes) func everyRankHearsOfEveryOther(size: Int) throws {
    let gathered = try MemoryTransport.run(size) { ranks in
      try ranks.allGather(Array(repeating: UInt8(ranks.rank), count: ranks.rank * 3))
    }
    let expected = (0..<size).map { Array(repeating: UInt8($0), count: $0 * 3) }
    #expect(gathered == Array(repeating: expected, count: size))
  }

  @Test(arguments: sizes) func aBroadcastReachesAllFromAnywhere(size: Int) throws {
    for root in 0..<size {
      let received = try MemoryTransport.run(size) { ranks in
        try ranks.broadcast(ranks.rank == root ? [7, 8, UInt8(root)] : [], from: root)
      }
      #expect(received == Array(repeating: [7, 8, UInt8(root)], count: size))
    }
  }

  @Test(arguments: sizes) func partsGoOutAndComeBack(size: Int) throws {
    let gathered = try MemoryTransport.run(size) { ranks in
      try ranks.barrier()
      let parts = ranks.isFirst ? (0..<ranks.size).map { [UInt8($0), 9] } : []
      let part = try ranks.scatter(parts)
      return try ranks.gather(part.reversed())
    }
    #expect(gathered[0] == (0..<size).map { [9, UInt8($0)] })
    #expect(gathered.dropFirst().allSatisfy { $0.isEmpty })
  }

  @Test(arguments: sizes) func oneSaysSoIsEnough(size: Int) throws {
    let answers = try MemoryTransport.run(size) { ranks in
      [try ranks.any(false), try ranks.any(ranks.rank == ranks.size - 1)]
    }
    #expect(answers.allSatisfy { $0 == [false, true] })
  }

  private struct Fault: Error {}

  @Test(arguments: [2, 4]) func whatFailsOnOneRankFailsOnAll(size: Int) throws {
    let answers = try MemoryTransport.run(size) { ranks -> String in
      do {
        _ = try ranks.agreeing(describe: { _ in "the file is missing" }) {
          if ranks.rank == 1 { throw Fault() }
          return 5
        }
        return "passed"
      } catch let error as RankError {
        return error.description
      } catch is SilentFailure {
        return "silent"
      }
    }
    #expect(answers[0].hasPrefix("rank 1 on ") && answers[0].hasSuffix(": the file is missing"))
    #expect(answers.dropFirst().allSatisfy { $0 == "silent" })
  }

  @Test func whatDiffersIsNamed() throws {
    let answers = try MemoryTransport.run(4) { ranks -> String in
      do {
        try ranks.requireSame("1.0", what: "the version", remedy: "install one")
        try ranks.requireSame(
          ranks.rank == 2 ? "1.1" : "1.0", what: "the version", remedy: "install one")
        return "passed"
      } catch let error as RankError {
        return error.description
      } catch is SilentFailure {
        return "silent"
      }
    }
    #expect(answers[0].contains("the version is 1.0 on rank 0"))
    #expect(answers[0].contains("and 1.1 on rank 2"))
    #expect(answers[0].hasSuffix("install one"))
    #expect(answers.dropFirst().allSatisfy { $0 == "silent" })
  }
}

@Suite struct LauncherTests {
  @Test func launchersAreTold() {
    let open = Launcher([
      "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    ])
    #expect(open?.kind == .openMPI && open?.size == 4 && open?.rank == 2 && open?.localSize == 2)
    let hydra = Launcher(["PMI_SIZE": "8", "PMI_RANK": "0", "MPI_LOCALNRANKS": "8"])
    #expect(hydra?.kind == .hydra && hydra?.size == 8 && hydra?.localSize == 8)
    let slurm = Launcher([
      "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "1", "PMI_SIZE": "3",
      "PMI_RANK": "1",
    ])
    #expect(slurm?.kind == .slurm && slurm?.size == 3 && slurm?.rank == 1)
  }

  @Test func aBatchScriptIsNoRank() {
    // In a batch script itself Slurm sets the number of tasks, but no step.
    #expect(Launcher(["SLURM_NTASKS": "16", "SLURM_PROCID": "0", "SLURM_JOB_ID": "5"]) == nil)
    #expect(Launcher([:]) == nil)
    #expect(Launcher(["OMPI_COMM_WORLD_SIZE": "many", "OMPI_COMM_WORLD_RANK": "0"]) == nil)
  }

  @Test func librariesAreThoseOfTheLauncher() throws {
    let open = Launcher(["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"])
    #expect(MessageLibrary.candidates(for: open, [:]).first == .openMPI)
    let hydra = Launcher(["PMI_SIZE": "2", "PMI_RANK": "0"])
    #expect(MessageLibrary.candidates(for: hydra, [:]).first == .mpich)
    let named = MessageLibrary.candidates(for: open, ["GRPO_MPI": "/opt/lib/libmpich.so.12"])
    #expect(named == [MessageLibrary.Name(path: "/opt/lib/libmpich.so.12")])
    #expect(named.first?.family == MessageLibrary.Name.mpich.family)
    #expect(
      MessageLibrary.Name(path: "/x/libmpi_abi.so.0").family == MessageLibrary.Name.standard.family)
    #expect(MessageLibrary.Name(path: "libmpi.so.40").family == MessageLibrary.Name.openMPI.family)
  }

  @Test func aMissingLibraryIsASentence() throws {
    let names = [MessageLibrary.Name(path: "/nowhere/libmpi.so.40")]
    #expect(throws: RankError.self) { try MessageLibrary.open(names, for: nil) }
  }

  @Test func aPlaceSurvivesItsText() {
    let place = RankPlace(host: "a", process: 12, processors: [0, 3, 65], namespace: "x")
    #expect(RankPlace(text: place.text) == place)
    #expect(RankPlace.current().isAlive)
    #expect(!RankPlace.current().processors.isEmpty)
  }
}
