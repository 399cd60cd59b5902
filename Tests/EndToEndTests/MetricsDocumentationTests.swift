import Foundation
import Rollouts
import TestSupport
import Testing

@Suite("The metrics that docs/objective.md lists")
struct MetricsDocumentationTests {
  @Test("are all that a run with a reference, dynamic sampling and several evaluations writes")
  func names() throws {
    let folder = try TemporaryFolder()
    let ended = try ShortJob.train(
      "run", in: folder.url,
      [
        "--beta", "0.1", "--dynamic-sampling", "--num-generations-eval", "4", "--entropy-coef",
        "0.01",
      ])
    try #require(ended.code == 0, "\(ended.errors)")
    let page = try String(
      contentsOf: MarkdownSamples.project.appendingPathComponent("docs/objective.md"),
      encoding: .utf8)
    let documented = Set(
      page.split(separator: "`").map { $0.trimmingCharacters(in: ["[", "]"]) })
    let written = try RunResult.metrics(folder["run"]).reduce(into: Set<String>()) {
      $0.formUnion($1.keys)
    }
    #expect(written.count > 30)
    for name in written.sorted() where name != "step" {
      let form = name.replacing(/@\d+/, with: "@k")
        .replacing(/^rewards\/[^\/]+/, with: "rewards/NAME")
      #expect(documented.contains(form), "\(name)")
    }
  }
}
