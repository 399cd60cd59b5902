import Foundation
import Rollouts
import Testing

@testable import Audits

@Suite("Anonymity of rows")
struct AnonymityTests {
  /// What pycanon says; Tests/Reference/audits/privacy.py wrote it.
  private static let cases: [JSONValue] = {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Goldens/privacy.json")
    let text = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
    return (try? JSONValue.parse(text))?.array ?? []
  }()

  @Test("k-anonymity, l-diversity, t-closeness and α as pycanon computes them", arguments: 0..<4)
  func pycanon(_ number: Int) throws {
    let value = try #require(Self.cases.indices.contains(number) ? Self.cases[number] : nil)
    func column(_ name: String) throws -> [JSONValue] {
      try #require(value["rows"]?[name]?.array)
    }
    let (ages, places) = (try column("age"), try column("place"))
    let audit = AnonymityAudit(
      quasi: zip(ages, places).map { [$0.string ?? "", $1.string ?? ""] })
    let expected = try #require(value["expected"])
    #expect(audit.k == expected["k"]?.integer)
    #expect(abs(audit.averageClassRisk - (expected["average"]?.double ?? .nan)) < 1e-12)
    for name in ["illness", "income"] {
      let values = try column(name).map { value in
        value.double.map(AnonymityAudit.Sensitive.number) ?? .name(value.string ?? "")
      }
      let found = audit.diversity(of: values)
      let peer = try #require(expected[name])
      #expect(found.distinct == peer["distinct"]?.integer)
      // pycanon rounds e^H down; 1e-9 spares what rounding takes from a whole number.
      #expect(Int(found.entropy + 1e-9) == peer["entropy"]?.integer)
      #expect(abs(found.closeness - (peer["closeness"]?.double ?? .nan)) < 1e-12)
      #expect(abs(found.alpha - (peer["alpha"]?.double ?? .nan)) < 1e-12)
    }
  }

  @Test("Recursive (c, l)-diversity by its definition, worked by hand")
  func recursive() {
    // One class with counts 5, 3, 1: 5 < 3 (3 + 1) but not < 3 · 1, so l = 2; with c = 1, 5 < 5 + 3 + 1: l = 1.
    let values = [5, 3, 1].enumerated().flatMap { value, count in
      (0..<count).map { _ in AnonymityAudit.Sensitive.name("\(value)") }
    }
    let audit = AnonymityAudit(quasi: values.map { _ in ["x"] })
    #expect(audit.diversity(of: values, c: 3).recursive == 2)
    #expect(audit.diversity(of: values, c: 1).recursive == 1)
    #expect(audit.diversity(of: values, c: 6).recursive == 3)
    #expect(audit.diversity(of: values, c: 0.5).recursive == 0)
  }

  @Test("Risks as ARX names them")
  func risks() {
    let audit = AnonymityAudit(quasi: ["a", "a", "a", "b", "b", "c"].map { [$0] })
    #expect(audit.k == 1 && audit.prosecutorRisk == 1)
    #expect(audit.marketerRisk == 0.5)
    #expect(abs(audit.averageClassRisk - (1.0 / 3 + 0.5 + 1) / 3) < 1e-15)
    #expect(audit.recordsAtRisk(3) == 0.5 && audit.recordsAtRisk(1) == 0)
    #expect(audit.smallestClasses(2).map(\.values) == [["c"], ["b"]])
    let empty = AnonymityAudit(quasi: [])
    #expect(empty.k == 0 && empty.marketerRisk == 0 && empty.prosecutorRisk == 0)
  }
}

@Suite("Personal data in texts")
struct PersonalDataTests {
  private func found(_ text: String, names: [String] = []) -> [String] {
    PersonalDataScanner(names: names).matches(in: text).map { match in
      "\(match.kind.rawValue):" + String(decoding: Array(text.utf8)[match.bytes], as: UTF8.self)
    }
  }

  @Test(
    "What is personal data",
    arguments: [
      ("write to ann.lee+x@mail.example.org.", "email:ann.lee+x@mail.example.org"),
      ("call +49 30 1234567 now", "phone:+49 30 1234567"),
      ("(415) 555-0132", "phone:(415) 555-0132"), ("415-555-0132", "phone:415-555-0132"),
      ("1-415-555-0132", "phone:1-415-555-0132"), ("07700 900123", "phone:07700 900123"),
      ("card 4111 1111 1111 1111, please", "card:4111 1111 1111 1111"),
      ("5500005555555559", "card:5500005555555559"),
      ("key=sk-abcdefghijklmnopqrstuv", "key:sk-abcdefghijklmnopqrstuv"),
      ("AKIAIOSFODNN7EXAMPLE", "key:AKIAIOSFODNN7EXAMPLE"),
      (
        "ghp_0123456789abcdefghijABCDEFGHIJ012345", "key:ghp_0123456789abcdefghijABCDEFGHIJ012345"
      ),
      ("-----BEGIN RSA PRIVATE KEY-----\nabc", "key:-----BEGIN RSA PRIVATE KEY-----"),
    ])
  func positives(_ text: String, _ expected: String) { #expect(found(text) == [expected]) }

  @Test(
    "What is not",
    arguments: [
      "a @ b", "me@localhost", "@handle", "4111 1111 1111 1112", "1111111111111111", "12+34=046",
      "3.14159265358979", "sk-short", "AKIAshort", "2026-11-26", "100-200-3000", "1234567890123",
      "0000000000000000", "v1.2.3-4.5.6", "1,234,567,890", "012 34", "5 + 6 - 7 = 4",
    ])
  func negatives(_ text: String) { #expect(found(text) == []) }

  @Test("Names of a list, whole words in any case; matches are masked and never shown whole")
  func names() {
    let list = ["Ada Lovelace", "Grace"]
    #expect(
      found("ADA LOVELACE met grace; gracefully", names: list) == [
        "name:ADA LOVELACE", "name:grace",
      ])
    let scanner = PersonalDataScanner(names: list)
    #expect(scanner.masked("Grace: a@b.co") == "[name]: [email]")
    #expect(scanner.masked("nothing") == nil)
    let text = "mail secret.person@b.co"
    let match = scanner.matches(in: text)[0]
    #expect(PersonalDataScanner.hint(match, in: text) == "se… (18 characters)")
  }

  @Test("Hostile texts end soon and keep their bytes")
  func hostile() {
    for text in [
      String(repeating: "@", count: 20_000), String(repeating: "1 ", count: 20_000),
      String(repeating: "sk-", count: 10_000), String(repeating: "-----BEGIN ", count: 5_000),
      "é@ü.de 4111\u{0}1111", String(repeating: "eyJ", count: 9_000),
    ] {
      _ = PersonalDataScanner(names: ["é"]).matches(in: text)
    }
  }
}
