import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Exchanges over HTTP whose replies are of at most so many bytes, and follow no redirect.
final class Replies: NSObject, URLSessionDataDelegate, Sendable {
  enum Result: Sendable {
    case reply(Data, HTTPURLResponse)
    /// Nothing came, which may pass; why.
    case unreachable(String)
    /// What came isn't taken; a sentence.
    case refused(String)
  }

  private struct Exchange {
    var data = Data()
    var response: HTTPURLResponse?
    var refusal: String?
    let end: @Sendable (Result) -> Void
  }

  private let limit: Int
  /// What is under way, by the task's number.
  private let exchanges = Mutex<[Int: Exchange]>([:])

  private init(limit: Int) { self.limit = limit }

  /// A session whose replies are held to a limit of bytes.
  static func session(limit: Int) -> (URLSession, Replies) {
    let replies = Replies(limit: limit)
    return (URLSession(configuration: .ephemeral, delegate: replies, delegateQueue: nil), replies)
  }

  /// Sends a request and waits for the end of the exchange.
  func wait(for request: URLRequest, in session: URLSession) -> Result {
    let done = DispatchSemaphore(value: 0)
    let result = Mutex(Result.unreachable("no reply"))
    let task = session.dataTask(with: request)
    exchanges.withLock {
      $0[task.taskIdentifier] = Exchange { end in
        result.withLock { $0 = end }
        done.signal()
      }
    }
    task.resume()
    done.wait()
    return result.withLock { $0 }
  }

  /// Refuses what an exchange brings; the first reason stays.
  private func refuse(_ task: URLSessionTask, _ sentence: String) {
    exchanges.withLock {
      guard $0[task.taskIdentifier]?.refusal == nil else { return }
      $0[task.taskIdentifier]?.refusal = sentence
      $0[task.taskIdentifier]?.data = Data()
    }
  }

  private var isTooLong: String { "the server's reply is longer than \(limit >> 20) MiB" }

  func urlSession(
    _ session: URLSession, task: URLSessionTask,
    willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
    completionHandler: @escaping (URLRequest?) -> Void
  ) {
    // The redirect itself is the reply; Foundation would follow it anywhere, and forget what was posted.
    completionHandler(nil)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    exchanges.withLock { $0[dataTask.taskIdentifier]?.response = response as? HTTPURLResponse }
    guard response.expectedContentLength <= Int64(limit) else {
      refuse(dataTask, isTooLong)
      return completionHandler(.cancel)
    }
    completionHandler(.allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isTaken = exchanges.withLock { exchanges in
      guard var exchange = exchanges[dataTask.taskIdentifier], exchange.refusal == nil,
        exchange.data.count + data.count <= limit
      else { return false }
      // Taken out while it grows, so that it isn't copied.
      exchanges[dataTask.taskIdentifier] = nil
      exchange.data.append(data)
      exchanges[dataTask.taskIdentifier] = exchange
      return true
    }
    if !isTaken {
      refuse(dataTask, isTooLong)
      dataTask.cancel()
    }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    guard let exchange = exchanges.withLock({ $0.removeValue(forKey: task.taskIdentifier) }) else {
      return
    }
    if let refusal = exchange.refusal {
      exchange.end(.refused(refusal))
    } else if let error {
      exchange.end(.unreachable(error.localizedDescription))
    } else if let response = exchange.response {
      exchange.end(.reply(exchange.data, response))
    } else {
      exchange.end(.unreachable("no reply"))
    }
  }
}
