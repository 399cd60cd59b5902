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

  /// Posts a value and returns the reply. Faults of the network, 408, 425, 429 and 5xx are tried
  /// again after 0.5 s, doubling up to 30 s, or what the server's Retry-After says.
  func post(_ body: JSONValue) -> Result<JSONValue, Fault> {
    var request = URLRequest(url: url, timeoutInterval: timeout)
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    if let header { request.setValue(header.value, forHTTPHeaderField: header.name) }
    request.httpBody = Data(body.jsonText.utf8)
    var pause = 0.5
    for attempt in 0...retries {
      let (data, response, error) = send(request)
      let fault: String
      var wait = pause
      if let response, (200..<300).contains(response.statusCode) {
        guard let data, let value = try? JSONValue.parse(bytes: data) else {
          return .failure(Fault(sentence: "the server's reply is no JSON"))
        }
        return .success(value)
      } else if let response {
        let text = String(decoding: (data ?? Data()).prefix(200), as: UTF8.self)
        fault = "the server answers \(response.statusCode): \(text)"
        let mayPass = [408, 425, 429].contains(response.statusCode) || response.statusCode >= 500
        guard mayPass else { return .failure(Fault(sentence: fault)) }
        if let after = response.value(forHTTPHeaderField: "Retry-After").flatMap(Double.init) {
          wait = min(max(after, 0), 60)
        }
      } else {
        fault = "the server can't be reached: \(error ?? "no reply")"
      }
      guard attempt < retries else {
        return .failure(Fault(sentence: "\(fault) (after \(retries + 1) attempts)"))
      }
      Thread.sleep(forTimeInterval: wait)
      pause = min(pause * 2, 30)
    }
    return .failure(Fault(sentence: "no attempt was made"))
  }

  private func send(_ request: URLRequest) -> (Data?, HTTPURLResponse?, String?) {
    let box = ReplyBox()
    let done = DispatchSemaphore(value: 0)
    let task = URLSession.shared.dataTask(with: request) { data, response, error in
      box.reply = (data, response as? HTTPURLResponse, error.map { $0.localizedDescription })
      done.signal()
    }
    task.resume()
    done.wait()
    return box.reply
  }
}

/// Carries a reply from the session's thread to the one that waits.
private final class ReplyBox: @unchecked Sendable {
  // Written once before the semaphore is signalled, read once after it was waited for.
  var reply: (Data?, HTTPURLResponse?, String?) = (nil, nil, nil)
}
