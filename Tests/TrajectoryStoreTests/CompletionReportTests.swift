import Foundation
import Rollouts
import Testing

@testable import TrajectoryStore

@Suite("One trajectory whole")
struct CompletionReportTests {
  private func page() throws -> ReportPage {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "one", steps: 1)
    let request = ReportRequest(session: try QuerySession(readOnly: folder.log), arguments: ["1"])
    return try Report.completion.make(request)
  }

  @Test func whatTruncationLeftAndWhatItExcludedAreToldApart() throws {
    let cells = try page().sections.compactMap { section -> [ReportSection.TokenCell]? in
      if case .tokens(_, _, let cells) = section { cells } else { nil }
    }.joined()
    // The sets of the fixture in turn: four ids that were kept, the whole vocabulary, all but two.
    #expect(cells.prefix(3).map(\.keptCount) == [4, nil, nil])
    #expect(cells.prefix(3).map(\.excludedCount) == [nil, nil, 2])
  }

  @Test func theRightAnswerIsShownWhole() throws {
    let answers = try page().sections.compactMap { section -> String? in
      if case .text("answer", "Right answer", let text) = section { text } else { nil }
    }
    #expect(answers == ["0"])
  }

  @Test func reasonsAreShownAndTimesAreNotCalledSeconds() throws {
    let tables = try page().sections.compactMap { section -> ReportTable? in
      if case .table("scores", _, let table) = section { table } else { nil }
    }
    let table = try #require(tables.first)
    let reason = try #require(table.columns.firstIndex { $0.key == "reason" })
    #expect(table.rows.map { $0[reason] } == [.text("the digits agree"), .null])
    // People see "250 ms" below "time"; programs get the number as "seconds".
    let time = try #require(table.columns.firstIndex { $0.key == "seconds" })
    #expect(table.columns[time].title == "time" && table.rows[0][time].double != nil)
  }
}
