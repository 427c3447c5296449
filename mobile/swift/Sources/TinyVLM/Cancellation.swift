internal import CTinyVLM
import Foundation

/// A wish to stop, from any thread, of one question or one loading.
final class Cancellation: @unchecked Sendable {
  private let lock = NSLock()
  private var wished = false
  private var byClosing = false
  private var session: OpaquePointer?
  private var stop: (@Sendable () -> Void)?

  /// Whether the work is to stop.
  var isCancelled: Bool { lock.withLock { wished } }

  /// Whether it is to stop because the model was closed, and not because its caller lost interest.
  var isClosing: Bool { lock.withLock { byClosing } }

  /// Stops the work: the engine ends it within a step.
  func cancel(closing: Bool = false) {
    let stop = lock.withLock { () -> (@Sendable () -> Void)? in
      if !wished { byClosing = closing }
      wished = true
      // The session lives as long as it is named here.
      if let session { tvlm_session_cancel(session) }
      return self.stop
    }
    stop?()
  }

  /// Names the session that works until `work` returns.
  func during<Result>(_ session: OpaquePointer, _ work: () throws -> Result) rethrows -> Result {
    lock.withLock { self.session = session }
    defer { lock.withLock { self.session = nil } }
    return try work()
  }

  /// What else is to be stopped; called at once where the wish came before.
  func onCancel(_ stop: @escaping @Sendable () -> Void) {
    let late = lock.withLock { () -> Bool in
      self.stop = stop
      return wished
    }
    if late { stop() }
  }
}
