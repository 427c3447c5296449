internal import CTinyVLM
import Foundation

/// A vision-language model that runs on this device.
///
/// ```swift
/// let vlm = try await TinyVLM.load(.bundle("fastvlm.gguf"))
/// for try await text in vlm.ask(.file(photo), "What is on the table?") {
///   print(text, terminator: "")
/// }
/// ```
///
/// It may be used from any task and any actor. Questions are answered one after the other, on a
/// queue of the model's own; a question whose task is cancelled, or whose stream nobody reads any
/// more, ends within a step of the engine. Its memory goes when nobody refers to the model, its chats
/// and its streams any more, or with ``close()``.
public final class TinyVLM: Sendable {
  private let engine: Engine
  private let memoryWarnings: any AnyObject & Sendable

  /// What is known of the model.
  public var info: ModelInfo { engine.info }

  /// The version of the engine, such as "0.1.0".
  public static var engineVersion: String { String(cString: tvlm_version()) }

  private init(_ engine: Engine, on system: HostSystem) {
    self.engine = engine
    memoryWarnings = system.watchMemory { [weak engine] in engine?.releaseSession() }
  }

  /// Loads a model; returns when it can be asked.
  ///
  /// - Parameters:
  ///   - source: Where its file comes from.
  ///   - options: How it is loaded and used.
  ///   - progress: Told how far it is, from any thread.
  /// - Throws: ``TinyVLMError``; `CancellationError` where the task was cancelled.
  public static func load(
    _ source: ModelSource, options: LoadOptions = LoadOptions(),
    progress: (@Sendable (LoadProgress) -> Void)? = nil
  ) async throws -> TinyVLM {
    try await load(source, options: options, on: .real, progress: progress)
  }

  static func load(
    _ source: ModelSource, options: LoadOptions, on system: HostSystem,
    progress: (@Sendable (LoadProgress) -> Void)? = nil
  ) async throws -> TinyVLM {
    let cancellation = Cancellation()
    return try await withTaskCancellationHandler {
      let file = try await source.fetched(cancellation: cancellation, progress: progress)
      try Task.checkCancellation()
      let engine = try await Engine.load(
        file, options: options, device: system.device(), cancellation: cancellation,
        progress: progress)
      return TinyVLM(engine, on: system)
    } onCancel: {
      cancellation.cancel()
    }
  }

  /// What the model in `file` and its conversation would take. Only the file's header is read.
  public static func estimateMemory(
    of file: URL, options: LoadOptions = LoadOptions()
  ) throws -> MemoryEstimate {
    var estimate = tvlm_memory_estimate()
    var error: OpaquePointer?
    let code = tvlm_estimate_path(
      file.path, jsonObject(options.modelFields), jsonObject(options.sessionFields), &estimate,
      &error)
    defer { tvlm_error_free(error) }
    guard code == TVLM_OK else {
      throw TinyVLMError(tvlm_error_code(error), tvlm_error_message(error))
    }
    return MemoryEstimate(
      weightBytes: Int(estimate.weight_bytes), tokenizerBytes: Int(estimate.tokenizer_bytes),
      keyValueBytes: Int(estimate.kv_cache_bytes), activationBytes: Int(estimate.activation_bytes))
  }

  /// Computes small products with known results, in a few milliseconds.
  ///
  /// - Throws: ``TinyVLMError`` of code `internal` where this machine computes wrongly.
  public static func selfTest() throws {
    var error: OpaquePointer?
    guard tvlm_self_test(&error) != TVLM_OK else { return }
    defer { tvlm_error_free(error) }
    throw TinyVLMError(tvlm_error_code(error), tvlm_error_message(error))
  }

  /// Asks a question about an image, or without one (`nil`). The text comes in pieces of whole
  /// characters; the stream ends by itself where its task is cancelled, else by a ``TinyVLMError``
  /// or with the answer's last piece.
  public func ask(
    _ image: ImageInput?, _ question: String, options: AskOptions = AskOptions()
  ) -> AsyncThrowingStream<String, any Error> {
    ask(image.map { [$0] } ?? [], question, options: options)
  }

  /// Asks a question about several images, in their order.
  public func ask(
    _ images: [ImageInput], _ question: String, options: AskOptions = AskOptions()
  ) -> AsyncThrowingStream<String, any Error> {
    engine.stream { [engine] cancellation, onText in
      try await engine.run(cancellation) { engine, session in
        try engine.answerOnce(
          images, question, options: options, session: session, cancellation: cancellation,
          onText: onText)
      }
    }
  }

  /// The whole answer to a question about an image, or without one (`nil`), with how it came about.
  ///
  /// - Parameters:
  ///   - image: The image, or `nil`.
  ///   - question: The question.
  ///   - options: How it is answered.
  ///   - stop: Ends it early; what there is of the answer is then returned.
  ///   - onText: Told each piece of text as it comes, on a thread of the engine.
  /// - Throws: ``TinyVLMError``; `CancellationError` where the task was cancelled.
  public func answer(
    _ image: ImageInput?, _ question: String, options: AskOptions = AskOptions(),
    stop: StopSignal? = nil, onText: (@Sendable (String) -> Void)? = nil
  ) async throws -> Answer {
    try await answer(
      image.map { [$0] } ?? [], question, options: options, stop: stop, onText: onText)
  }

  /// The whole answer to a question about several images, in their order.
  public func answer(
    _ images: [ImageInput], _ question: String, options: AskOptions = AskOptions(),
    stop: StopSignal? = nil, onText: (@Sendable (String) -> Void)? = nil
  ) async throws -> Answer {
    try await engine.answer(until: stop) { engine, session, cancellation in
      try engine.answerOnce(
        images, question, options: options, session: session, cancellation: cancellation,
        onText: onText)
    }
  }

  /// A conversation: each question is asked with the turns before it, images included.
  ///
  /// - Parameters:
  ///   - system: The system prompt of the whole conversation; `nil`: that of the model's chat
  ///     template, `""`: none.
  ///   - messages: What was said before, oldest first: questions of the user and answers of the
  ///     model in turn, an answer last.
  public func chat(system: String? = nil, messages: [PastMessage] = []) -> Chat {
    Chat(engine, system: system, messages: messages)
  }

  /// Gives back what can be computed again: the context, the images of chats and what they became.
  /// Called by itself when the system warns of low memory. Waits for the answer under way.
  public func releaseMemory() async {
    await withCheckedContinuation { done in engine.releaseSession { done.resume() } }
  }

  /// Ends what is under way (``TinyVLMError/Code/aborted``) and frees the model. Later questions
  /// fail with ``TinyVLMError/Code/notReady``.
  public func close() async {
    await withCheckedContinuation { done in engine.close { done.resume() } }
  }
}

extension Engine {
  /// A stream of what `work` hands to its second argument. It stops the work when nobody reads.
  func stream(
    _ work: @escaping @Sendable (Cancellation, @escaping @Sendable (String) -> Void) async throws
      -> Answer
  ) -> AsyncThrowingStream<String, any Error> {
    AsyncThrowingStream { continuation in
      let cancellation = Cancellation()
      continuation.onTermination = { _ in cancellation.cancel() }
      Task {
        do {
          _ = try await work(cancellation) { continuation.yield($0) }
          continuation.finish()
        } catch {
          continuation.finish(throwing: error)
        }
      }
    }
  }

  /// Waits for what `work` answers on the queue. Of an answer that `stop` ended this is what there
  /// is of it.
  func answer(
    until stop: StopSignal?,
    _ work: @escaping @Sendable (Engine, OpaquePointer, Cancellation) throws -> Answer
  ) async throws -> Answer {
    let cancellation = Cancellation()
    let answer: Answer
    do {
      answer = try await (stop ?? StopSignal()).during(cancellation) {
        try await run(cancellation) { try work($0, $1, cancellation) }
      }
    } catch is CancellationError where stop?.isStopped == true {
      answer = .nothing  // it had not begun
    }
    try Task.checkCancellation()
    if answer.finishReason == .cancelled, stop?.isStopped != true { throw CancellationError() }
    return answer
  }

  /// Answers a question that belongs to no conversation. On the queue.
  func answerOnce(
    _ images: [ImageInput], _ question: String, options: AskOptions, session: OpaquePointer,
    cancellation: Cancellation, onText: (@Sendable (String) -> Void)?
  ) throws -> Answer {
    try options.check()
    let added = try add(images, to: session, options: options)
    defer { drop(added.images, from: session) }
    let said = Message(role: .user, content: question, images: added.images)
    var answer = try self.answer(
      systemMessages(options.system) + [said], options: options, session: session,
      cancellation: cancellation, onText: onText)
    answer.warnings = added.warnings
    return answer
  }
}

/// What stands before a conversation.
func systemMessages(_ system: String?) -> [Message] {
  system.map { [Message(role: .system, content: $0, images: [])] } ?? []
}

extension AskOptions {
  func check() throws { try responseFormat?.check() }
}
