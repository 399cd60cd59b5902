import Processes

/// A command that several processes do together under `mpirun` or `srun`, and one does alone.
///
/// Rank 0 alone speaks. The ranks leave together where the command came to an end that all of them know of; a rank that
/// fails by itself says so, and its end is the end of all.
enum RankedCommand {
  /// Joins the ranks, does the work and leaves them.
  /// - Parameters:
  ///   - always: Whether a single rank speaks to MPI too.
  ///   - body: The work; its context is silent on all ranks but the first.
  static func run(
    _ context: CommandContext, always: Bool = false,
    _ body: (Ranks, CommandContext) throws -> ExitCode
  ) throws -> ExitCode {
    let ranks: Ranks
    do throws(RankError) { ranks = try Ranks.join(context.environment, always: always) } catch {
      // The ranks don't know one another, so the launcher's numbers say who speaks.
      if let launcher = Launcher(context.environment), launcher.rank > 0 { return .usage }
      throw UsageError(error.description)
    }
    var context = context
    if !ranks.isFirst { context.silence() }
    let code: ExitCode
    do {
      code = try body(ranks, context)
    } catch let error as Interrupted {
      // All stop after the same step.
      try ranks.leave()
      throw error
    } catch let error as UsageError {
      try ranks.leave()
      throw error
    } catch let error as RankError where error.kind == .disagreement {
      try ranks.leave()
      throw UsageError(error.description)
    } catch is SilentFailure {
      try ranks.leave()
      return .usage
    } catch  where ranks.size > 1 {
      throw RunFailure("rank \(ranks.rank): \(sentence(of: error))")
    }
    context.standardOutput.flush()
    try ranks.leave()
    return code
  }
}

extension CommandContext {
  /// Says nothing from here on: another rank does.
  mutating func silence() {
    standardOutput = OutputChannel(fileDescriptor: nil)
    standardError = OutputChannel(fileDescriptor: nil)
  }
}
