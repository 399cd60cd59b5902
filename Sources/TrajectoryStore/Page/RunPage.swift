import Rollouts

/// A run as one HTML file that needs nothing else: no network, no other file.
///
/// Long runs are cut down to what a browser carries: curves to means of stretches of steps,
/// trajectories to the best, the worst, the latest and a spread of the others.
public struct RunPage {
  private let session: QuerySession
  private let run: Int
  private let tokenText: (() -> (TokenID) -> String)?
  /// Seconds after which the page loads itself again; nil for a page that stays.
  public var refresh: Int?

  /// Prepares the page of a run; of the last one where none is named.
  /// - Parameter tokenText: Makes a reader of a completion's tokens in order, where there is one.
  public init(
    session: QuerySession, run: Int? = nil, tokenText: (() -> (TokenID) -> String)? = nil
  ) throws(StoreError) {
    self.session = session
    self.run = try session.runID(run)
    self.tokenText = tokenText
  }

  /// The whole file.
  public func html() throws(StoreError) -> String {
    let data = try PageData(session: session, run: run, tokenText: tokenText).json()
    let title = Self.escaped(data["title"]?.string ?? "run")
    // In a script element only `<` could end the text early; JSON may spell it otherwise.
    let text = data.jsonText.replacing("<", with: "\\u003c")
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
      \(pageScript)
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
