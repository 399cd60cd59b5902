import Foundation
import Rollouts
import TestSupport
import Testing

@testable import RewardKit

@Suite("Secrets are hidden where they enter") struct SecretMaskTests {
  private let key = "sk-Zz/\"\\é🙂9-end"

  private func masked(_ text: String, cutAt size: Int, values: [(name: String, value: String)])
    -> String
  {
    var mask = SecretMask(values: values)
    var result: [UInt8] = []
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: size) {
      bytes[start..<min(start + size, bytes.count)].withUnsafeBufferPointer {
        mask.pass($0) { result.append(contentsOf: $0) }
      }
    }
    mask.finish { result.append(contentsOf: $0) }
    return String(decoding: result, as: UTF8.self)
  }

  @Test("as it is, as JSON may write it, and across any cut", arguments: [1, 2, 3, 5, 7, 11, 1000])
  func forms(cut: Int) throws {
    let escaped = key.unicodeScalars.map { scalar in
      String(scalar).utf16.map { String(format: "\\u%04x", Int($0)) }.joined()
    }.joined()
    let python = try ChildProcess(
      ["python3", "-c", "import json, sys; print(json.dumps(sys.argv[1]), end='')", key]
    ).wait().output
    let capitals = escaped.uppercased().replacing("\\U", with: "\\u")
    let forms = [key, JSONValue.string(key).jsonText, python, escaped, capitals]
    for form in forms {
      let text = "a \(form) b {\"\(form)\": 1} sk-Zz sk-Z \(form)\n"
      let result = masked(text, cutAt: cut, values: [("KEY", key)])
      #expect(!result.contains("9-end") && !result.contains("Zz/"), "\(form): \(result)")
      #expect(result.components(separatedBy: "[KEY]").count >= 4, "\(form): \(result)")
      #expect(result.contains("sk-Zz sk-Z"), "what only begins alike stays: \(result)")
    }
  }

  @Test("one secret within another, repeats, lines of a long one, and what is no secret")
  func kinds() {
    let values = [("LONG", "abcd-efgh-ijkl"), ("SHORT", "efgh"), ("PORT", "8080"), ("TINY", "abc")]
    #expect(
      masked("abcd-efgh-ijkl efgh 8080 abc", cutAt: 4, values: values) == "[LONG] [SHORT] 8080 abc")
    #expect(masked("efghefghefgh", cutAt: 5, values: values) == "[SHORT][SHORT][SHORT]")
    let pem = "-----BEGIN-----\nMIIEvQIBADANBg\n-----END-----"
    let result = masked(
      "x\nMIIEvQIBADANBg\ny \\nMIIEvQIBADANBg\\n", cutAt: 3, values: [("PEM", pem)])
    #expect(result == "x\n[PEM]\ny \\n[PEM]\\n")
    #expect(masked("cut off: abcd-efgh-i", cutAt: 6, values: values) == "cut off: [secret]")
  }

  @Test("no way out shows a key: log, parts, unscorable, error, standard error and a bad greeting")
  func waysOut() throws {
    setenv("GRPO_TEST_JUDGE_KEY", key, 1)
    let folder = try PluginFolder()
    let path = try folder.plugin(
      """
      k = os.environ["GRPO_TEST_JUDGE_KEY"]
      sys.stderr.write(("Z" + k) * 700 + "\\n"); sys.stderr.flush(); time.sleep(0.05)
      if rid % 5 == 0: reply(id=rid, unscorable="key " + k)
      if rid % 5 == 1: reply(id=rid, error="x" * 117 + json.dumps(k))
      if rid % 5 == 2: reply(id=rid, score=1, log={k: [k, {"k": k}]})
      if rid % 5 == 3: reply(id=rid, score=0, parts={k: 1})
      if rid % 5 == 4: print("not JSON " * 12 + k, flush=True)
      """)
    let suite = try suite([
      ["use": .string(path), "environment": ["GRPO_TEST_JUDGE_KEY"], "failure_limit": 1]
    ])
    for completion in try suite.score((0..<10).map { request($0, "\($0)") }) {
      let text = "\(completion.outcomes)"
      #expect(!text.contains("9-end") && !text.contains("Zz/"), "\(text.prefix(600))")
      #expect(text.contains("[GRPO_TEST_JUDGE_KEY]"))
    }
    let greeting = try folder.file(
      "greeting.py",
      "#!/usr/bin/env python3\nimport os\nprint('x' * 110 + os.environ['GRPO_TEST_JUDGE_KEY'], flush=True)\n",
      executable: true)
    do {
      _ = try RewardKitTests.suite([
        ["use": .string(greeting), "environment": ["GRPO_TEST_JUDGE_KEY"]]
      ])
      Issue.record("no error")
    } catch { #expect("\(error)".contains("[GRPO_T") && !"\(error)".contains("Zz"), "\(error)") }
  }
}
