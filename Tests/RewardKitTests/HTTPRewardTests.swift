import Foundation
import RewardKit
import Testing

@Suite("Scores over HTTP, from a local server") struct HTTPRewardTests {
  /// A server that fails its first exchange, then scores by length; and a judge at /judge.
  private static let server = """
    import json, sys
    from http.server import BaseHTTPRequestHandler, HTTPServer
    class Handler(BaseHTTPRequestHandler):
        failures = 1
        def log_message(self, *arguments): pass
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if Handler.failures:
                Handler.failures -= 1
                return self.answer(503, {}, [("Retry-After", "0.01")])
            if self.headers["Authorization"] != "Bearer secret-of-the-test":
                return self.answer(401, {"detail": "who are you?"})
            if self.path == "/judge":
                text = body["messages"][-1]["content"]
                number = "none" if "dunno" in text else "Rating: 7.5"
                return self.answer(200, {"choices": [{"message": {"content": "Well. " + number}}]})
            if self.path == "/broken": return self.answer(200, {"scores": [1]})
            scores = [None if c == "null" else len(c) for c in body["completions"]]
            self.answer(200, {"scores": scores})
        def answer(self, status, value, headers=[]):
            data = json.dumps(value).encode()
            self.send_response(status)
            for header in headers: self.send_header(*header)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
    """

  /// Runs a body against a server of its own.
  private func withServer(_ body: (String) throws -> Void) throws {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", Self.server]
    process.standardOutput = output
    try process.run()
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    var line = Data()
    while let byte = try output.fileHandleForReading.read(upToCount: 1), byte != Data("\n".utf8) {
      if byte.isEmpty { break }
      line += byte
    }
    try body("http://127.0.0.1:\(String(decoding: line, as: UTF8.self))")
  }

  private func reward(_ url: String, _ more: JSONObject = [:]) throws -> RewardSuite {
    setenv("GRPO_TEST_KEY", "secret-of-the-test", 1)
    var parameters: JSONObject = ["url": .string(url), "secret": "GRPO_TEST_KEY", "retries": 2]
    for (key, value) in more { parameters[key] = value }
    return try suite([
      [
        "use": "http", "environment": ["GRPO_TEST_KEY"], "failure_limit": 1, "time_limit": 30,
        "parameters": .object(parameters),
      ]
    ])
  }

  @Test("a batch is posted, tried again, scored in order; the judge is asked one by one")
  func exchange() throws {
    try withServer { address in
      let batch = try reward(address + "/score")
      let scored = try batch.score(["a", "null", "ccc"].enumerated().map { request($0, $1) })
      #expect(scored.map(\.total) == [1, nil, 3])
      #expect(scored[1].outcomes[0].scoring == .unscorable(reason: "the server says null"))
      let judge = try reward(address + "/judge", ["mode": "judge", "model": "m"])
      let judged = try judge.score(["yes", "dunno"].enumerated().map { request($0, $1) })
      #expect(judged.map(\.total) == [0.75, nil])
      let broken = try reward(address + "/broken")
      #expect(
        try broken.score([request(0, "a"), request(1, "b")])[0].error
          == "the server's reply holds no list of 2 scores")
      let stranger = try reward(address + "/score", ["bearer": false])
      #expect(try stranger.score([request(0, "a")])[0].error?.contains("401") == true)
    }
  }

  @Test("a server that isn't there, and settings that can't be, are told")
  func faults() throws {
    let absent = try reward("http://127.0.0.1:9/score", ["retries": 0])
    #expect(try absent.score([request(0, "a")])[0].error?.contains("can't be reached") == true)
    do {
      _ = try reward("ftp://nowhere", ["mode": "oracle"])
      Issue.record("no error")
    } catch let error as RewardError {
      #expect(error.description.contains("expected one of \"batch\", \"judge\""))
    }
  }
}
