import Foundation
import TestSupport
import Testing

@testable import Rollouts

/// Every mutated file must be read or refused; a trap or a hang fails the run.
@Suite("Mutated data sets")
struct DatasetFuzzTests {
  private static let rows = #"""
    {"prompt": "What is 2+2?", "answer": "4", "level": 1, "tags": ["a", {"b": null}]}
    {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüße 🙂"}], "answer": "\ud83d\ude42"}
    {"question": "q", "prompt": "p", "completion": "c", "weight": 1e-3, "reward_model": {"ground_truth": "7"}}

    """#

  private static let list = #"[{"prompt": "a", "answer": 1.5}, {"prompt": "b", "answer": true}]"#

  private static let table = "prompt,answer\n\"a, \"\"b\"\"\",1\nc,\"line\nbreak\"\n"

  @Test(
    "JSON lines, lists and tables", arguments: [("jsonl", rows), ("json", list), ("csv", table)])
  func files(ending: String, text: String) throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("fuzz-\(UUID().uuidString).\(ending)")
    defer { try? FileManager.default.removeItem(at: url) }
    var mutator = ByteMutator(seed: 7)
    var tally = (read: 0, refused: 0)
    let mapping = ColumnMapping(["solution=reward_model.ground_truth"])
    for round in 0..<ByteMutator.rounds {
      try Data(mutator.mutated(Array(text.utf8))).write(to: url)
      do throws(DatasetError) {
        let chosen = round % 4 == 0 ? mapping ?? .identity : .identity
        let dataset = try Dataset.read(url.path, mapping: chosen)
        #expect(dataset.problems.count == dataset.places.count)
        tally.read += 1
      } catch {
        #expect(!error.description.isEmpty)
        tally.refused += 1
      }
      _ = try? SupervisedDataset.read(url.path)
    }
    #expect(tally.read > 0 && tally.refused > 0)
  }

  @Test("JSON, values that are written again are the same")
  func values() throws {
    var mutator = ByteMutator(seed: 8)
    var accepted = 0
    for _ in 0..<ByteMutator.rounds {
      let bytes = mutator.mutated(Array(Self.list.utf8))
      guard let value = try? JSONValue.parse(bytes: bytes) else { continue }
      accepted += 1
      #expect(try JSONValue.parse(value.jsonText) == value)
    }
    #expect(accepted > 0)
  }
}
