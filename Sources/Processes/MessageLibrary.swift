import CMessagePassing

/// An MPI library that was found and loaded.
struct MessageLibrary: Sendable {
  /// A library by its versioned name, and its binary interface.
  struct Name: Sendable, Equatable {
    var file: String
    var family: Int32

    static let openMPI = Name(file: "libmpi.so.40", family: Int32(clamping: CMESSAGES_OPEN_MPI))
    static let mpich = Name(file: "libmpich.so.12", family: Int32(clamping: CMESSAGES_MPICH))
    /// Intel MPI and MVAPICH, which have MPICH's interface.
    static let mpichABI = Name(file: "libmpi.so.12", family: Int32(clamping: CMESSAGES_MPICH))
    static let standard = Name(file: "libmpi_abi.so.0", family: Int32(clamping: CMESSAGES_MPI_ABI))

    /// The interface of a library that the user names, by its file's name.
    init(path: String) {
      let name = path.split(separator: "/").last ?? ""
      let families: [(prefix: String, family: Int)] = [
        ("libmpi_abi", Int(CMESSAGES_MPI_ABI)), ("libmpich", Int(CMESSAGES_MPICH)),
        ("libmpi.so.12", Int(CMESSAGES_MPICH)),
      ]
      let known = families.first { name.hasPrefix($0.prefix) }
      self.init(file: path, family: Int32(clamping: known?.family ?? Int(CMESSAGES_OPEN_MPI)))
    }

    private init(file: String, family: Int32) {
      self.file = file
      self.family = family
    }
  }

  /// The name that it was found by.
  var file: String
  /// What it says of its version.
  var version: String

  /// The variable that names a library in place of those that the launcher suggests.
  static let variable = "GRPO_MPI"

  /// The libraries whose ranks a launcher starts, in the order in which they are looked for.
  static func candidates(for launcher: Launcher?, _ environment: [String: String]) -> [Name] {
    if let path = environment[variable], !path.isEmpty { return [Name(path: path)] }
    switch launcher?.kind {
    case .openMPI: return [.openMPI, .standard]
    case .hydra: return [.mpich, .mpichABI, .standard]
    case .slurm, nil:
      // PMIx speaks to Open MPI, PMI alone to MPICH.
      return environment["PMIX_RANK"] != nil
        ? [.openMPI, .mpich, .mpichABI, .standard] : [.mpich, .mpichABI, .openMPI, .standard]
    }
  }

  /// Loads the first of the libraries that is there.
  /// - Throws: `RankError` with what was looked for and why it wouldn't do.
  static func open(_ names: [Name], for launcher: Launcher?) throws(RankError) -> MessageLibrary {
    var faults: [String] = []
    for name in names {
      let (code, fault) = text { cmessages_open(name.file, name.family, $0, $1) }
      guard code == 0 else {
        faults.append(fault)
        continue
      }
      // "Open MPI v4.1.4, package: …", "MPICH Version:	4.0.2".
      let version = text(cmessages_version).prefix { $0 != "," }
      return MessageLibrary(
        file: name.file,
        version: version.split(whereSeparator: \.isWhitespace).joined(separator: " "))
    }
    let started = launcher.map { "\($0.kind.rawValue) started \($0.size) ranks, but " } ?? ""
    throw RankError(
      .library,
      started
        + "no MPI library was found (\(faults.joined(separator: "; "))). Install the launcher's own "
        + "(libopenmpi3 or libmpich12 on Debian), or name its file in \(variable)")
  }

  /// What a code of the library means.
  static func description(of code: Int32) -> String {
    let words = text { cmessages_describe(code, $0, $1) }
    return words.isEmpty ? "code \(code)" : words
  }

  private static func text(_ body: (UnsafeMutablePointer<CChar>, Int64) -> Void) -> String {
    text { pointer, capacity in
      body(pointer, capacity)
      return 0
    }.text
  }

  private static func text(
    _ body: (UnsafeMutablePointer<CChar>, Int64) -> Int32
  ) -> (code: Int32, text: String) {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
      guard let start = buffer.baseAddress else { return (0, "") }
      start.initialize(repeating: 0, count: buffer.count)
      let code = body(start, Int64(buffer.count))
      return (code, String(cString: start))
    }
  }
}
