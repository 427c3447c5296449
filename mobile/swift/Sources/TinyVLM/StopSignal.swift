import Foundation

/// Ends answers early and keeps what there is of them: `answer` then returns it, with the finish
/// reason ``Answer/FinishReason/cancelled`` and its tokens and times. Cancelling the task throws
/// instead.
///
/// ```swift
/// let stop = StopSignal()
/// stopButton.action = stop.stop
/// let answer = try await vlm.answer(photo, question, stop: stop)
/// ```
public final class StopSignal: @unchecked Sendable {
  private let lock = NSLock()
  private var wished = false
  private var answers: [ObjectIdentifier: Cancellation] = [:]

  /// A signal that has not been given.
  public init() {}

  /// Whether ``stop()`` was called.
  public var isStopped: Bool { lock.withLock { wished } }

  /// Ends each answer that was asked for with this signal within a step of the engine, and those to
  /// come before they begin. From any thread; more than once does no harm.
  public func stop() {
    let stopped = lock.withLock { () -> [Cancellation] in
      wished = true
      return Array(answers.values)
    }
    for cancellation in stopped { cancellation.cancel() }
  }

  /// Has ``stop()`` end what `cancellation` is for, until `work` returns.
  func during<Result>(
    _ cancellation: Cancellation, _ work: () async throws -> Result
  ) async rethrows -> Result {
    let key = ObjectIdentifier(cancellation)
    let late = lock.withLock { () -> Bool in
      answers[key] = cancellation
      return wished
    }
    if late { cancellation.cancel() }
    defer { lock.withLock { answers[key] = nil } }
    return try await work()
  }
}
