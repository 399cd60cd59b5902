import PolicyOptimization
import Rollouts
import Testing

@testable import Training

@Suite("Declarations of settings")
struct SettingDeclarationTests {
  @Test("Each field of the configuration has one declaration, under its name in snake case")
  func fieldsAndDeclarations() {
    let fields = Mirror(reflecting: RunConfiguration()).children.compactMap(\.label)
      .filter { $0 != "objective" }
    let names = SettingDeclaration.all.map(\.name)
    #expect(Set(fields.map(Self.snakeCase) + ObjectiveKey.all.map(\.name)) == Set(names))
    #expect(Set(names).count == names.count)
  }

  @Test("Each declaration reads and writes a field of its own", arguments: SettingDeclaration.all)
  func ownField(_ setting: SettingDeclaration) throws {
    let changed = try #require(Self.otherValue(for: setting))
    var configuration = RunConfiguration()
    #expect(setting.write(&configuration, changed) == nil)
    #expect(setting.value(in: configuration) == changed)
    let touched = SettingDeclaration.all.filter {
      $0.value(in: configuration) != $0.value(in: RunConfiguration())
    }
    #expect(touched.map(\.name) == [setting.name])
  }

  @Test("Each default is legal and survives writing", arguments: SettingDeclaration.all)
  func defaults(_ setting: SettingDeclaration) {
    var configuration = RunConfiguration()
    let value = setting.value(in: configuration)
    #expect(setting.write(&configuration, value) == nil)
    #expect(configuration == RunConfiguration())
  }

  @Test("A name without a default says what its absence means", arguments: SettingDeclaration.all)
  func absence(_ setting: SettingDeclaration) {
    if setting.defaultText == nil { #expect(setting.absent != nil) }
    #expect(!setting.help.hasSuffix("."))
    #expect(setting.help.count <= 110)
  }

  @Test("No peer's name is our own, and none stands for two settings")
  func peerNames() {
    var seen: [String: String] = [:]
    for setting in SettingDeclaration.all {
      for peer in setting.peers {
        #expect(SettingDeclaration.named(peer.name) == nil || peer.peer != "TRL", "\(peer.name)")
        let key = peer.peer + " " + peer.name
        #expect(seen[key] == nil, "\(key)")
        seen[key] = setting.name
      }
    }
  }

  private static func snakeCase(_ name: String) -> String {
    var text = ""
    for (index, character) in name.enumerated() {
      if character.isUppercase, index > 0 { text += "_" }
      text += character.lowercased()
    }
    return text
  }

  /// A legal value that isn't the default.
  private static func otherValue(for setting: SettingDeclaration) -> JSONValue? {
    let current = setting.value(in: RunConfiguration())
    let candidates: [JSONValue]
    switch setting.kind {
    case .boolean: candidates = [true, false]
    case .integer(let range): candidates = [.integer(Int64(range.lowerBound)), 3]
    case .number: candidates = [0.5, 0.25, 1.5]
    case .choice(let names): candidates = names.map(JSONValue.string)
    case .text, .path: candidates = ["x"]
    case .bytes: candidates = [4096]
    case .list: candidates = [["a=b"]]
    case .object: candidates = [["a": 1]]
    case .values where setting.name == "parameter_groups":
      candidates = [[["match": "*", "learning_rate": 0.5]]]
    case .values: candidates = [["x"]]
    }
    return candidates.first { candidate in
      var probe = RunConfiguration()
      return candidate != current && setting.write(&probe, candidate) == nil
    }
  }
}

extension SettingDeclaration: CustomTestStringConvertible {
  /// The setting in the output of tests.
  public var testDescription: String { name }
}
