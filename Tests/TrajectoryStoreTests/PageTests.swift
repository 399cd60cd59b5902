import Foundation
import Rollouts
import TestSupport
import Testing

@testable import TrajectoryStore

@Suite("The page of a run")
struct PageTests {
  @Test func thePageNeedsNothingElse() throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "a <b> & \"c\"")
    let page = try RunPage(session: try QuerySession(readOnly: folder.log)).html()
    for outside in ["http://", "https://", "src=", "@import", "url("] {
      #expect(!page.replacing("http://www.w3.org/2000/svg", with: "").contains(outside))
    }
    #expect(page.contains("<title>a &lt;b&gt; &amp; &quot;c&quot; (grpo, run 1)</title>"))
    let start = try #require(page.firstRange(of: "id=\"data\">"))
    let end = try #require(page[start.upperBound...].firstRange(of: "</script>"))
    let data = try JSONValue.parse(String(page[start.upperBound..<end.lowerBound]))
    #expect(data["trajectories"]?.array?.count == 36)
    #expect((data["charts"]?.array?.count ?? 0) > 5)
    #expect(data["trajectories"]?.array?[0]["tokens"]?.array?.isEmpty == false)
  }

  @Test func aRunWithoutStepsHasAPage() throws {
    let folder = try TemporaryFolder()
    try writeLog(folder, name: "empty", steps: 0)
    let page = try RunPage(session: try QuerySession(readOnly: folder.log)).html()
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
      rows()[0].click();
      seen.tokens = document.querySelectorAll('#dtext span').length > 0 && !$('detail').hidden;
      seen.parts = $('dscores').textContent.includes('digits 0.3');
      input('quantity', '3');
      $('close').click();
      seen.closed = $('detail').hidden;
      input('smoothing', '0.9');
      input('chartfilter', 'entropy');
      seen.filtered = [...document.querySelectorAll('.chart')].filter(box => !box.hidden).length;
      input('chartfilter', '');
      const boxes = () => [...document.querySelectorAll('.chart')].filter(box => !box.hidden).length;
      const few = boxes();
      $('allcharts').click();
      seen.more = boxes() > few;
      const chart = document.querySelector('#charts svg');
      chart.dispatchEvent(new PointerEvent('pointermove', { clientX: chart.getBoundingClientRect().right - 9, clientY: 50 }));
      seen.hover = document.querySelector('#charts .value').textContent.startsWith('step');
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
    let page = try RunPage(session: try QuerySession(readOnly: folder.log)).html()
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
    for what in ["tokens", "parts", "closed", "more", "hover", "theme", "wide"] {
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
