import Foundation
import Rollouts
import TestSupport
import Testing

@testable import Tokenizers

/// The processor time of this process, which other programs do not lengthen.
private struct ProcessorClock {
  func measure(_ body: () throws -> Void) rethrows -> Double {
    let start = clock()
    try body()
    return Double(clock() - start) / Double(CLOCKS_PER_SEC)
  }
}

/// Prints how fast encoding and loading are; asserts no time, as machines differ.
///
/// `GRPO_BENCH=1 swift test -c release --filter ThroughputTests`
@Suite(
  "Throughput", .serialized,
  .enabled(if: ProcessInfo.processInfo.environment["GRPO_BENCH"] != nil))
struct ThroughputTests {
  @Test("encoding, decoding and loading", arguments: GoldenTests.names)
  func speed(name: String) throws {
    let clock = ProcessorClock()
    var tokenizer: Tokenizer?
    let load = try clock.measure {
      tokenizer = try Tokenizer(folder: SharedFiles.url("tokenizers/\(name)"))
    }
    let loaded = try #require(tokenizer)
    var texts: [String] = []
    for row in try rows(SharedFiles.url("data/gsm8k/train.jsonl")) {
      texts.append((row["question"]?.string ?? "") + "\n" + (row["answer"]?.string ?? ""))
    }
    let whole = texts.joined(separator: "\n\n")
    func megabytes(_ text: String, _ seconds: Double) -> String {
      String(format: "%.1f MB/s", Double(text.utf8.count) / 1e6 / seconds)
    }
    var count = 0
    let byRow = clock.measure {
      for text in texts { count += loaded.encode(text, addSpecialTokens: false).count }
    }
    var ids: [TokenID] = []
    let atOnce = clock.measure { ids = loaded.encode(whole, addSpecialTokens: false) }
    var decoded = ""
    let decode = clock.measure { decoded = loaded.decode(ids, skipSpecialTokens: false) }
    #expect(count > 0 && decoded.utf8.count >= whole.utf8.count - 1)
    print(
      "\(name): load \(String(format: "%.3f s", load)), rows \(megabytes(whole, byRow)), whole \(megabytes(whole, atOnce)),"
        + " decode \(megabytes(whole, decode))")
  }
}
