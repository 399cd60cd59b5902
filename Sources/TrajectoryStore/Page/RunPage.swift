import Rollouts

/// Runs as one HTML file that needs nothing else: no network, no other file.
///
/// The curves of several runs lie over each other; facts, rewards and trajectories are shown of one at a time.
/// Long runs are cut down to what a browser carries: curves to means of stretches of steps, trajectories to the
/// best, the worst, the latest and a spread of the others.
public struct RunPage {
  /// A run of a log.
  public struct Source {
    let session: QuerySession
    let run: Int
    let tokenText: (() -> (TokenID) -> String)?

    /// Names a run; the last one of its log where none is named.
    /// - Parameter tokenText: Makes a reader of a completion's tokens in order, where there is one.
    public init(
      session: QuerySession, run: Int? = nil, tokenText: (() -> (TokenID) -> String)? = nil
    ) throws(StoreError) {
      self.session = session
      self.run = try session.runID(run)
      self.tokenText = tokenText
    }
  }

  private let sources: [Source]
  /// Seconds after which the page loads itself again; nil for a page that stays.
  public var refresh: Int?

  /// Trajectories in a page, and those of them with their tokens: what a browser carries.
  private static let trajectoryLimit = 1200
  private static let tokenLimit = 300

  /// Prepares the page of runs.
  public init(_ sources: [Source]) { self.sources = sources }

  /// The whole file.
  public func html() throws(StoreError) -> String {
    var runs: [JSONValue] = []
    for source in sources {
      runs.append(
        try PageData(
          session: source.session, run: source.run, tokenText: source.tokenText,
          trajectoryLimit: Self.trajectoryLimit / sources.count,
          tokenLimit: Self.tokenLimit / sources.count
        ).json())
    }
    let names = runs.map { $0["title"]?.string ?? "run" }
    let title = Self.escaped(names.joined(separator: ", "))
    // In a script element only `<` could end the text early; JSON may spell it otherwise.
    let text = JSONValue.object(["runs": .array(runs)]).jsonText.replacing("<", with: "\\u003c")
    let refreshing = refresh.map { "<meta http-equiv=\"refresh\" content=\"\($0)\">\n" } ?? ""
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <link rel="icon" href="data:,">
      \(refreshing)<title>\(title)</title>
      <style>
      \(pageStyle)
      </style>
      </head>
      <body>
      \(pageBody)
      <script type="application/json" id="data">\(text)</script>
      <script>
      'use strict';
      (() => {
      \(pageScript)
      \(pageChartScript)
      \(pageHeatMapScript)
      \(pageTrajectoryScript)
      })();
      </script>
      </body>
      </html>

      """
  }

  static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}
