import Foundation
import RewardKit
import Testing

@Suite("Plugins in child processes") struct HostTests {
  @Test("scores, parts, steps and log come back in the order of the requests")
  func replies() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin(
      """
      reply(id=rid, score=len(text), parts={"a": 1, "b": 2.5}, log={"w": columns["answer"]},
        steps=[{"end": 1, "score": 0.5}, {"end": len(text), "score": -1}], unknown=1)
      """, greeting: ", range=[0, 21], novelty=True")
    let suite = try suite([["use": .string(path), "weight": 2]], columns: ["answer"])
    #expect(suite.rewards[0].range == 0...21)
    #expect(suite.rewards[0].name == "plugin")
    #expect(suite.rewards[0].contentHash.count == 64)
    let scored = try suite.score(
      (0..<20).map {
        request($0, String(repeating: "é", count: $0 + 2), columns: ["answer": .integer(Int64($0))])
      })
    #expect(scored.map(\.id) == Array(0..<20))
    let totals = (0..<20).map { Double(2 * ($0 + 2)) }
    #expect(scored.compactMap(\.total) == totals)
    #expect(scored[3].score?.parts == ["a": 1, "b": 2.5])
    #expect(scored[3].score?.log == ["w": 3])
    let steps = [StepScore(end: 1, score: 0.5), StepScore(end: 5, score: -1)]
    #expect(scored[3].score?.steps == steps)
  }

  @Test("a crash, a hang and every kind of nonsense is recorded on its own completion")
  func faults() throws {
    let folder = try PluginFolder()
    let path = try folder.plugin(
      """
      if text == "crash": os.kill(os.getpid(), signal.SIGSEGV)
      if text == "exit": sys.exit(3)
      if text == "hang": time.sleep(1000)
      if text == "garbage": print("what?", flush=True)
      elif text == "silent id": print('{"score": 1}', flush=True)
      elif text == "wrong id": reply(id=rid + 1000, score=1)
      elif text == "word": reply(id=rid, score="one")
      elif text == "nan": print('{"id": %d, "score": NaN}' % rid, flush=True)
      elif text == "steps": reply(id=rid, score=1, steps=[{"end": 3, "score": 1}, {"end": 2, "score": 1}])
      elif text == "beyond": reply(id=rid, score=1, steps=[{"end": 7, "score": 1}])
      elif text == "unscorable": reply(id=rid, unscorable="no answer known")
      elif text == "error": reply(id=rid, error="judge is down")
      elif text == "close": os.close(1); time.sleep(1000)
      elif text == "long": sys.stdout.write("x" * 20_000_000); sys.stdout.flush()
      elif text == "stderr":
          sys.stderr.write("noise " * 1_000_000 + "last words"); sys.stderr.flush()
          reply(id=rid, score=0.5)
      else: reply(id=rid, score=1)
      """)
    let suite = try suite([
      ["use": .string(path), "time_limit": 3, "failure_limit": 1, "restart_limit": 50]
    ])
    let expected: [(String, String?)] = [
      ("crash", "signal 11"), ("good", nil), ("exit", "status 3"), ("hang", "longer than the 3 s"),
      ("garbage", "no JSON"), ("silent id", "without an \"id\""), ("wrong id", "not asked"),
      ("good", nil), ("word", "not a number"), ("nan", "no JSON"), ("steps", "must ascend"),
      ("beyond", "6 Unicode scalars"), ("error", "judge is down"), ("close", "standard output"),
      ("long", "4 MiB"), ("stderr", nil), ("good", nil),
    ]
    var requests = expected.enumerated().map { request($0, $1.0) }
    requests.append(request(99, "unscorable"))
    let scored = try suite.score(requests)
    for (index, (text, error)) in expected.enumerated() {
      if let error {
        #expect(scored[index].error?.contains(error) == true, "\(text): \(scored[index].outcomes)")
        #expect(scored[index].total == nil)
      } else {
        #expect(scored[index].score != nil, "\(text): \(scored[index].outcomes)")
      }
    }
    #expect(scored[15].outcomes[0].standardError.hasSuffix("last words"))
    #expect(scored[15].outcomes[0].standardError.count < 5000)
    #expect(scored.last?.outcomes[0].scoring == .unscorable(reason: "no answer known"))
    suite.shutDown()
    #expect(processes(mentioning: folder.url.path).isEmpty)
  }
}
