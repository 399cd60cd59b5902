import CKernels
import COpenBLAS
import Foundation

/// Who computes the forward products.
public enum ForwardProducts: String, Sendable {
  /// Our own kernel: a row's bits depend on that row and the weight alone.
  case own
  /// OpenBLAS, for comparison of speed; its bits depend on the batch and the processor.
  case openBLAS = "openblas"
}

/// The one place where the number of threads and the instruction set are decided.
///
/// Every operation of the model is a method of this class, in the extensions beside it. None of
/// their results depends on the number of threads, on the instruction set, or on how the rows of a
/// batch are packed. One operation runs at a time, called from one thread at a time.
public final class Compute {
  /// Threads that share the work of one operation, the caller included.
  public let threads: Int
  /// The kernels in use.
  public let instructionSet: InstructionSet
  /// Who computes the forward products.
  public let forwardProducts: ForwardProducts
  /// What the operands of products are rounded to.
  public let precision: Precision
  /// How keys and values are held, and rounded wherever attention reads them.
  public let keyValueElement: ElementType

  let kernels: UnsafePointer<KernelTable>
  private let pool: OpaquePointer?
  private let scratch: [WorkerScratch]
  /// Floats that the tasks of one operation share out among themselves.
  let sharedScratch = WorkerScratch()
  /// Rows that were rounded for a product.
  let operandScratch = WorkerScratch()

  /// Starts the threads.
  ///
  /// - Parameters:
  ///   - threads: how many; by default as many as this process may run on.
  ///   - instructionSet: by default `InstructionSet.preferred`; one that this processor lacks
  ///     becomes the best that it has.
  ///   - keyValueElement: by default the precision's; products in two bytes read keys and values of no other.
  public init(
    threads: Int? = nil, instructionSet: InstructionSet? = nil,
    forwardProducts: ForwardProducts = .own, precision: Precision = .float32,
    keyValueElement: ElementType? = nil
  ) {
    precondition(
      forwardProducts == .own || precision == .float32, "OpenBLAS multiplies in float32 alone")
    self.precision = precision
    self.keyValueElement =
      precision == .float32 ? keyValueElement ?? .float32 : precision.element
    let wanted = min(max(threads ?? Self.availableProcessors, 1), 256)
    pool = wanted > 1 ? worker_pool_create(Int32(wanted)) : nil
    self.threads = pool == nil ? 1 : wanted

    let requested = instructionSet ?? .preferred
    let chosen = requested.isSupported ? requested : .best
    self.instructionSet = chosen
    kernels = chosen.table ?? kernels_scalar()
    self.forwardProducts = forwardProducts
    scratch = (0..<self.threads).map { _ in WorkerScratch() }
    openblas_set_num_threads(forwardProducts == .openBLAS ? Int32(self.threads) : 1)
  }

  deinit {
    if let pool { worker_pool_destroy(pool) }
  }

  /// The processors that this process may run on, and that its control group grants it time on.
  public static var availableProcessors: Int {
    let processors = Int(available_processors())
    // Linux, cgroup v2: "QUOTA PERIOD" in microseconds, or "max PERIOD".
    guard let limit = try? String(contentsOfFile: "/sys/fs/cgroup/cpu.max", encoding: .utf8) else {
      return processors
    }
    let fields = limit.split(whereSeparator: \.isWhitespace).map { Double($0) }
    guard fields.count == 2, let quota = fields[0], let period = fields[1], period > 0 else {
      return processors
    }
    return min(processors, max(1, Int((quota / period).rounded(.up))))
  }

  /// Threads, instruction set and OpenBLAS, on one line each: what a report of a fault needs.
  public var description: String {
    """
    threads: \(threads)
    instruction set: \(instructionSet.rawValue)
    forward products: \(forwardProducts.rawValue)
    OpenBLAS: \(Self.openBLASConfiguration)
    OpenBLAS core type: \(Self.openBLASCoreType)
    """
  }

  /// Version and build of the OpenBLAS that was found.
  public static var openBLASConfiguration: String {
    String(cString: openblas_get_config()).trimmingCharacters(in: .whitespaces)
  }

  /// The processor type whose kernels OpenBLAS chose.
  public static var openBLASCoreType: String { String(cString: openblas_get_corename()) }

  // MARK: - Sharing out work

  /// Calls `body(task, worker)` for each task below `count`, on all threads.
  ///
  /// `body` runs on several threads at once though it is not `Sendable`: each task must write memory
  /// of its own, and read only what no other task of the call writes.
  func parallel(_ count: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    guard count > 1, let pool else {
      for task in 0..<count { body(task, 0) }
      return
    }
    withoutActuallyEscaping(body) { body in
      var box = body
      withUnsafeMutablePointer(to: &box) { context in
        worker_pool_run(
          pool, count,
          { context, task, worker in
            context.assumingMemoryBound(to: ((Int, Int) -> Void).self).pointee(task, Int(worker))
          }, context)
      }
    }
  }

  /// Cuts `count` items into ranges worth `cost` nanoseconds an item, a few for each thread, and
  /// calls `body(begin, end)` for each; work too small for threads stays on the caller's.
  func parallelRanges(
    _ count: Int, cost: Double, alignment: Int = 1, _ body: (_ begin: Int, _ end: Int) -> Void
  ) {
    let pieces = self.pieces(count: count, cost: cost, alignment: alignment)
    guard pieces > 1 else {
      if count > 0 { body(0, count) }
      return
    }
    let units = (count + alignment - 1) / alignment
    parallel(pieces) { task, _ in
      let begin = units * task / pieces * alignment
      let end = min(units * (task + 1) / pieces * alignment, count)
      if begin < end { body(begin, end) }
    }
  }

  /// Into how many pieces work of `count` items at `cost` nanoseconds is cut.
  func pieces(count: Int, cost: Double, alignment: Int = 1) -> Int {
    guard threads > 1, count > alignment else { return 1 }
    let total = Double(count) * cost
    // Below some microseconds a fork and join costs more than it saves; from there pieces of at
    // least that size, up to four a thread, so that a thread that lost its core is no brake.
    let worthwhile = Int(min(total / 3_000, Double(4 * threads)))
    guard worthwhile > 1 else { return 1 }
    let units = (count + alignment - 1) / alignment
    let rounded = worthwhile < threads ? worthwhile : worthwhile / threads * threads
    return min(rounded, units)
  }

  /// Floats that only `worker` uses while the operation lasts.
  func scratch(worker: Int, count: Int) -> UnsafeMutablePointer<Float> {
    scratch[worker].ensure(count: count)
  }
}

/// Floats that grow when more is asked for; what they held is lost then.
final class WorkerScratch {
  private var memory = Tensor(count: 0)

  /// At least `count` floats, of any value; the address is good until the next call.
  func ensure(count: Int) -> UnsafeMutablePointer<Float> {
    if memory.count < count { memory = Tensor(count: max(count, memory.count * 3 / 2)) }
    return memory.start
  }
}
