import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// A connection that did not bring what was asked for.
struct TransferError: Error {
  let message: String
}

/// One request whose answer is handed on piece by piece.
final class Transfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  private let request: URLRequest
  private let onResponse: (HTTPURLResponse) throws -> Void
  private let onData: (Data) throws -> Void
  private let lock = NSLock()
  private var failure: (any Error)?
  private var continuation: CheckedContinuation<Void, any Error>?
  private var heard = DispatchTime.now()

  /// - Parameters:
  ///   - onResponse: Looks at the status; throwing ends the transfer with that error.
  ///   - onData: Takes a piece of the body; likewise.
  init(
    _ request: URLRequest, onResponse: @escaping (HTTPURLResponse) throws -> Void,
    onData: @escaping (Data) throws -> Void
  ) {
    self.request = request
    self.onResponse = onResponse
    self.onData = onData
  }

  /// Does it.
  ///
  /// - Throws: what a closure threw, `CancellationError`, or ``TransferError``.
  func run(_ cancellation: Cancellation) async throws {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.urlCache = nil
    configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
    let session = URLSession(configuration: configuration, delegate: self, delegateQueue: nil)
    defer { session.finishTasksAndInvalidate() }
    let task = session.dataTask(with: request)
    try await withCheckedThrowingContinuation { continuation in
      lock.withLock { self.continuation = continuation }
      cancellation.onCancel { [weak self] in
        self?.fail(CancellationError())
        task.cancel()
      }
      task.resume()
      watch(task)
    }
  }

  /// Ends a task that brings no byte for as long as its request allows. The request's own timeout
  /// does so on Apple's systems only.
  private func watch(_ task: URLSessionTask) {
    let (isOver, last) = lock.withLock { (continuation == nil, heard) }
    if isOver { return }
    let end = last + request.timeoutInterval
    if DispatchTime.now() >= end {
      let seconds = request.timeoutInterval
      fail(TransferError(message: "no byte came for \(seconds) seconds"))
      task.cancel()
    } else {
      DispatchQueue.global().asyncAfter(deadline: end) { [weak self] in self?.watch(task) }
    }
  }

  private func fail(_ error: any Error) {
    lock.withLock { if failure == nil { failure = error } }
  }

  private var hasFailed: Bool { lock.withLock { failure != nil } }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    do {
      guard let response = response as? HTTPURLResponse else {
        throw TinyVLMError(.invalidArgument, "an http or https address wanted")
      }
      try onResponse(response)
      completionHandler(.allow)
    } catch {
      fail(error)
      completionHandler(.cancel)
    }
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    guard !hasFailed else { return }
    lock.withLock { heard = .now() }
    do {
      try onData(data)
    } catch {
      fail(error)
      dataTask.cancel()
    }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection: HTTPURLResponse,
    newRequest: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    guard let url = newRequest.url else { return completionHandler(nil) }
    var next = URLRequest(url: url, timeoutInterval: request.timeoutInterval)
    let from = request.url
    let isSameOrigin =
      url.scheme == from?.scheme && url.host == from?.host && url.port == from?.port
    for (name, value) in request.allHTTPHeaderFields ?? [:]
    where isSameOrigin || ["range", "if-range", "accept-encoding"].contains(name.lowercased()) {
      next.setValue(value, forHTTPHeaderField: name)
    }
    completionHandler(next)
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    let waiting = lock.withLock { () -> CheckedContinuation<Void, any Error>? in
      defer { continuation = nil }
      return continuation
    }
    if let failure = lock.withLock({ self.failure }) {
      waiting?.resume(throwing: failure)
    } else if let error {
      waiting?.resume(throwing: TransferError(message: error.localizedDescription))
    } else {
      waiting?.resume()
    }
  }
}
