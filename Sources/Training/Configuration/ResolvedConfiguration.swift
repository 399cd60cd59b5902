import Rollouts

/// The settings of a run with where each came from.
public struct ResolvedConfiguration: Sendable {
  /// The values.
  public internal(set) var values: RunConfiguration
  /// Where they came from, by name; a name that is missing has its default.
  public internal(set) var origins: [String: SettingOrigin]
  /// What is legal but odd, a sentence each.
  public internal(set) var warnings: [String] = []

  /// Where a setting's value came from.
  public func origin(of name: String) -> SettingOrigin { origins[name] ?? .defaultValue }

  /// Whether a person wrote the setting for this run.
  public func isExplicit(_ name: String) -> Bool { origin(of: name).isExplicit }
}

/// What lies below options and files: values that a preset or the embedded job puts in.
public struct SettingLayer: Sendable {
  /// Values by the settings' names, in their JSON form.
  public var values: JSONObject
  /// What is recorded as their origin.
  public var origin: SettingOrigin

  /// Makes a layer.
  public init(_ values: JSONObject, origin: SettingOrigin) {
    self.values = values
    self.origin = origin
  }
}

extension ResolvedConfiguration {
  /// Brings options, config files, preset, recorded run, embedded job and defaults together, and checks them.
  ///
  /// Precedence: option, later file, earlier file, preset, recorded run, embedded job, default.
  /// - Parameters:
  ///   - options: The words of each option that was given, by the setting's name.
  ///   - files: Paths of config files, later ones winning.
  ///   - preset: The values of a preset by name; nil where there is no such preset.
  ///   - recordedRun: The settings of a run whose log is trained from, or scored, again.
  ///   - embeddedJob: The values that hold where no model is named.
  ///   - isOfRun: Whether the first file is a run's own `config.json`, which has every setting that there was.
  /// - Throws: `ConfigurationError` with every fault of all of them.
  public static func resolve(
    options: [String: [String]], files: [String] = [],
    preset: (String) -> JSONObject? = { _ in nil }, recordedRun: JSONObject = [:],
    embeddedJob: JSONObject = [:], isOfRun: Bool = false
  ) throws(ConfigurationError) -> ResolvedConfiguration {
    var resolver = ConfigurationResolver()
    var opened: [ConfigurationFile] = []
    for path in files {
      do throws(ConfigurationError) { opened.append(try ConfigurationFile(path: path)) } catch {
        resolver.faults += error.faults
      }
    }
    for file in opened {
      resolver.faults += file.faults
      resolver.apply(file)
    }
    resolver.apply(options: options)
    resolver.applyLayersBelow(
      preset: preset, recordedRun: recordedRun, embeddedJob: embeddedJob)
    let recorded = isOfRun ? opened.first.map { $0.settings.map(\.name) } : Array(recordedRun.keys)
    resolver.applyOlderMeanings(recorded: recorded ?? [])
    return try resolver.finish()
  }
}

/// Collects values from the highest layer that has them, and every fault on the way.
private struct ConfigurationResolver {
  private var resolved = ResolvedConfiguration(values: RunConfiguration(), origins: [:])
  private var faultyNames: Set<String> = []
  var faults: [String] = []

  mutating func apply(_ file: ConfigurationFile) {
    for (name, value, line) in file.settings {
      set(
        name, value, .file(path: file.path, line: line),
        faultPrefix: "\(file.path), line \(line): \(name)")
    }
  }

  mutating func apply(options: [String: [String]]) {
    // In the order of the table: a dictionary has none, and faults should come in the same order.
    for setting in SettingDeclaration.all {
      guard let words = options[setting.name] else { continue }
      let prefix = "--\(setting.optionName)"
      do throws(SettingFault) {
        set(setting.name, try setting.json(ofWords: words), .option, faultPrefix: prefix)
      } catch {
        faults.append("\(prefix) \(error.reason)")
        faultyNames.insert(setting.name)
      }
    }
  }

  mutating func applyLayersBelow(
    preset: (String) -> JSONObject?, recordedRun: JSONObject, embeddedJob: JSONObject
  ) {
    if let name = resolved.values.like {
      if let values = preset(name) {
        fill(SettingLayer(values, origin: .preset(name)))
      } else {
        faults.append(
          "there is no preset '\(name)'; see 'grpo objective --help' for those there are")
      }
    }
    fill(SettingLayer(recordedRun, origin: .recordedRun))
    if resolved.values.model == nil, !faultyNames.contains("model") {
      fill(SettingLayer(embeddedJob, origin: .embeddedJob))
    }
  }

  /// Gives what a run's record doesn't have, since its program had no such setting, the meaning that held then:
  /// a resumed run, a replay and a retraining come to what that program came to.
  mutating func applyOlderMeanings(recorded: [String]) {
    guard !recorded.isEmpty else { return }
    let meanings: [(String, JSONValue)] = [
      ("weight_decay_exempt", .string(WeightDecayExemption.none.rawValue)),
      ("continue_final_message", .bool(false)),
    ]
    let older = meanings.filter { !recorded.contains($0.0) }
    fill(SettingLayer(JSONObject(older), origin: .recordedRun))
  }

  /// Sets what no higher layer has set.
  private mutating func fill(_ layer: SettingLayer) {
    for (name, value) in layer.values where resolved.origins[name] == nil {
      set(name, value, layer.origin, faultPrefix: "\(layer.origin.description): \(name)")
    }
  }

  private mutating func set(
    _ name: String, _ value: JSONValue, _ origin: SettingOrigin, faultPrefix: String
  ) {
    guard let setting = SettingDeclaration.named(name) else {
      faults.append("\(faultPrefix) is not a setting")
      return
    }
    if let fault = setting.write(&resolved.values, value) {
      faults.append("\(faultPrefix) \(fault.reason)")
      faultyNames.insert(name)
    } else {
      resolved.origins[name] = origin
    }
  }

  mutating func finish() throws(ConfigurationError) -> ResolvedConfiguration {
    // What the embedded job evaluates by, where nothing is evaluated, would be refused when it is read back.
    if !resolved.values.hasEvaluation, !resolved.isExplicit("eval_steps") {
      resolved.values.evalSteps = nil
    }
    let (contradictions, warnings) = resolved.contradictions(except: faultyNames)
    faults += contradictions
    guard faults.isEmpty else { throw ConfigurationError(faults: faults) }
    resolved.warnings = warnings
    return resolved
  }
}

extension ResolvedConfiguration {
  /// Every setting by name, in the table's order: what the run folder keeps and `--dry-run` prints.
  ///
  /// The text reads back, as a config file, to the same values.
  public var json: JSONValue {
    .object(JSONObject(SettingDeclaration.all.map { ($0.name, $0.value(in: values)) }))
  }

  /// The settings that differ from their defaults, with their origins, for people.
  public var changes: [(name: String, value: JSONValue, origin: SettingOrigin)] {
    let defaults = RunConfiguration()
    return SettingDeclaration.all.compactMap { setting in
      let value = setting.value(in: values)
      guard value != setting.value(in: defaults) else { return nil }
      return (setting.name, value, origin(of: setting.name))
    }
  }
}
