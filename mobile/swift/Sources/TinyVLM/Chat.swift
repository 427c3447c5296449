import Foundation

/// One message of a ``Chat``.
public struct ChatMessage: Sendable, Equatable {
  /// Who says it.
  public enum Role: String, Sendable, JSONText {
    /// The system prompt.
    case system
    /// Who asks.
    case user
    /// The model.
    case assistant
  }

  /// Who says it.
  public let role: Role
  /// The text.
  public let content: String
  /// How many images were passed with it.
  public let images: Int
}

/// One message that a ``Chat`` is made with.
public struct PastMessage: Sendable {
  let role: ChatMessage.Role
  let content: String
  let images: [ImageInput]

  /// What the user asked, and the images that came with it, which are read with the chat's first
  /// question.
  public static func user(_ content: String, images: [ImageInput] = []) -> PastMessage {
    PastMessage(role: .user, content: content, images: images)
  }

  /// What the model answered.
  public static func assistant(_ content: String) -> PastMessage {
    PastMessage(role: .assistant, content: content, images: [])
  }
}

/// A conversation, made by ``TinyVLM/chat(system:messages:)``: each question is asked with the
/// turns before it. What is shared with the question before is not computed again, images included.
public final class Chat: Sendable {
  private let engine: Engine
  private let conversation: Conversation

  init(_ engine: Engine, system: String?, messages: [PastMessage]) {
    self.engine = engine
    conversation = Conversation(system: system, messages: messages)
  }

  deinit {
    let (images, generation) = conversation.imagesInEngine
    engine.drop(images, of: generation)
  }

  /// The messages so far, oldest first.
  public var messages: [ChatMessage] { conversation.messages }

  /// Asks the next question, about what was said and shown before or about further images. It
  /// becomes part of the conversation when its answer is complete, or cancelled after its first
  /// words; a question that fails leaves the conversation as it was.
  public func ask(
    _ question: String, images: [ImageInput] = [], options: AskOptions = AskOptions()
  ) -> AsyncThrowingStream<String, any Error> {
    engine.stream { [engine, conversation] cancellation, onText in
      try await engine.run(cancellation) { engine, session in
        try conversation.answer(
          question, images, options: options, engine: engine, session: session,
          cancellation: cancellation, onText: onText)
      }
    }
  }

  /// The whole answer to the next question, with how it came about.
  ///
  /// - Parameters:
  ///   - question: The question.
  ///   - images: Further images, shown with it.
  ///   - options: How it is answered.
  ///   - stop: Ends it early; what there is of the answer is then returned.
  ///   - onText: Told each piece of text as it comes, on a thread of the engine.
  /// - Throws: ``TinyVLMError``; `CancellationError` where the task was cancelled.
  public func answer(
    _ question: String, images: [ImageInput] = [], options: AskOptions = AskOptions(),
    stop: StopSignal? = nil, onText: (@Sendable (String) -> Void)? = nil
  ) async throws -> Answer {
    try await engine.answer(until: stop) { [conversation] engine, session, cancellation in
      try conversation.answer(
        question, images, options: options, engine: engine, session: session,
        cancellation: cancellation, onText: onText)
    }
  }
}

/// What was said and shown. Changed on the engine's queue only; read from anywhere.
private final class Conversation: @unchecked Sendable {
  private struct Turn {
    let role: ChatMessage.Role
    let content: String
    let images: [ImageInput]
    var options: AskOptions?  // that its images were decoded with; nil: not yet
  }

  private let system: String?
  private let lock = NSLock()
  private var turns: [Turn] = []
  private var numbers: [[UInt32]] = []  // of each turn's images, in the session `generation`
  private var generation = 0

  init(system: String?, messages: [PastMessage]) {
    self.system = system
    turns = messages.map { Turn(role: $0.role, content: $0.content, images: $0.images) }
  }

  var messages: [ChatMessage] {
    let said = lock.withLock { turns }
    let first = system.map { [ChatMessage(role: .system, content: $0, images: 0)] } ?? []
    return first
      + said.map { ChatMessage(role: $0.role, content: $0.content, images: $0.images.count) }
  }

  var imagesInEngine: ([UInt32], Int) { lock.withLock { (numbers.flatMap { $0 }, generation) } }

  func answer(
    _ question: String, _ images: [ImageInput], options: AskOptions, engine: Engine,
    session: OpaquePointer, cancellation: Cancellation, onText: (@Sendable (String) -> Void)?
  ) throws -> Answer {
    try options.check()
    guard options.system == nil else {
      throw TinyVLMError(.invalidArgument, "system: a chat gets its own from chat(system:)")
    }
    let said = lock.withLock { turns }
    try show(said, options: options, engine: engine, session: session)
    let added = try engine.add(images, to: session, options: options)
    var answered = false
    defer { if !answered { engine.drop(added.images, from: session) } }

    let before = zip(said, numbers).map { turn, numbers in
      Message(role: turn.role, content: turn.content, images: numbers)
    }
    let asked = Message(role: .user, content: question, images: added.images)
    var answer = try engine.answer(
      systemMessages(system) + before + [asked], options: options, session: session,
      cancellation: cancellation, onText: onText)
    answer.warnings = added.warnings
    if answer.finishReason != .cancelled || !answer.text.isEmpty {
      answered = true
      lock.withLock {
        turns += [
          Turn(role: .user, content: question, images: images, options: options),
          Turn(role: .assistant, content: answer.text, images: [], options: options),
        ]
        numbers += [added.images, []]
      }
    }
    return answer
  }

  /// Adds the images of earlier turns to a session that does not have them yet. `options`: of the
  /// question, for images that no question has shown before.
  private func show(
    _ said: [Turn], options: AskOptions, engine: Engine, session: OpaquePointer
  ) throws {
    guard generation != engine.generation else { return }
    var added: [[UInt32]] = []
    do {
      for turn in said {
        let decoding = turn.options ?? options
        added.append(try engine.add(turn.images, to: session, options: decoding).images)
      }
    } catch {
      engine.drop(added.flatMap { $0 }, from: session)
      throw error
    }
    lock.withLock {
      numbers = added
      generation = engine.generation
      for index in turns.indices where turns[index].options == nil {
        turns[index].options = options
      }
    }
  }
}
