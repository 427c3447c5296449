internal import CTinyVLM
import Foundation

/// One message of a conversation as the engine is asked.
struct Message: Sendable {
  let role: ChatMessage.Role
  let content: String
  let images: [UInt32]
}

/// A model and its session. What the engine computes runs on a queue of its own, one piece of work
/// after the other: tasks of the caller never wait in a thread of Swift's cooperative pool.
final class Engine: @unchecked Sendable {
  /// Whole once `init` has returned.
  private(set) var info: ModelInfo
  private let queue: DispatchQueue
  private let sessionOptions: String

  // Of the queue.
  private var model: OpaquePointer?
  private var session: OpaquePointer?

  /// Counts sessions: images of an earlier one are gone.
  private(set) var generation = 0

  private let lock = NSLock()
  private var closed = false
  private var pending: [ObjectIdentifier: Cancellation] = [:]

  /// Takes over a loaded model.
  private init(model: OpaquePointer, options: LoadOptions, queue: DispatchQueue) throws {
    self.model = model
    self.queue = queue
    sessionOptions = jsonObject(options.sessionFields)
    do {
      info = try decode(ModelInfo.self, from: tvlm_model_info, model)
    } catch {
      tvlm_model_free(model)
      self.model = nil
      throw error
    }
    let own = try decode(SessionInfo.self, from: tvlm_session_info, openSession())
    (info.imageSize, info.imageTokens, info.context) = (
      own.imageSize, own.imageTokens, own.context
    )
  }

  deinit { free() }

  private func free() {
    tvlm_session_free(session)
    tvlm_model_free(model)
    (session, model) = (nil, nil)
  }

  // MARK: Loading

  static func load(
    _ file: ModelFile, options: LoadOptions, device: DeviceState, cancellation: Cancellation,
    progress: (@Sendable (LoadProgress) -> Void)?
  ) async throws -> Engine {
    let queue = DispatchQueue(label: "TinyVLM.engine", qos: .userInitiated)
    return try await withCheckedThrowingContinuation { continuation in
      queue.async {
        continuation.resume(
          with: Result {
            let loading = Loading(cancellation: cancellation, progress: progress)
            let model = try Signposts.measure("load") {
              try loading.load(file, options: options, on: device)
            }
            return try Engine(model: model, options: options, queue: queue)
          })
      }
    }
  }

  // MARK: Sessions

  private func openSession() throws -> OpaquePointer {
    if let session { return session }
    guard let model else { throw closedError }
    var error: OpaquePointer?
    guard let created = tvlm_session_create(model, sessionOptions, &error) else {
      defer { tvlm_error_free(error) }
      throw TinyVLMError(tvlm_error_code(error), tvlm_error_message(error))
    }
    session = created
    generation += 1
    return created
  }

  private var closedError: TinyVLMError {
    TinyVLMError(.notReady, "an open model wanted, found one that was closed")
  }

  /// Runs `work` on the engine's queue with the session, unless the model is closed or the caller
  /// has lost interest. `finish` is called once, with what came of it, on that queue or at once.
  func submit<Result: Sendable>(
    _ cancellation: Cancellation,
    work: @escaping @Sendable (Engine, OpaquePointer) throws -> Result,
    finish: @escaping @Sendable (Swift.Result<Result, any Error>) -> Void
  ) {
    let open = lock.withLock { () -> Bool in
      if !closed { pending[ObjectIdentifier(cancellation)] = cancellation }
      return !closed
    }
    guard open else { return finish(.failure(closedError)) }
    queue.async { [self] in
      let result = Swift.Result { () throws -> Result in
        if cancellation.isClosing { throw closedError }
        if cancellation.isCancelled { throw CancellationError() }
        return try work(self, try openSession())
      }
      lock.withLock { pending[ObjectIdentifier(cancellation)] = nil }
      finish(result)
    }
  }

  /// The same for callers that wait.
  func run<Result: Sendable>(
    _ cancellation: Cancellation = Cancellation(),
    work: @escaping @Sendable (Engine, OpaquePointer) throws -> Result
  ) async throws -> Result {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        submit(cancellation, work: work) { continuation.resume(with: $0) }
      }
    } onCancel: {
      cancellation.cancel()
    }
  }

  /// Ends what is under way and waiting, then frees everything.
  func close(then done: @escaping @Sendable () -> Void = {}) {
    let waiting = lock.withLock { () -> [Cancellation] in
      closed = true
      return Array(pending.values)
    }
    for cancellation in waiting { cancellation.cancel(closing: true) }
    queue.async { [self] in
      free()
      done()
    }
  }

  /// Frees the session; the next question makes another.
  func releaseSession(then done: @escaping @Sendable () -> Void = {}) {
    queue.async { [self] in
      tvlm_session_free(session)
      session = nil
      done()
    }
  }

  /// Forgets images of the session that was the `generation`th.
  func drop(_ images: [UInt32], of generation: Int) {
    guard !images.isEmpty else { return }
    queue.async { [self] in
      if generation == self.generation, let session { drop(images, from: session) }
    }
  }

  // MARK: On the queue

  func drop(_ images: [UInt32], from session: OpaquePointer) {
    for image in images { tvlm_session_drop_image(session, image) }
  }

  /// Adds images to the session: their numbers, and what was noticed of their files. None stays
  /// where one fails.
  func add(
    _ images: [ImageInput], to session: OpaquePointer, options: AskOptions
  ) throws -> (images: [UInt32], warnings: [String]) {
    var flags: UInt32 = 0
    if options.exactPreprocess { flags |= UInt32(TVLM_IMAGE_EXACT) }
    if options.strict { flags |= UInt32(TVLM_IMAGE_STRICT) }
    var (added, warnings): ([UInt32], [String]) = ([], [])
    do {
      for image in images {
        let number = try add(image, to: session, flags: flags)
        added.append(number)
        warnings += try decode(ImageReport.self, session: session) {
          tvlm_session_image_info($0, number, $1)
        }.warnings
      }
    } catch {
      drop(added, from: session)
      throw error
    }
    return (added, warnings)
  }

  private func add(
    _ image: ImageInput, to session: OpaquePointer, flags: UInt32
  ) throws -> UInt32 {
    var number: UInt32 = 0
    switch image.content {
    case .pixels(let pixels):
      let format = pixels.channels == 4 ? TVLM_PIXELS_RGBA : TVLM_PIXELS_RGB
      let code = pixels.bytes.withUnsafeBytes {
        tvlm_session_add_pixels(
          session, $0.baseAddress, $0.count, format, pixels.width, pixels.height, 0, flags, &number)
      }
      try check(code, session)
    case .file(let url):
      return try add(.data(readFile(url)), to: session, flags: flags)
    case .encoded(let file):
      #if canImport(ImageIO)
        if !isDecodedByTheEngine(file) {
          return try add(.decoded(file), to: session, flags: flags)
        }
      #endif
      let code = file.withUnsafeBytes {
        tvlm_session_add_image(session, $0.baseAddress, $0.count, flags, &number)
      }
      try check(code, session)
    }
    return number
  }

  /// Asks a conversation and hands on the text as it comes. Ends early, with what there is, when
  /// `cancellation` wishes it.
  func answer(
    _ messages: [Message], options: AskOptions, session: OpaquePointer, cancellation: Cancellation,
    onText: ((String) -> Void)?
  ) throws -> Answer {
    let request = jsonObject([("messages", messages)] + options.answerFields)
    return try cancellation.during(session) {
      try Signposts.measure("ask") {
        try check(tvlm_session_ask(session, request), session)
        var state = TVLM_RUNNING
        while state != TVLM_DONE {
          // A wish from before the question began has not reached the session.
          if cancellation.isCancelled { tvlm_session_cancel(session) }
          try check(tvlm_session_advance(session, 20, &state), session)
          var length = 0
          let text = tvlm_session_take_text(session, &length)
          if length > 0, let text { onText?(string(text, length)) }
        }
      }
      if cancellation.isClosing {
        throw TinyVLMError(.aborted, "close() ended the answer")
      }
      return try decode(Answer.self, session: session, from: tvlm_session_report)
    }
  }

  func check(_ code: tvlm_code, _ session: OpaquePointer) throws {
    if code != TVLM_OK { throw TinyVLMError(code, tvlm_session_error(session)) }
  }
}

private struct SessionInfo: Decodable {
  let imageSize: Int
  let imageTokens: Int
  let context: Int
}

private struct ImageReport: Decodable {
  let warnings: [String]
}

extension Message: JSONText {
  var json: String {
    jsonObject([
      ("role", role), ("content", content), ("images", images.isEmpty ? nil : images),
    ])
  }
}

/// Text of the engine, which may hold U+0000.
private func string(_ text: UnsafePointer<CChar>, _ length: Int) -> String {
  String(decoding: UnsafeRawBufferPointer(start: text, count: length), as: UTF8.self)
}

private typealias Report = (OpaquePointer?, UnsafeMutablePointer<Int>?) -> UnsafePointer<CChar>?

private func decode<Value: Decodable>(
  _ type: Value.Type, from report: Report, _ object: OpaquePointer
) throws -> Value {
  var length = 0
  guard let text = report(object, &length) else {
    throw TinyVLMError(.internal, "a report of \(type) wanted, found none")
  }
  do {
    return try JSONDecoder().decode(type, from: Data(bytes: text, count: length))
  } catch {
    throw TinyVLMError(
      .internal, "a report of \(type) wanted, found \(string(text, length)): \(error)")
  }
}

private func decode<Value: Decodable>(
  _ type: Value.Type, session: OpaquePointer, from report: Report
) throws -> Value {
  try decode(type, from: report, session)
}

/// Whether a file is PNG or JPEG, by its first bytes.
private func isDecodedByTheEngine(_ file: Data) -> Bool {
  file.starts(with: [0x89, 0x50, 0x4E, 0x47]) || file.starts(with: [0xFF, 0xD8, 0xFF])
}

/// A whole file, mapped where that is safe.
func readFile(_ url: URL) throws -> Data {
  do {
    return try Data(contentsOf: url, options: .mappedIfSafe)
  } catch {
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw TinyVLMError(.notFound, "\(url.path) does not exist")
    }
    throw TinyVLMError(.io, "\(url.path) cannot be read: \(error.localizedDescription)")
  }
}
