/// What started this process as one of several, as its environment tells.
///
/// The environment is believed for what to load and for how many ranks there should be; who is who is MPI's to say.
public struct Launcher: Sendable, Equatable {
  /// A family of launchers, which start the ranks of one kind of library.
  public enum Kind: String, Sendable {
    /// `mpirun` of Open MPI.
    case openMPI = "Open MPI's mpirun"
    /// `mpiexec` of MPICH (Hydra), of Intel MPI or of MVAPICH.
    case hydra = "MPICH's mpiexec (Hydra)"
    /// `srun`, which starts the ranks of any library by PMI or PMIx.
    case slurm = "Slurm's srun"
  }

  /// Who started the ranks.
  public var kind: Kind
  /// How many it started.
  public var size: Int
  /// Which of them this is.
  public var rank: Int
  /// How many of them are on this host, where it says so.
  public var localSize: Int?

  /// Reads the environment; nil where this process was started alone.
  public init?(_ environment: [String: String]) {
    func number(_ name: String) -> Int? { environment[name].flatMap(Int.init) }
    if let size = number("OMPI_COMM_WORLD_SIZE"), let rank = number("OMPI_COMM_WORLD_RANK") {
      self.init(
        kind: .openMPI, size: size, rank: rank, localSize: number("OMPI_COMM_WORLD_LOCAL_SIZE"))
    } else if environment["SLURM_STEP_ID"] != nil, let size = number("SLURM_STEP_NUM_TASKS"),
      let rank = number("SLURM_PROCID")
    {
      // Slurm's own words first: beneath it PMI_SIZE may stand too.
      self.init(kind: .slurm, size: size, rank: rank, localSize: nil)
    } else if let size = number("PMI_SIZE"), let rank = number("PMI_RANK") {
      self.init(kind: .hydra, size: size, rank: rank, localSize: number("MPI_LOCALNRANKS"))
    } else {
      return nil
    }
  }

  private init(kind: Kind, size: Int, rank: Int, localSize: Int?) {
    self.kind = kind
    self.size = size
    self.rank = rank
    self.localSize = localSize
  }
}
