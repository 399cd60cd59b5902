import BuiltInRewards
import Foundation
import RewardKit
import Testing

/// A built-in of the shipped catalogue with its settings.
func builtIn(_ name: String, _ parameters: JSONObject = [:]) throws -> any BuiltInReward {
  let type = try #require(RewardCatalogue.shipped.builtIns.first { $0.about.name == name })
  return try type.init(
    parameters: RewardParameters(parameters, declared: type.about.parameters))
}

/// The value that a built-in gives to a text; nil where it says unscorable.
func value(
  _ name: String, _ parameters: JSONObject = [:], _ text: String, columns: JSONObject = [:],
  tokens: Int = 0
) throws -> Double? {
  let completion = Completion(
    text: text, tokens: (0..<tokens).map { TokenID($0) }, finish: .stop)
  let problem = Problem(index: 0, prompt: .text("?"), columns: columns)
  switch try builtIn(name, parameters).scoring(of: completion, for: problem) {
  case .scored(let score): return score.value
  case .unscorable: return nil
  case .failed(let error):
    Issue.record("\(error)")
    return nil
  }
}

@Suite("Built-in rewards: wanted and unwanted examples") struct BuiltInTests {
  @Test("exact match")
  func exactMatch() throws {
    let answer: JSONObject = ["answer": "New  York"]
    #expect(try value("exact_match", [:], " New York\n", columns: answer) == 1)
    #expect(try value("exact_match", [:], "new york", columns: answer) == 0)
    #expect(try value("exact_match", ["ignore_case": true], "new york", columns: answer) == 1)
    #expect(
      try value(
        "exact_match", ["ignore_case": true, "ignore_punctuation": true], "New York!",
        columns: answer) == 1)
    #expect(try value("exact_match", [:], "19", columns: ["answer": 19]) == 1)
    #expect(try value("exact_match", [:], "b", columns: ["answer": ["a", "b"]]) == 1)
    #expect(try value("exact_match", [:], "19", columns: [:]) == nil)
    #expect(
      try value(
        "exact_match", ["extract": "answer_tag"], "so <answer>4</answer>", columns: ["answer": 4])
        == 1)
    #expect(
      try value(
        "exact_match", ["extract": "answer_tag"], "<answer>4</answer><answer>4</answer>",
        columns: ["answer": 4]) == 0)
    #expect(
      try value("exact_match", ["extract": "last_line"], "so\n4\n", columns: ["answer": 4]) == 1)
  }

  static let numbers: [(String, JSONValue, strict: Double, lenient: Double)] = [
    ("#### 18", 18, 1, 1),
    ("He has 3 + 4 = 7.\n#### 7", "7", 1, 1),
    ("#### 1,234", "1234", 1, 1),
    ("#### $1,234.50", "1234.5", 1, 1),
    ("#### 18 dollars", 18, 0, 1),
    ("#### 18.", 18, 1, 1),
    ("#### 50%", "50%", 1, 1),
    ("#### 0.5", "50%", 0, 1),
    ("#### 3/4", 0.75, 1, 1),
    ("#### 1 1/2", 1.5, 1, 1),
    ("#### -5", -5, 1, 1),
    ("#### \u{2212}5", -5, 1, 1),
    ("so \\boxed{18}.", 18, 1, 1),
    ("\\boxed{\\frac{3}{4}}", 0.75, 1, 1),
    ("\\boxed{\\$1{,}000}", 1000, 1, 1),
    ("<answer> 18 </answer>", 18, 1, 1),
    ("A: 18", 18, 1, 1),
    ("Therefore the answer is 18.", 18, 1, 1),
    ("**Answer:** 18", 18, 1, 1),
    ("it is 17, no, 18", 18, 0, 1),
    ("#### 17\n#### 18", 18, 0, 1),
    ("18", 18, 0, 1),
    ("18 18 18 18 18", 18, 0, 0),
    ("#### 18\n#### 18\n#### 18", 18, 1, 1),
    ("#### 18\n#### 18\n#### 18\n#### 18\n#### 18\n#### 18", 18, 0, 0),
    ("#### 17, 18, 19", 18, 0, 0),
    ("#### ", 18, 0, 0),
    ("#### 18\n 5 of them", 18, 1, 1),
    ("", 18, 0, 0),
    ("#### None", "None", 1, 1),
    ("#### 5", "None", 0, 0),
    ("#### 1e400", 18, 0, 0),
    ("#### 0.333333333", "0.3333333333333", 1, 1),
    ("#### 9867631", 9_867_630, 0, 0),
    ("#### 18", "Janet sells 16.\n#### 18", 1, 1),
    ("x2 and 3rd 18kg", 18, 0, 1),
  ]

  @Test("numeric, strict and lenient kept apart", arguments: numbers)
  func numeric(text: String, answer: JSONValue, strict: Double, lenient: Double) throws {
    #expect(try value("numeric", ["mode": "strict"], text, columns: ["answer": answer]) == strict)
    #expect(try value("numeric", ["mode": "lenient"], text, columns: ["answer": answer]) == lenient)
  }

  static let mathematics: [(String, String, Double)] = [
    ("\\boxed{\\dfrac12}", "\\frac{1}{2}", 1), ("\\boxed{0.5}", "\\frac{1}{2}", 1),
    ("\\boxed{\\left( 3, \\frac{\\pi}{2} \\right)}", "(3,\\frac{\\pi}{2})", 1),
    ("\\boxed{(3, 2)}", "(2, 3)", 0), ("\\boxed{3, 2}", "2, 3", 1),
    ("\\boxed{[3, 2)}", "(3, 2)", 0), ("\\boxed{x = 5}", "5", 1),
    ("\\boxed{5\\text{ cm}^2}", "5", 1), ("\\boxed{\\text{Evelyn}}", "Evelyn", 1),
    ("\\boxed{90^\\circ}", "90", 1), ("\\boxed{10\\%}", "10", 1), ("\\boxed{1,000}", "1000", 1),
    ("\\boxed{2\\sqrt3}", "\\sqrt{12}", 1), ("\\boxed{3\\sqrt{2}}", "2\\sqrt{3}", 0),
    ("\\boxed{2}, again \\boxed{2}", "2", 1), ("\\boxed{1}, then \\boxed{2}", "2", 0),
    ("\\boxed{1}\\boxed{1}\\boxed{1}", "1", 1),
    ("2", "2", 0), ("\\boxed{", "2", 0), ("\\boxed{x^2+1}", "x^{2}+1", 1),
    ("\\boxed{p - q}", "p-q", 1), ("\\boxed{}", "2", 0), ("\\boxed{2^{10}}", "1024", 1),
    ("\\boxed{3!}", "6", 1), ("\\boxed{1\\frac{1}{2}}", "1.5", 1), ("\\boxed{1/0}", "1", 0),
  ]

  @Test("math", arguments: mathematics)
  func math(text: String, answer: String, expected: Double) throws {
    #expect(try value("math", [:], text, columns: ["answer": .string(answer)]) == expected)
  }

  static let patterns: [(String, String, JSONObject, Double)] = [
    ("ab+c", "xxabbbcx", [:], 1), ("^ab", "xab", [:], 0), ("a|b|cd", "cd", [:], 1),
    ("(a|b){3}$", "xabab", [:], 1), ("a{2,3}", "a", [:], 0), ("[^a-c]", "abc", [:], 0),
    ("\\d{3}-\\d{4}", "call 555-1234", [:], 1), ("\\bcat\\b", "concat", [:], 0),
    ("hello", "HELLO", ["ignore_case": true], 1), ("(?i)hello", "HeLLo", [:], 1),
    ("a.c", "a\nc", [:], 1), ("a.c", "a\nc", ["dot_all": false], 0),
    ("^b$", "a\nb\nc", ["multiline": true], 1), ("a+", "aaa", ["whole": true], 1),
    ("a|ab", "ab", ["whole": true], 1), ("a+", "aaab", ["whole": true], 0),
    ("\\w+", "one two", ["full": 4], 0.5), ("x*", "aaa", ["full": 4], 1), ("é", "café", [:], 1),
    ("[\\d\\s]+$", "a 1 2", [:], 1), ("(?:ab)+?c", "ababc", [:], 1), ("", "", [:], 1),
    ("[]a]", "]", [:], 1), ("a{,2}b", "aab", ["whole": true], 1), ("{x}", "{x}", [:], 1),
    ("\\x41\\u0042", "AB", [:], 1), ("(a*)*b", String(repeating: "a", count: 3000), [:], 0),
  ]

  @Test("regular expressions", arguments: patterns)
  func regex(pattern: String, text: String, settings: JSONObject, expected: Double) throws {
    var settings = settings
    settings["pattern"] = .string(pattern)
    #expect(try value("regex", settings, text) == expected)
  }

  @Test("a regular expression's group is compared with the answer")
  func regexGroup() throws {
    let settings: JSONObject = ["pattern": "sum=(\\d+);(\\w*)", "group": 1]
    #expect(try value("regex", settings, "sum=12;x", columns: ["answer": 12]) == 1)
    #expect(try value("regex", settings, "sum=13;", columns: ["answer": 12]) == 0)
  }

  @Test(
    "a regular expression that can't be run is refused with a sentence",
    arguments: [
      "(?=a)", "(a)\\1", "(", ")", "[a", "*a", "a{3,2}", "(a{1000}){1000}", "\\", "a++", "[z-a]",
    ])
  func badRegex(pattern: String) {
    #expect(throws: RewardParameterError.self) {
      try builtIn("regex", ["pattern": .string(pattern)])
    }
  }

  @Test("format and tags")
  func format() throws {
    let good = "<think>\nwhy\n</think>\n<answer>4</answer>\n"
    #expect(try value("format", [:], good) == 1)
    #expect(try value("format", ["prefix": "<think>"], "why</think><answer>4</answer>") == 1)
    #expect(try value("format", ["tags": ["think"], "rest": true], "<think>a</think>4") == 1)
    for bad in [
      "", "<think>a</think>", "<answer>4</answer><think>a</think>", "so " + good, good + "more",
      "<think></think><answer>4</answer>", good + good, "<think><answer>4</answer></think>",
    ] {
      #expect(try value("format", [:], bad) == 0, "\(bad)")
    }
    #expect(try value("tag_count", [:], good) == 1)
    #expect(try value("tag_count", [:], "<think>a</think>") == 0.5)
    #expect(try value("tag_count", [:], good + good) == 0)
  }

  @Test("words")
  func words() throws {
    #expect(try value("contains", ["texts": ["a", "b"]], "cab") == 1)
    #expect(try value("contains", ["texts": ["a", "b"]], "ca") == 0.5)
    #expect(try value("contains", ["texts": ["a", "b"], "any": true], "ca") == 1)
    #expect(try value("contains", ["texts": "a", "without": "c"], "ca") == 0)
    #expect(try value("word_list", ["words": ["happy", "fun"]], "Fun, fun! unhappy happy") == 0.6)
    #expect(
      try value("word_list", ["words": ["fun"], "full": 2, "distinct": true], "fun fun") == 0.5)
  }

  @Test("lengths, at the ends and in the middle of their formulas")
  func lengths() throws {
    let target: JSONObject = ["target": 10, "tolerance": 4]
    #expect(try value("length", target, "", tokens: 10) == 1)
    #expect(try value("length", target, "", tokens: 12) == 0.5)
    #expect(try value("length", target, "", tokens: 100) == 0)
    let counting: [(String, JSONObject)] = [
      ("length", target), ("soft_overlong", ["max_completion_length": 100, "cache": 20]),
      ("cosine_length", [:]), ("repetition", ["unit": "tokens"]),
    ]
    for (name, parameters) in counting {
      let scoring = try builtIn(name, parameters).scoring(
        of: Completion(text: "#### 4", tokens: [], finish: .stop),
        for: Problem(index: 0, prompt: .text("?"), columns: ["answer": 4]))
      guard case .failed(let error) = scoring else {
        Issue.record("\(name) counts the tokens of a text that no tokenizer read: \(scoring)")
        continue
      }
      #expect(error.contains("--tokenizer MODEL"))
    }
    let overlong: JSONObject = ["max_completion_length": 100, "cache": 20]
    #expect(try value("soft_overlong", overlong, "", tokens: 80) == 0)
    #expect(try value("soft_overlong", overlong, "", tokens: 90) == -0.5)
    #expect(try value("soft_overlong", overlong, "", tokens: 100) == -1)
    #expect(try value("soft_overlong", overlong, "", tokens: 101) == -1)
    let answer: JSONObject = ["answer": 4]
    // So far from the end that the cosine is 1.
    let far: JSONObject = ["max_length": 1_000_000_000]
    #expect(try value("cosine_length", far, "#### 4", columns: answer, tokens: 1) == 1)
    #expect(
      try value("cosine_length", ["max_length": 100], "#### 4", columns: answer, tokens: 50) == 0.75
    )
    #expect(
      try value("cosine_length", ["max_length": 100], "#### 4", columns: answer, tokens: 500) == 0.5
    )
    #expect(try value("cosine_length", far, "#### 5", columns: answer, tokens: 1) == -1)
    #expect(
      try value(
        "cosine_length", ["max_length": 100, "exceeds": -10], "#### 4", columns: answer, tokens: 100
      )
        == -10)
    #expect(throws: RewardParameterError.self) {
      try builtIn("soft_overlong", ["max_completion_length": 10, "cache": 20])
    }
  }

  @Test("repetition")
  func repetition() throws {
    #expect(try value("repetition", ["n": 2], "a b c d") == 0)
    #expect(try value("repetition", ["n": 1, "penalty": 2], "a a a a") == -1.5)
    #expect(try value("repetition", ["n": 3], "a b") == 0)
    #expect(try value("repetition", [:], "") == 0)
  }

  @Test("JSON of a shape")
  func shapes() throws {
    let settings: JSONObject = [
      "shape": [
        "name": "string", "age?": "integer|null", "tags": ["string"], "k": ["enum": ["a", 1]],
      ]
    ]
    #expect(try value("json_shape", settings, #"{"name":"x","tags":[],"k":1}"#) == 1)
    #expect(
      try value(
        "json_shape", settings, "so\n```json\n{\"name\":\"x\",\"tags\":[\"y\"],\"k\":\"a\"}\n```")
        == 1)
    for bad in [
      "", "{}", #"{"name":1,"tags":[],"k":1}"#, #"{"name":"x","tags":[1],"k":1}"#,
      #"{"name":"x","age":1.5,"tags":[],"k":1}"#, #"{"name":"x","tags":[],"k":2}"#,
      #"{"name":"x","tags":[],"k":1} {}"#,
    ] {
      #expect(try value("json_shape", settings, bad) == 0, "\(bad)")
    }
    #expect(
      try value("json_shape", ["shape": ["a": "any", "b": "any"], "partial": true], #"{"a":1}"#)
        == 2.0 / 3)
    #expect(throws: RewardParameterError.self) { try builtIn("json_shape", ["shape": "text"]) }
  }

  @Test("countdown")
  func countdown() throws {
    let row: JSONObject = ["numbers": [30, 100, 93], "target": "23"]
    #expect(try value("countdown", [:], "<answer>30 + 93 - 100 = 23</answer>", columns: row) == 1)
    #expect(try value("countdown", ["tag": false], "so\n(93-100)+30", columns: row) == 1)
    #expect(
      try value("countdown", ["form_score": 0.1], "<answer>30+93+100</answer>", columns: row) == 0.1
    )
    for bad in [
      "", "23", "<answer>23</answer>", "<answer>30+93</answer>", "<answer>30+93-100+0</answer>",
      "<answer>__import__('os')</answer>", "<answer>30/(93-93)</answer>",
      "<answer>30+93-100</answer><answer>30+93-100</answer>",
      "<answer>\(String(repeating: "(", count: 500))30+93-100</answer>",
    ] {
      #expect(try value("countdown", ["form_score": 0.1], bad, columns: row) == 0, "\(bad)")
    }
    let divided: JSONObject = ["numbers": [8, 3, 3, 8], "target": 24]
    #expect(try value("countdown", [:], "<answer>8/(3-8/3)</answer>", columns: divided) == 1)
    let reward = try builtIn("countdown")
    let problem = Problem(index: 0, prompt: .text(""), columns: divided)
    let gold = try #require(reward.goldCompletion(for: problem))
    #expect(try value("countdown", [:], gold, columns: divided) == 1)
  }

  @Test("every fault of the settings is told, with the nearest name")
  func settings() {
    #expect(
      throws: RewardParameterError([
        "unknown parameter \"tolerence\" (did you mean \"tolerance\"?)",
        "parameter \"mode\" is \"loose\", expected one of \"strict\", \"lenient\"",
      ])
    ) {
      try builtIn("numeric", ["mode": "loose", "tolerence": 1])
    }
  }

  @Test(
    "no built-in takes long over a hostile text",
    arguments: RewardCatalogue.shipped.builtIns.map { $0.about.name })
  func hostileTexts(name: String) throws {
    let settings: [String: JSONObject] = [
      "regex": ["pattern": "(a|aa)*(a*)*b", "full": 5], "contains": ["texts": ["b"]],
      "word_list": ["words": ["b"]], "json_shape": ["shape": ["x": "any"]],
      "length": ["target": 1, "tolerance": 1],
      "soft_overlong": ["max_completion_length": 9, "cache": 3],
    ]
    let columns: JSONObject = ["answer": 18, "numbers": [1, 2], "target": 3]
    for unit in [
      "a", "\\boxed{", "<answer>", "<think>", "#### 1", "(", "[", "1,", "-", "1/", "\\frac{",
      "{\"x\":",
      "\u{0}", "e\u{301}\u{301}", "answer is ", "A: 1\n", "```",
    ] {
      let text = String(repeating: unit, count: 20_000 / unit.utf8.count)
      _ = try value(name, settings[name] ?? [:], text, columns: columns, tokens: 100)
    }
  }
}
