import Foundation
import RewardKit
import TestSupport
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
            if self.path == "/elsewhere":
                return self.answer(307, {}, [("Location", sys.argv[1] + "/score")])
            if self.path == "/moved": return self.answer(302, {}, [("Location", "/score")])
            if self.path == "/circle": return self.answer(308, {}, [("Location", "/circle")])
            if self.path == "/here": return self.answer(307, {}, [("Location", "/score")])
            if self.path == "/echo": return self.answer(400, {"you": "x" * 180 + self.headers["Authorization"]})
            if self.path in ("/long", "/endless"):
                self.send_response(200)
                if self.path == "/long": self.send_header("Content-Length", str(1 << 40))
                self.end_headers()
                try:
                    while True: self.wfile.write(b"1" * 65536)
                except OSError: return
            if self.headers["Authorization"] != "Bearer secret-of-the-test":
                return self.answer(401, {"detail": "who are you?"})
            if self.path == "/judge":
                text = body["messages"][-1]["content"]
                number = "none" if "dunno" in text else "Rating: 7.5"
                return self.answer(200, {"choices": [{"message": {"content": "Well. " + number}}]})
            if self.path == "/whole":
                state = body.get("trainer_state") or {}
                size, first = len(body["completions"]), state.get("global_step", -1)
                return self.answer(200, [100 * first + size for _ in body["groups"]])
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
    sys.argv.append("")
    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
    """

  /// Runs a body against a server of its own.
  private func withServer(_ more: String = "", _ body: (String) throws -> Void) throws {
    let server = try ChildProcess(["python3", "-c", Self.server, more])
    #expect(server.wait { server.output.contains("\n") })
    let port = server.output.prefix { $0.isNumber }
    try body("http://127.0.0.1:\(port)")
    server.signal(SIGKILL)
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

  @Test(
    "a group or a step is one post, with its groups and the trainer's state, whatever the batch")
  func scopes() throws {
    try withServer { address in
      for (scope, sizes) in [("group", [3, 3, 1, 3]), ("step", [4, 4, 4, 4])]
        as [(String, [Double])]
      {
        let suite = try reward(address + "/whole", ["scope": .string(scope), "batch": 2])
        suite.open(ScoringRound(groups: [0, 0, 1, 0], state: TrainerState(globalStep: 2)))
        suite.submit([0, 0, 1, 0].enumerated().map { request($0, "x", group: $1) })
        #expect(try suite.collect().map(\.total) == sizes.map { 200 + $0 })
      }
    }
    do {
      _ = try reward("http://127.0.0.1:9/judge", ["mode": "judge", "scope": "step"])
      Issue.record("no error")
    } catch let error as RewardError {
      #expect(error.description.contains("cannot be combined with scope \"step\""))
    }
  }

  @Test("a redirect is followed to the same origin alone, and a reply has an end")
  func strangers() throws {
    try withServer { other in
      try withServer(other) { address in
        func error(_ path: String) throws -> String? {
          try reward(address + path).score([request(0, "abc"), request(1, "x")])[0].error
        }
        let here = try reward(address + "/here").score([request(0, "abc")])[0]
        #expect(here.total == 3, "\(here)")
        let elsewhere = try #require(try error("/elsewhere"))
        #expect(
          elsewhere.contains("redirects to \(other)/score, of another origin"), "\(elsewhere)")
        #expect(try error("/moved")?.contains("with 302, which asks for a GET") == true)
        #expect(try error("/circle") == "the server redirects more than 5 times")
        #expect(try error("/long") == "the server's reply is longer than 4 MiB")
        #expect(try error("/endless") == "the server's reply is longer than 4 MiB")
        let echo = try #require(try error("/echo"))
        #expect(echo.contains("400") && !echo.contains("secret"), "\(echo)")
      }
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
