/// `grpo data`: data sets made and looked at.
struct DataCommand: CommandGroup {
  static var specification: CommandSpecification {
    CommandSpecification(
      name: "data", summary: "make procedural data sets; inspect, profile, select from any",
      examples: [
        .init("grpo data make arithmetic", "sums and differences, to learn and to measure"),
        .init("grpo data inspect train.jsonl", "rows, columns, lengths, duplicates"),
      ],
      subcommands: [
        DataMakeCommand.self, DataInspectCommand.self, DataProfileCommand.self,
        DataSelectCommand.self, DataCanaryCommand.self,
      ])
  }
}
