/// `grpo audit …`: what can be measured of fairness, privacy and memorisation.
struct AuditCommand: CommandGroup {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "audit", summary: "is it fair, is it private: measured, with an exit code",
      discussion: """
        An audit that passes exits with 0. One that fails, or has too few rows to tell, exits \
        with 1.
        """,
      examples: [
        .init(
          "grpo audit bias scores.csv --group gender --label correct",
          "does a reward treat groups alike where the label is alike?")
      ],
      subcommands: [
        AuditBiasCommand.self, AuditPrivacyCommand.self, AuditMemorizationCommand.self,
        AuditEpsilonCommand.self,
      ])
  }

  init() {}
}
