import Foundation
import RewardKit

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Posts JSON and reads JSON, again after faults that may pass.
struct Exchange: Sendable {
  /// Why an exchange failed for good.
  struct Fault: Error, Sendable {
    var sentence: String
  }

  private let url: URL
  private let header: (name: String, value: String)?
  private let timeout: Double
  private let retries: Int
  /// What hides the secret in a reply that repeats it, before that is shortened.
  private let mask: SecretMask
  private let session: URLSession
  private let replies: Replies

  /// Bytes of a reply after which the rest isn't read: a batch of 4,096 scores has a twentieth of it.
  private static let largestReply = 4 << 20
  /// Redirects that one exchange follows.
  private static let mostRedirects = 5

  init(_ settings: RewardParameters) throws(RewardParameterError) {
    guard let url = URL(string: settings.text("url")), let scheme = url.scheme,
      ["http", "https"].contains(scheme), url.host != nil
    else {
      throw RewardParameterError(["parameter \"url\" is no http or https address"])
    }
    self.url = url
    timeout = settings.number("timeout")
    retries = settings.integer("retries")
    let variable = settings.text("secret")
    (session, replies) = Replies.session(limit: Self.largestReply)
    mask = SecretMask(names: variable.isEmpty ? [] : [variable])
    guard !variable.isEmpty else {
      header = nil
      return
    }
    guard let value = ProcessInfo.processInfo.environment[variable], !value.isEmpty else {
      throw RewardParameterError([
        "parameter \"secret\" names the variable \(variable), which this process doesn't have: add "
          + "environment: [\"\(variable)\"] to the reward"
      ])
    }
    header = (settings.text("header"), settings.flag("bearer") ? "Bearer \(value)" : value)
  }

  /// Posts a value and returns the reply.
  ///
  /// Faults of the network, 408, 425, 429 and 5xx are tried
  /// again after 0.5 s, doubling up to 30 s, or what the server's Retry-After says.
  func post(_ body: JSONValue) -> Result<JSONValue, Fault> {
    var request = URLRequest(url: url, timeoutInterval: timeout)
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    if let header { request.setValue(header.value, forHTTPHeaderField: header.name) }
    request.httpBody = Data(body.jsonText.utf8)
    var pause = 0.5
    for attempt in 0...retries {
      let fault: String
      var wait = pause
      switch send(request) {
      case .refused(let sentence): return .failure(Fault(sentence: mask.mask(sentence)))
      case .unreachable(let reason): fault = "the server can't be reached: \(reason)"
      case .reply(let data, let response):
        if (200..<300).contains(response.statusCode) {
          guard let value = try? JSONValue.parse(bytes: data) else {
            return .failure(Fault(sentence: "the server's reply is no JSON"))
          }
          return .success(value)
        }
        let text = mask.mask(String(decoding: data, as: UTF8.self)).prefix(200)
        fault = "the server answers \(response.statusCode): \(text)"
        let mayPass = [408, 425, 429].contains(response.statusCode) || response.statusCode >= 500
        guard mayPass else { return .failure(Fault(sentence: fault)) }
        if let after = response.value(forHTTPHeaderField: "Retry-After").flatMap(Double.init) {
          wait = min(max(after, 0), 60)
        }
      }
      guard attempt < retries else {
        return .failure(Fault(sentence: "\(fault) (after \(retries + 1) attempts)"))
      }
      Thread.sleep(forTimeInterval: wait)
      pause = min(pause * 2, 30)
    }
    return .failure(Fault(sentence: "no attempt was made"))
  }

  /// Sends a request, again to where the same origin redirects it.
  ///
  /// A redirect to another origin is refused: it would hand completions, and the header with the secret, to a server
  /// that nobody named, and take that server's scores.
  private func send(_ request: URLRequest) -> Replies.Result {
    var request = request
    for _ in 0...Self.mostRedirects {
      let result = replies.wait(for: request, in: session)
      guard case .reply(_, let response) = result, (300..<400).contains(response.statusCode),
        let place = response.value(forHTTPHeaderField: "Location")
      else { return result }
      guard let next = URL(string: place, relativeTo: request.url)?.absoluteURL,
        next.origin == url.origin
      else {
        return .refused(
          "the server redirects to \(place.prefix(200)), of another origin than \"url\", which is not followed: name "
            + "that address in \"url\" if it is right")
      }
      guard [307, 308].contains(response.statusCode) else {
        return .refused(
          "the server redirects to \(next.path) with \(response.statusCode), which asks for a GET: name that address "
            + "in \"url\" if it is right")
      }
      request.url = next
    }
    return .refused("the server redirects more than \(Self.mostRedirects) times")
  }
}

extension URL {
  /// Scheme, host and port: what an Authorization header is meant for.
  fileprivate var origin: String {
    let scheme = scheme?.lowercased() ?? ""
    let usual = scheme == "https" ? 443 : 80
    return "\(scheme)://\(host?.lowercased() ?? ""):\(port ?? usual)"
  }
}
