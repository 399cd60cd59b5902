import CKernels
import Foundation
import Tensors
import Testing

@Suite("The pool of threads")
struct WorkerPoolTests {
  /// Counts how often each task ran.
  private final class Tally {
    var counts: UnsafeMutablePointer<Int32>
    init(_ count: Int) {
      counts = .allocate(capacity: count)
      counts.initialize(repeating: 0, count: count)
    }
    deinit { counts.deallocate() }
  }

  @Test("runs every task of every job once", arguments: [1, 2, 3, 8])
  func everyTaskOnce(threads: Int) throws {
    let pool = try #require(worker_pool_create(Int32(threads)))
    defer { worker_pool_destroy(pool) }
    for job in 0..<2_000 {
      let tasks = job % 23
      let tally = Tally(tasks + 1)
      worker_pool_run(
        pool, tasks,
        { context, task, _ in
          context.assumingMemoryBound(to: Int32.self)[task] += 1
        }, tally.counts)
      let isOnce = (0..<tasks).allSatisfy { tally.counts[$0] == 1 } && tally.counts[tasks] == 0
      #expect(isOnce)
      // Long enough now and then for the threads to fall asleep.
      if job % 500 == 499 { usleep(2_000) }
    }
  }

  @Test("works alone when it is called while at work")
  func nested() throws {
    struct Nested {
      var pool: OpaquePointer
      var sums: UnsafeMutablePointer<Int32>
    }
    let pool = try #require(worker_pool_create(2))
    defer { worker_pool_destroy(pool) }
    let tally = Tally(40)
    var nested = Nested(pool: pool, sums: tally.counts)
    worker_pool_run(
      pool, 4,
      { context, task, _ in
        let nested = context.assumingMemoryBound(to: Nested.self).pointee
        worker_pool_run(
          nested.pool, 10,
          { context, task, _ in context.assumingMemoryBound(to: Int32.self)[task] += 1 },
          nested.sums + task * 10)
      }, &nested)
    let isOnce = (0..<40).allSatisfy { tally.counts[$0] == 1 }
    #expect(isOnce)
  }

  @Test("takes a request for too many or too few threads")
  func extremes() {
    #expect(Compute(threads: 0).threads == 1)
    #expect(Compute(threads: -3).threads == 1)
    #expect(Compute(threads: 1_000_000).threads == 256)
    #expect(Compute().threads >= 1)
    #expect(Compute(threads: 2).description.contains("threads: 2"))
  }
}
