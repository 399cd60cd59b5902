import Foundation

/// The files of a new reward plugin.
struct RewardScaffold {
  /// A file of the plugin.
  struct File {
    var path: String
    var text: String
    var isExecutable = false
  }

  var files: [File]
  /// The file that a config uses; nil where it is the folder.
  var entry: String?

  /// How a config names the plugin.
  func use(in folder: URL) -> String {
    let path = (entry.map { folder.appendingPathComponent($0) } ?? folder).relativePath
    return path.contains("/") ? path : "./" + path
  }

  /// Writes the files into a new folder.
  func write(to folder: URL) throws {
    let manager = FileManager.default
    for file in files {
      let url = folder.appendingPathComponent(file.path)
      try manager.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(file.text.utf8).write(to: url)
      if file.isExecutable {
        try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: url.path)
      }
    }
  }

  private static let rows = File(
    path: "rows.jsonl",
    text: """
      {"prompt": "What is 2 + 2?", "completion": "4", "answer": "4"}
      {"prompt": "What is 2 + 2?", "completion": "It might be 5.", "answer": "4"}

      """)

  /// A Python script over the line protocol.
  static func python(name: String) -> RewardScaffold {
    let file = name.replacing("-", with: "_") + ".py"
    let text = """
      #!/usr/bin/env python3
      \"""\(name): 1 where the completion is the row's answer, else 0. Change score() to your own.\"""

      import json
      import sys


      def score(prompt, completion, columns):
          return float(completion.strip() == str(columns.get("answer", "")).strip())


      def main():
          sys.stdin.readline()  # grpo's hello: columns, parameters, batch
          print(json.dumps({"grpo": 1, "name": "\(name)", "range": [0, 1]}), flush=True)
          for line in sys.stdin:
              request = json.loads(line)
              completion = request["completion"]
              if isinstance(completion, list):  # chat: a list of messages
                  completion = completion[-1]["content"]
              value = score(request["prompt"], completion, request["columns"])
              print(json.dumps({"id": request["id"], "score": value}), flush=True)


      main()

      """
    return RewardScaffold(
      files: [File(path: file, text: text, isExecutable: true), rows], entry: file)
  }

  /// A Python function, as verifiers takes it.
  static func pythonFunction(name: String) -> RewardScaffold {
    let file = name.replacing("-", with: "_") + ".py"
    let text = """
      \"""\(name): 1 where the completion is the row's answer, else 0. Change score() to your own.\"""


      def score(completion, answer, **kwargs):
          \"""A number, or None where the completion cannot be judged. `answer` is the row's column of that name.

          With `completions` instead of `completion` it is called once per step with lists, as TRL calls it.
          \"""
          text = completion if isinstance(completion, str) else completion[-1]["content"]  # chat: messages
          return float(text.strip() == str(answer).strip())

      """
    return RewardScaffold(files: [File(path: file, text: text), rows], entry: file)
  }

  /// A POSIX shell script over the line protocol.
  static func shell(name: String) -> RewardScaffold {
    let file = name + ".sh"
    let text = #"""
      #!/bin/sh
      # NAME: 1 where the completion has a digit, else 0. Change the case to your own.
      # grpo writes "id" first, so that sed finds it without a JSON parser.
      read -r hello
      echo '{"grpo": 1, "name": "NAME", "range": [0, 1], "reads": []}'
      while read -r line; do
        id=$(printf %s "$line" | sed 's/^{"id":\([0-9]*\).*/\1/')
        completion=$(printf %s "$line" | sed 's/.*"completion":\(.*\),"completion_ids".*/\1/')
        case $completion in
          *[0-9]*) score=1 ;;
          *) score=0 ;;
        esac
        echo "{\"id\": $id, \"score\": $score}"
      done

      """#.replacing("NAME", with: name)
    return RewardScaffold(
      files: [File(path: file, text: text, isExecutable: true), rows], entry: file)
  }

  /// A Swift package on RewardKit.
  static func swift(name: String, package: URL) -> RewardScaffold {
    let type = typeName(of: name)
    let source = """
      // \(name): 1 where the completion is the row's answer, else 0. Change score to your own.
      import RewardKit

      @main struct \(type): RewardPlugin {
        static let name = "\(name)"
        static let range: ClosedRange<Double>? = 0...1

        init(parameters: RewardParameters) {}

        func score(_ completion: Completion, for problem: Problem) throws -> Score {
          guard let answer = problem.columns["answer"]?.plainText else {
            throw Unscorable("the row has no answer")
          }
          return Score(completion.text == answer ? 1 : 0)
        }
      }

      """
    return RewardScaffold(
      files: [
        File(path: "Package.swift", text: manifest(name: name, package: package)),
        File(path: "Sources/\(type).swift", text: source), rows,
        File(path: ".gitignore", text: ".build/\n"),
      ], entry: nil)
  }

  /// The Swift type of a plugin's name.
  static func typeName(of name: String) -> String {
    name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// The manifest of a package on RewardKit.
  static func manifest(name: String, package: URL) -> String {
    // A package by path is known by its folder's name.
    let identity = package.lastPathComponent.lowercased()
    let path = package.path.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return """
      // swift-tools-version: 6.2
      import PackageDescription

      let package = Package(
        name: "\(name)",
        dependencies: [.package(path: "\(path)")],
        targets: [
          .executableTarget(
            name: "\(name)",
            dependencies: [.product(name: "RewardKit", package: "\(identity)")],
            path: "Sources")
        ])

      """
  }
}
