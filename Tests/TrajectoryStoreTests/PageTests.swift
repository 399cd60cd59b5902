import Foundation
import Rollouts
import TestSupport
import Testing

@testable import TrajectoryStore

@Suite("The page of a run")
struct PageTests {
  private static func page(_ folders: TemporaryFolder...) throws -> String {
    try RunPage(
      folders.map { try RunPage.Source(session: try QuerySession(readOnly: $0.log)) }
    ).html()
  }

  /// The data within a page.
  private static func data(in page: String) throws -> JSONValue {
    let start = try #require(page.firstRange(of: "id=\"data\">"))
    let end = try #require(page[start.upperBound...].firstRange(of: "</script>"))
    return try JSONValue.parse(String(page[start.upperBound..<end.lowerBound]))
  }

  @Test func thePageNeedsNothingElse() throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "a <b> & \"c\"")
    let page = try Self.page(folder)
    for outside in ["http://", "https://", "src=", "@import", "url("] {
      #expect(!page.replacing("http://www.w3.org/2000/svg", with: "").contains(outside))
    }
    #expect(page.contains("<title>a &lt;b&gt; &amp; &quot;c&quot; (grpo, run 1)</title>"))
    let run = try #require(try Self.data(in: page)["runs"]?.array?.first)
    #expect(run["trajectories"]?.array?.count == 36)
    #expect((run["charts"]?.array?.count ?? 0) > 5)
    #expect(run["trajectories"]?.array?[0]["tokens"]?.array?.isEmpty == false)
  }

  @Test func severalRunsShareAPage() throws {
    let folders = [try TemporaryFolder(), try TemporaryFolder()]
    for (folder, name) in zip(folders, ["first", "second"]) { try writeLog(folder, name: name) }
    let data = try Self.data(in: try Self.page(folders[0], folders[1]))
    #expect(data["runs"]?.array?.map { $0["name"]?.string } == ["first", "second"])
  }

  @Test func theLastValueOfACurveIsItsLast() throws {
    // More values than points: the last point is a mean, the last value is not.
    let values = (0..<1201).map { Double($0) }
    let curve = PageCurve(.init(name: "n", steps: Array(0..<1201), values: values)).json
    #expect(curve["last"]?.array?.map(\.double) == [1200, 1200])
    #expect(curve["values"]?.array?.count == 600)
    #expect(curve["values"]?.array?.last?.double == 1199)
  }

  @Test func aPointOfALongCurveIsTheMeanOfItsStretch() throws {
    let curve = PageCurve(
      .init(name: "n", steps: [1, 2, 3], values: [1, .nan, 3]))
    #expect(curve.json["values"]?.array?.map(\.double) == [1, 3])
    #expect(curve.json["last"]?.array?.map(\.double) == [3, 3])
  }

  @Test func aRunWithoutStepsHasAPage() throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "empty", steps: 0)
    let page = try Self.page(folder)
    #expect(page.contains("\"trajectories\":[]"))
  }

  private static let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// Does what a reader does, and leaves in the page what it saw.
  private static let clicks = """
    <script>
    addEventListener('load', () => setTimeout(() => {
      const seen = {};
      const $ = id => document.getElementById(id);
      const rows = () => document.querySelectorAll('#list tbody tr');
      const input = (id, value) => { $(id).value = value; $(id).dispatchEvent(new Event('input')); };
      seen.charts = document.querySelectorAll('#charts svg').length;
      seen.rows = rows().length;
      input('search', 'sample-that-is-nowhere');
      seen.none = rows().length;
      input('search', 'ANSWER ünï');
      seen.found = $('page').textContent;
      input('search', '');
      input('sort', 'reward');
      const one = selector => document.querySelector(selector);
      rows()[0].click();
      seen.place = rows()[1].id === 'detail' && rows()[1].getBoundingClientRect().top < innerHeight;
      seen.tokens = document.querySelectorAll('.dtext span').length > 0;
      seen.legend = document.querySelectorAll('.legend span').length === 4;
      seen.parts = one('.dscores').textContent.includes('digits 0.3');
      one('.quantity').value = '3';
      one('.quantity').dispatchEvent(new Event('input'));
      seen.ratios = document.querySelectorAll('.legend span').length === 5;
      one('.close').click();
      seen.closed = $('detail') === null;
      input('smoothing', '0.9');
      seen.smoothing = $('smoothingvalue').textContent === '0.90';
      input('chartfilter', 'entropy');
      seen.filtered = [...document.querySelectorAll('.chart')].filter(box => !box.hidden).length;
      input('chartfilter', '');
      const boxes = () => [...document.querySelectorAll('.chart')].filter(box => !box.hidden).length;
      const few = boxes();
      $('allcharts').click();
      seen.more = boxes() > few;
      const chart = document.querySelector('#charts svg');
      chart.dispatchEvent(new PointerEvent('pointermove', { clientX: chart.getBoundingClientRect().right - 9, clientY: 50 }));
      seen.hover = document.querySelector('#charts .value').textContent.startsWith('step ');
      $('theme').click();
      seen.theme = document.documentElement.className !== '';
      seen.wide = document.documentElement.scrollWidth <= innerWidth;
      document.body.dataset.seen = JSON.stringify(seen);
    }, 0));
    </script>
    """

  @Test(.enabled(if: browser != nil, "chromium is not installed"), arguments: [1200, 500])
  func aBrowserShowsItWithoutAnError(width: Int) throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "a page", steps: 4)
    let page = try Self.page(folder)
    let file = folder.url.appendingPathComponent("page.html")
    try Data(page.replacing("</body>", with: Self.clicks + "</body>").utf8).write(to: file)
    let (dom, log) = try browse(file, width: width, in: folder)
    #expect(!log.contains("CONSOLE"), Comment(rawValue: log))
    let mark = "data-seen=\""
    let start = try #require(dom.firstRange(of: mark), "the clicks stopped half way")
    let text = dom[start.upperBound...].prefix { $0 != "\"" }.replacing("&quot;", with: "\"")
    let seen = try JSONValue.parse(String(text))
    #expect((seen["charts"]?.integer ?? 0) > 5)
    #expect(seen["rows"]?.integer == 25)
    #expect(seen["none"]?.integer == 0)
    #expect(seen["found"]?.string?.hasPrefix("48 shown") == true)
    #expect(seen["filtered"]?.integer == 1)
    for what in [
      "place", "tokens", "legend", "ratios", "parts", "closed", "smoothing", "more", "hover",
      "theme", "wide",
    ] {
      #expect(seen[what]?.bool == true, Comment(rawValue: what))
    }
  }

  private func browse(
    _ file: URL, width: Int, in folder: TemporaryFolder
  ) throws -> (dom: String, log: String) {
    let ended = try ChildProcess.run([
      Self.browser ?? "", "--headless=new", "--no-sandbox", "--disable-gpu",
      "--enable-logging=stderr", "--v=0",
      "--user-data-dir=\(folder.url.appendingPathComponent("profile").path)",
      "--window-size=\(width),900", "--virtual-time-budget=3000", "--dump-dom", file.absoluteString,
    ])
    return (ended.output, ended.errors)
  }
}
