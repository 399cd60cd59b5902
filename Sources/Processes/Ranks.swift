import Dispatch
import Foundation
import Synchronization

/// The processes that do one piece of work together; often one alone.
///
/// Each is a rank, counted from 0. All call the same operations in the same order; a process by itself calls them
/// too, and they cost it nothing, so that no loop knows how many there are.
public final class Ranks: Sendable {
  /// Which of them this process is.
  public let rank: Int
  /// How many there are.
  public let size: Int
  /// The library that moves their messages and its version; nil where there is none.
  public let library: String?
  /// Who started them.
  public let launcher: Launcher?
  let transport: (any Transport)?
  private let thread: MessageThread?
  private let allPlaces = Mutex<[RankPlace]>([])

  /// One process by itself.
  public static let alone = Ranks()

  private init() {
    (rank, size) = (0, 1)
    (library, launcher, transport, thread) = (nil, nil, nil, nil)
  }

  /// Ranks that a transport joins.
  package init(rank: Int, size: Int, transport: any Transport) {
    (self.rank, self.size, self.transport) = (rank, size, transport)
    (library, launcher, thread) = (nil, nil, nil)
  }

  /// Joins the ranks that a launcher started this process as one of; by itself where none did.
  ///
  /// Called once, before the process has done anything: whoever joins must leave, by `leave()` or by its end.
  /// - Parameter always: Whether a rank that is the only one speaks to MPI too.
  /// - Throws: `RankError` where there is no library, or the launcher is another library's. Only rank 0 need say so.
  public static func join(
    _ environment: [String: String], always: Bool = false
  ) throws(RankError) -> Ranks {
    let launcher = Launcher(environment)
    guard always || (launcher?.size ?? 1) > 1 else { return .alone }
    // Rewards are children of this process; Open MPI warns of children for the sake of InfiniBand's oldest drivers.
    setenv("OMPI_MCA_mpi_warn_on_fork", "0", 0)
    let library = try MessageLibrary.open(
      MessageLibrary.candidates(for: launcher, environment), for: launcher)
    let (thread, rank, size) = try MessageThread.join()
    let ranks = Ranks(
      rank: rank, size: size, library: "\(library.version) (\(library.file))", launcher: launcher,
      thread: thread)
    if let launcher, launcher.size != size {
      thread.leave()
      throw RankError(
        .launcher,
        "\(launcher.kind.rawValue) started \(launcher.size) processes, but \(library.version) (\(library.file)) "
          + "sees \(size) of them: the launcher and the library must be of one MPI. Start with the library's own "
          + "mpiexec, or name the launcher's library in \(MessageLibrary.variable)")
    }
    try ranks.meet()
    return ranks
  }

  private init(
    rank: Int, size: Int, library: String, launcher: Launcher?, thread: MessageThread
  ) {
    (self.rank, self.size, self.library, self.launcher) = (rank, size, library, launcher)
    (transport, self.thread) = (thread, thread)
  }

  /// Whether this rank writes what one process would write: rank 0.
  public var isFirst: Bool { rank == 0 }

  /// This rank's run of items that all share out among themselves, in order.
  public func share(of items: Range<Int>) -> Range<Int> {
    let (first, count) = (items.lowerBound, items.count)
    return first + rank * count / size..<first + (rank + 1) * count / size
  }

  /// Where every rank runs, by rank.
  public var places: [RankPlace] {
    let known = allPlaces.withLock { $0 }
    return known.isEmpty ? Array(repeating: RankPlace.current(), count: size) : known
  }

  /// Leaves the ranks together: returns when all have come here.
  public func leave() throws(RankError) {
    guard let thread else { return }
    // From here on a rank that ends is no loss.
    thread.watch(nil)
    try barrier()
    thread.leave()
  }

  /// Tells every rank where the others are, and begins to look after those that this one can see.
  private func meet() throws(RankError) {
    let found = try allGather(Array(RankPlace.current().text.utf8))
    let places = found.map { RankPlace(text: String(decoding: $0, as: UTF8.self)) }
    allPlaces.withLock { $0 = places }
    let own = places[rank]
    let neighbours = places.indices.filter { $0 != rank && places[$0].sees(own) }
    guard !neighbours.isEmpty else { return }
    thread?.watch { [rank] in
      guard let lost = neighbours.first(where: { !places[$0].isAlive }) else { return }
      let isSpeaker = !neighbours.contains { $0 < rank && places[$0].isAlive }
      Self.end(
        isSpeaker
          ? "rank \(lost) (process \(places[lost].process) on \(places[lost].host)) has ended" : nil
      )
    }
  }

  /// Ends this process at once: without one of the ranks nothing that they do together can come to an end.
  ///
  /// As safe as kill -9: what was learned from is in the log, and `--resume` goes on.
  private static func end(_ reason: String?) -> Never {
    if let reason {
      let sentence =
        "error: \(reason): the other ranks stop here. Nothing that was saved is lost; a run goes on with "
        + "'grpo train --resume RUN', on any number of ranks that its gradient_shards allow\n"
      FileHandle.standardError.write(Data(sentence.utf8))
    }
    _exit(1)
  }

  // MARK: Between two ranks

  /// Sends bytes.
  func send(_ bytes: [UInt8], to peer: Int, on channel: Channel = .control) throws(RankError) {
    guard let transport else { return }
    let failure = bytes.withUnsafeBytes { buffer in
      Self.outcome { () throws(RankError) in
        try transport.send(buffer, to: peer, on: channel).wait()
      }
    }
    if let failure { throw failure }
  }

  /// Receives a known number of bytes.
  func receive(_ count: Int, from peer: Int, on channel: Channel = .control) throws(RankError)
    -> [UInt8]
  {
    guard let transport, count > 0 else { return [] }
    var failure: RankError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
      failure = Self.outcome { () throws(RankError) in
        try transport.receive(
          into: UnsafeMutableRawBufferPointer(
            UnsafeMutableBufferPointer(rebasing: buffer[0..<count])),
          from: peer, on: channel
        ).wait()
      }
      written = failure == nil ? count : 0
    }
    if let failure { throw failure }
    return bytes
  }

  /// Sends and receives at once, which two ranks may do with each other.
  func exchange(
    _ sent: UnsafeRawBufferPointer, to receiver: Int, _ received: UnsafeMutableRawBufferPointer,
    from sender: Int, on channel: Channel
  ) throws(RankError) {
    guard let transport else { return }
    let arriving = transport.receive(into: received, from: sender, on: channel)
    let leaving = transport.send(sent, to: receiver, on: channel)
    let failure = Self.outcome { () throws(RankError) in try leaving.wait() }
    try arriving.wait()
    if let failure { throw failure }
  }

  /// The error of a body that runs inside a closure that can't throw a typed one.
  static func outcome(_ body: () throws(RankError) -> Void) -> RankError? {
    do throws(RankError) {
      try body()
      return nil
    } catch { return error }
  }
}
