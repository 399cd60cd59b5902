import Training

/// What the words of an option or a positional may be: checked while parsing, shown in help.
enum ArgumentKind: Sendable, Equatable {
  /// Present or not; takes no value.
  case flag
  /// True or false: `--x`, `--x=false`, `--no-x`.
  case boolean
  case text
  /// A path to a file or a folder, for completion.
  case path
  case integer(ClosedRange<Int>)
  /// A finite number.
  case number(ClosedRange<Double>)
  case choice([String])

  /// Any integer.
  static var integer: ArgumentKind { .integer(.min ... .max) }
  /// An integer of 0 or more.
  static var count: ArgumentKind { .integer(0 ... .max) }
  /// Any finite number.
  static var number: ArgumentKind {
    .number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)
  }
}

/// An option: its one declaration, from which parsing, help and completions follow.
struct OptionSpecification: Sendable {
  /// The name in kebab-case, without dashes.
  var name: String
  /// One letter, as in `-o`.
  var short: Character?
  /// What its value may be.
  var kind: ArgumentKind
  /// How help calls the value: "N", "FILE"; nil takes a word that suits the kind.
  var valueName: String?
  /// The value where the option isn't given; nil: none.
  var defaultValue: String?
  /// What help says of the default where it is no fixed value: "the terminal's width".
  var defaultDescription: String?
  /// The unit of the value: "tokens", "seconds".
  var unit: String?
  /// A sentence without full stop.
  var help: String
  /// Whether it may be given several times, each adding a value.
  var repeats: Bool
  /// The heading of help under which it stands; nil: the first.
  var section: String?
  /// What other toolkits call it.
  var peerNames: [PeerName]
  /// Whether `none` is a value beside those of its kind.
  var acceptsNone = false
  /// Words that shells offer, where others are legal too.
  var suggestions: [String] = []

  init(
    _ name: String, short: Character? = nil, _ kind: ArgumentKind = .text,
    valueName: String? = nil, default defaultValue: String? = nil,
    defaultDescription: String? = nil, unit: String? = nil, help: String, repeats: Bool = false,
    section: String? = nil, peerNames: [PeerName] = []
  ) {
    self.name = name
    self.short = short
    self.kind = kind
    self.valueName = valueName
    self.defaultValue = defaultValue
    self.defaultDescription = defaultDescription
    self.unit = unit
    self.help = help
    self.repeats = repeats
    self.section = section
    self.peerNames = peerNames
  }

  /// Makes an option that is present or not.
  static func flag(_ name: String, short: Character? = nil, help: String, section: String? = nil)
    -> OptionSpecification
  {
    OptionSpecification(name, short: short, .flag, help: help, section: section)
  }

  /// `--json`, the same in every command that has results for programs.
  static let json = flag("json", help: "print the result as JSON, for programs")
}

/// What is given without a name.
struct PositionalSpecification: Sendable {
  /// The name in help, in capitals: "RUN".
  var name: String
  /// What its words may be.
  var kind: ArgumentKind
  /// A sentence without full stop.
  var help: String
  /// Whether it must be given.
  var isRequired: Bool
  /// Whether it takes all words that are left.
  var repeats: Bool
  /// Words that shells offer, where others are legal too.
  var suggestions: [String]

  init(
    _ name: String, _ kind: ArgumentKind = .text, help: String, isRequired: Bool = true,
    repeats: Bool = false, suggestions: [String] = []
  ) {
    self.suggestions = suggestions
    self.name = name
    self.kind = kind
    self.help = help
    self.isRequired = isRequired
    self.repeats = repeats
  }
}
