import Foundation
import TestSupport
import Testing

/// What ends a program from outside ends it with a sentence, and no file argument makes it wait for ever.
@Suite("Faults, limits and odd files")
struct ProcessLimitTests {
  private func shell(_ script: String, in folder: TemporaryFolder) throws -> ChildProcess.Result {
    try ChildProcess(
      ["/bin/sh", "-c", script], in: folder.url, environment: ["GRPO": BuiltCommand.url.path]
    ).wait()
  }

  @Test(
    "a fault of the program's own is told in a sentence, and the signal stays",
    arguments: ["ILL", "SEGV", "ABRT"])
  func fault(signal: String) throws {
    let folder = try TemporaryFolder()
    // The command waits for its standard input while the signal comes.
    let ended = try shell(
      #"mkfifo in; (exec 3>in; sleep 20) & "$GRPO" objective - <in & p=$!; sleep 1; kill -\#(signal) $p; wait $p; "#
        + "echo code $?; kill $(jobs -p) 2>/dev/null; true", in: folder)
    #expect(
      ended.errors.contains("error: grpo stopped because of a mistake in the program itself."))
    #expect(ended.errors.contains("\n  grpo objective -   (grpo "))
    let number = ["ILL": 4, "SEGV": 11, "ABRT": 6][signal] ?? 0
    #expect(ended.output == "code \(128 + number)\n")
  }

  @Test("little memory (ulimit -v) never makes it hang at its end")
  func littleMemory() throws {
    let folder = try TemporaryFolder()
    let ended = try shell(
      #"ulimit -v 250000; timeout 60 "$GRPO" --version; echo code $?"#, in: folder)
    #expect(!ended.output.contains("code 124"))
  }

  @Test("a limit on the size of files (ulimit -f) is told in a sentence")
  func fileSize() throws {
    let folder = try TemporaryFolder()
    let ended = try shell(#"ulimit -f 10; "$GRPO" init model; echo code $?"#, in: folder)
    #expect(ended.errors.contains("larger than the limit that is set (ulimit -f)"))
    #expect(ended.output == "code 2\n")
  }

  @Test("a folder, a device without end and a pipe without a reader are refused as files")
  func oddFiles() throws {
    let folder = try TemporaryFolder()
    let reward = #"'{use: "length", parameters: {target: 3, tolerance: 3}}'"#
    let script = """
      "$GRPO" init model --hidden-size 8 --intermediate-size 12 --layers 1 --heads 2 --kv-heads 1 --context 32 >made
      printf '%s\\n' '{"prompt":"1+1=","completion":"2","reward":1}' >rows.jsonl
      for odd in /dev/zero /dev/urandom . ; do
        timeout 60 "$GRPO" train --model model --dataset $odd --reward \(reward) --dry-run >/dev/null; echo $?
        timeout 60 "$GRPO" train --config $odd --dry-run >/dev/null; echo $?
        timeout 60 "$GRPO" train --model model --rollouts $odd --run ./z >/dev/null; echo $?
        timeout 60 "$GRPO" train --model $odd --dataset rows.jsonl --reward \(reward) --dry-run >/dev/null; echo $?
        timeout 60 "$GRPO" train --model model --chat-template $odd --dataset rows.jsonl --reward \(reward) --dry-run \
      >/dev/null; echo $?
        timeout 60 "$GRPO" sft --model model --dataset $odd >/dev/null; echo $?
        timeout 60 "$GRPO" sample --model model --input $odd >/dev/null; echo $?
        timeout 60 "$GRPO" score --model model --input $odd >/dev/null; echo $?
        timeout 60 "$GRPO" objective $odd >/dev/null; echo $?
        timeout 60 "$GRPO" data inspect $odd >/dev/null; echo $?
        timeout 60 "$GRPO" reward test length --input $odd >/dev/null; echo $?
        timeout 60 "$GRPO" reward test $odd --input rows.jsonl >/dev/null; echo $?
        timeout 60 "$GRPO" replay $odd >/dev/null; echo $?
      done
      """
    let ended = try shell(script, in: folder)
    let codes = ended.output.split(separator: "\n")
    #expect(codes.count == 39)
    #expect(codes.allSatisfy { $0 == "2" || $0 == "1" }, "\(codes), \(ended.errors)")
  }

  @Test("a named pipe that nobody writes to, or reads from, is told after ten seconds")
  func pipes() throws {
    let folder = try TemporaryFolder()
    let ended = try shell(
      #"mkfifo a b; timeout 60 "$GRPO" objective a & timeout 60 "$GRPO" eval --model x --dataset b & wait; "#
        + "mkfifo c.json; timeout 60 \"$GRPO\" init new --like c.json; echo $?", in: folder)
    #expect(ended.errors.contains("a: is a named pipe that nobody writes to"))
    #expect(ended.errors.contains("c.json: is a named pipe that nobody writes to"))
    #expect(ended.output == "2\n")
  }
}
