import Foundation
import Rollouts
import Training

/// Runs the program with the words after its name and returns its exit code.
public func runCommandLine(_ words: [String]) -> Int32 {
  FatalSignals.install(words)
  return runCommandLine(words, context: .process()).rawValue
}

/// Runs one command line in a context: finds the command, parses, calls, reports.
func runCommandLine(_ words: [String], context: CommandContext) -> ExitCode {
  defer { context.standardError.flush() }
  var code: ExitCode
  do {
    code = try dispatch(words, context)
  } catch let error as UsageError {
    report(error, words, context)
    code = .usage
  } catch let error as Interrupted {
    if !error.description.isEmpty { context.note(error.description) }
    code = .interrupted
  } catch {
    context.note(context.errorStyle.red("error: ") + sentence(of: error))
    code = .failed
  }
  context.standardOutput.flush()
  if let reason = context.standardOutput.failure {
    context.note(context.errorStyle.red("error: ") + "the results could not be written: \(reason)")
    if code == .done { code = .failed }
  }
  return code
}

private func dispatch(_ words: [String], _ context: CommandContext) throws -> ExitCode {
  guard let first = words.first, first != "help", first != "--help", first != "-h" else {
    let call = try CommandList.resolve(words.dropFirst().filter { !$0.hasPrefix("-") })
    context.print(HelpText(call, context).text)
    return .done
  }
  if first == "--version" || first == "version" {
    context.print("grpo \(ProgramVersion.current)")
    return .done
  }
  let call = try CommandList.resolve(words)
  if asksForHelp(call.words) {
    context.print(HelpText(call, context).text)
    return .done
  }
  let specification = call.command.specification
  let arguments = try ArgumentParser.parse(
    call.words, for: specification, commandPath: call.path)
  return try call.command.init().run(arguments, context)
}

/// Whether `--help` or `-h` stands among the words before a `--`.
private func asksForHelp(_ words: ArraySlice<String>) -> Bool {
  words.prefix { $0 != "--" }.contains { $0 == "--help" || $0 == "-h" }
}

private func report(_ error: UsageError, _ words: [String], _ context: CommandContext) {
  let style = context.errorStyle
  for fault in error.faults { context.note(style.red("error: ") + fault) }
  if error.faults.count > 1 { context.note("\(error.faults.count) faults; nothing was begun") }
}
