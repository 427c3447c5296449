import Foundation

/// Says of frequent events which are to be told: one in so many seconds.
final class Pace: @unchecked Sendable {
  private let interval: TimeInterval
  private let lock = NSLock()
  private var last: DispatchTime?

  init(seconds: TimeInterval) { interval = seconds }

  /// Whether this one is.
  func isDue() -> Bool {
    lock.withLock {
      // ProcessInfo's uptime would want a reason in the app's privacy manifest.
      let now = DispatchTime.now()
      if let last, now < last + interval { return false }
      last = now
      return true
    }
  }
}

/// Pieces of text on their way to JavaScript: those of 30 milliseconds go as one, so that a fast
/// model does not keep the thread of JavaScript busy.
final class TextBatches: @unchecked Sendable {
  private let send: (String) -> Void
  private let lock = NSLock()
  private var unsent = ""
  private var isWaiting = false
  private var isClosed = false

  init(send: @escaping (String) -> Void) { self.send = send }

  func add(_ piece: String) {
    let begins = lock.withLock { () -> Bool in
      unsent += piece
      defer { isWaiting = true }
      return !isWaiting
    }
    guard begins else { return }
    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(30)) { self.flush() }
  }

  /// Nothing is sent after this.
  func close() { lock.withLock { isClosed = true } }

  // Sent under the lock, so that pieces stay in order.
  private func flush() {
    lock.withLock {
      isWaiting = false
      if !isClosed, !unsent.isEmpty { send(unsent) }
      unsent = ""
    }
  }
}
