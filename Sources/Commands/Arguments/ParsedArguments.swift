/// The words of a command line, checked against the command's specification.
///
/// Every value has passed its option's kind and range, so reading one cannot fail. Asking for an
/// option that the command doesn't declare is a mistake in the program and stops it.
struct ParsedArguments: Sendable {
  /// How the command was called: "grpo reward test".
  var commandPath: String
  /// The words given without a name, in order.
  var positionals: [String] = []
  /// What is wrong with the words, where the command reports it together with faults of its own.
  var faults: [String] = []
  /// The values of the options that were given, by kebab-case name, in order.
  private(set) var given: [String: [String]] = [:]
  private let options: [String: OptionSpecification]

  init(commandPath: String, options: [OptionSpecification]) {
    self.commandPath = commandPath
    self.options = Dictionary(options.map { ($0.name, $0) }) { first, _ in first }
  }

  /// Adds a value; an option that doesn't repeat keeps the last.
  mutating func add(_ value: String, to option: OptionSpecification) {
    if option.repeats {
      given[option.name, default: []].append(value)
    } else {
      given[option.name] = [value]
    }
  }

  /// Whether the option stands on the command line.
  func isGiven(_ name: String) -> Bool {
    _ = declared(name)
    return given[name] != nil
  }

  /// Whether a flag is given, or a boolean is true.
  func flag(_ name: String) -> Bool {
    string(name).flatMap(ArgumentKind.boolean) ?? false
  }

  /// The option's text, or its default.
  func string(_ name: String) -> String? {
    let option = declared(name)
    return given[name]?.last ?? option?.defaultValue
  }

  /// All values of an option that repeats; its default where it isn't given.
  func strings(_ name: String) -> [String] {
    let option = declared(name)
    return given[name] ?? option?.defaultValue.map { [$0] } ?? []
  }

  /// The option's whole number, or its default.
  func integer(_ name: String) -> Int? { string(name).flatMap(ArgumentKind.integer) }

  /// The option's number, or its default.
  func double(_ name: String) -> Double? { string(name).flatMap(Double.init) }

  /// The positional at an index, nil where it was left out.
  func positional(_ index: Int) -> String? {
    positionals.indices.contains(index) ? positionals[index] : nil
  }

  private func declared(_ name: String) -> OptionSpecification? {
    precondition(options[name] != nil, "'\(commandPath)' declares no option '\(name)'")
    return options[name]
  }
}
