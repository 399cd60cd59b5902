import Rollouts
import Testing

@Suite("Kept sets")
struct KeptSetTests {
  @Test("lines of rollouts read back what they write")
  func roundTrip() throws {
    for set: KeptSet in [.only([0]), .only([3, 5, 9]), .except([0]), .except([2, 7])] {
      #expect(try KeptSet.read(set.json) == set)
    }
    #expect(KeptSet.only([2, 5]).json.jsonText == "[2,5]")
    #expect(KeptSet.except([0, 3]).json.jsonText == #"{"except":[0,3]}"#)
    #expect(try KeptSet.read(.null) == nil)
  }

  @Test(
    "what is no set is refused",
    arguments: [
      "[]", "[3,3]", "[5,4]", "[-1]", "[4294967296]", "[1.5]", "3", "{\"except\":[]}",
      "{\"except\":[1],\"only\":[2]}", "{\"only\":[2]}", "true",
    ])
  func malformed(text: String) throws {
    let value = try JSONValue.parse(text)
    #expect(throws: KeptSet.Malformed.self) { try KeptSet.read(value) }
  }

  @Test("a set of a vocabulary has ascending ids, and keeps ids that the vocabulary has")
  func possible() {
    #expect(KeptSet.only([0, 5]).isPossible(vocabulary: 6))
    #expect(!KeptSet.only([0, 6]).isPossible(vocabulary: 6))
    #expect(!KeptSet.only([]).isPossible(vocabulary: 6))
    #expect(!KeptSet.only([5, 0]).isPossible(vocabulary: 6))
    // A tokenizer may have more end tokens than the model has logits.
    #expect(KeptSet.except([9]).isPossible(vocabulary: 6))
    #expect(!KeptSet.except([-1]).isPossible(vocabulary: 6))
  }
}
