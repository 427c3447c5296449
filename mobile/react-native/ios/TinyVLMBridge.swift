import Foundation
import TinyVLM
import UIKit

/// What the native module does, over the Swift package TinyVLM. JavaScript asks a model one
/// question after the other, and chooses the numbers by which it speaks of models, chats and
/// questions. No method waits.
@objc(TinyVLMBridge)
public final class TinyVLMBridge: NSObject, @unchecked Sendable {
  public typealias Emit = ([String: Any]) -> Void
  public typealias LoadImage = (URL, @escaping (UIImage?, (any Error)?) -> Void) -> Void
  public typealias Resolve = (Any?) -> Void
  public typealias Reject = (String?, String?, (any Error)?) -> Void

  private struct OpenModel {
    let vlm: TinyVLM
    let file: URL
    let options: LoadOptions
  }

  private struct OpenChat {
    let model: Double
    let chat: Chat
  }

  private struct State {
    var models: [Double: OpenModel] = [:]
    var chats: [Double: OpenChat] = [:]
    var loads: [Double: Task<Void, Never>] = [:]
    var questions: [Double: StopSignal] = [:]
  }

  private let onText: Emit
  private let onProgress: Emit
  private let images: ImageReader
  private let lock = NSLock()
  private var state = State()

  /// - Parameters:
  ///   - onText: Sends a TextEvent to JavaScript.
  ///   - onProgress: Sends a ProgressEvent.
  ///   - loadImage: Loads an image that is no file; calls back with neither image nor error where
  ///     nothing can.
  @objc(initOnText:onProgress:loadImage:)
  public init(
    onText: @escaping Emit, onProgress: @escaping Emit, loadImage: @escaping LoadImage
  ) {
    self.onText = onText
    self.onProgress = onProgress
    images = ImageReader(loadImage: loadImage)
  }

  @objc(load:source:options:resolve:reject:)
  public func load(
    _ model: Double, source: [String: Any], options: [String: Any],
    resolve: @escaping Resolve, reject: @escaping Reject
  ) {
    start(\.loads, model, resolve, reject) { [self] in
      let (from, file) = try modelSource(source)
      let given = LoadOptions(given: options)
      let pace = Pace(seconds: 0.05)
      let vlm = try await TinyVLM.load(from, options: given) { [onProgress] progress in
        if pace.isDue() || progress.loadedBytes == progress.totalBytes {
          onProgress(progressEvent(model, progress))
        }
      }
      let open = OpenModel(vlm: vlm, file: file, options: given)
      change { $0.models[model] = open }
      return infoObject(vlm.info)
    }
  }

  @objc(cancelLoad:)
  public func cancelLoad(_ model: Double) {
    change { $0.loads[model] }?.cancel()
  }

  @objc(ask:model:chat:images:text:options:resolve:reject:)
  public func ask(
    _ question: Double, model: Double, chat: Double, images given: [[String: Any]], text: String,
    options: [String: Any], resolve: @escaping Resolve, reject: @escaping Reject
  ) {
    let stop = StopSignal()
    change { $0.questions[question] = stop }
    start(nil, question, resolve, reject) { [self] in
      let said = TextBatches { [onText] piece in onText(["question": question, "text": piece]) }
      defer {
        said.close()  // what was not sent is in the answer
        change { $0.questions[question] = nil }
      }
      let inputs = try await images.read(given)
      let asked = AskOptions(given: options)
      let answer =
        try await chat == 0
        ? openModel(model).vlm.answer(
          inputs, text, options: asked, stop: stop, onText: { said.add($0) })
        : openChat(chat).answer(
          text, images: inputs, options: asked, stop: stop, onText: { said.add($0) })
      return answerObject(answer)
    }
  }

  @objc(cancel:)
  public func cancel(_ question: Double) {
    change { $0.questions[question] }?.stop()
  }

  @objc(openChat:model:system:messages:resolve:reject:)
  public func openChat(
    _ chat: Double, model: Double, system: String?, messages: [[String: Any]],
    resolve: @escaping Resolve, reject: @escaping Reject
  ) {
    start(nil, chat, resolve, reject) { [self] in
      var past: [PastMessage] = []
      for message in messages {
        let content = message["content"] as? String ?? ""
        let shown = try await images.read(message["images"] as? [[String: Any]] ?? [])
        past.append(
          message["role"] as? String == "assistant"
            ? .assistant(content) : .user(content, images: shown))
      }
      let begun = try openModel(model).vlm.chat(system: system, messages: past)
      change { $0.chats[chat] = OpenChat(model: model, chat: begun) }
      return nil
    }
  }

  @objc(closeChat:)
  public func closeChat(_ chat: Double) {
    // It ends with its last reference, which is this one, after the lock.
    _ = change { $0.chats.removeValue(forKey: chat) }
  }

  @objc(memoryBytes:resolve:reject:)
  public func memoryBytes(
    _ model: Double, resolve: @escaping Resolve, reject: @escaping Reject
  ) {
    start(nil, model, resolve, reject) { [self] in
      let open = try openModel(model)
      let estimate = try TinyVLM.estimateMemory(of: open.file, options: open.options)
      return estimate.weightBytes + estimate.tokenizerBytes + estimate.keyValueBytes
        + estimate.activationBytes
    }
  }

  @objc(dispose:resolve:reject:)
  public func dispose(_ model: Double, resolve: @escaping Resolve, reject: @escaping Reject) {
    start(nil, model, resolve, reject) { [self] in
      let (closed, _) = change { state in
        let chats = state.chats.filter { $0.value.model == model }
        for number in chats.keys { state.chats[number] = nil }
        return (state.models.removeValue(forKey: model), chats)
      }
      await closed?.vlm.close()
      return nil
    }
  }

  @objc(deleteDownload:resolve:reject:)
  public func deleteDownload(
    _ url: String, resolve: @escaping Resolve, reject: @escaping Reject
  ) {
    start(nil, 0, resolve, reject) {
      let download = ModelDownload(try webAddress(url))
      let kept = try? FileManager.default.contentsOfDirectory(atPath: download.folder.path)
      let name = download.file.lastPathComponent
      // Of a download that has not ended there are files beside it.
      let isThere = (kept ?? []).contains { $0.hasPrefix(name) && !$0.hasSuffix(".lock") }
      try download.delete()
      return isThere
    }
  }

  /// JavaScript ends, or starts anew: nobody knows the numbers any more.
  @objc(invalidate)
  public func invalidate() {
    let last = change { state in
      defer { state = State() }
      return state
    }
    for task in last.loads.values { task.cancel() }
    for stop in last.questions.values { stop.stop() }
    for open in last.models.values { Task { await open.vlm.close() } }
  }

  // MARK: -

  private func change<Result>(_ body: (inout State) -> Result) -> Result {
    lock.withLock { body(&state) }
  }

  private func openModel(_ number: Double) throws -> OpenModel {
    guard let open = change({ $0.models[number] }) else {
      throw BridgeError(.notReady, "the model was disposed; load it again")
    }
    return open
  }

  private func openChat(_ number: Double) throws -> Chat {
    guard let open = change({ $0.chats[number] }) else {
      throw BridgeError(.notReady, "the chat or its model was disposed")
    }
    return open.chat
  }

  /// Does work and settles its promise; `tasks` keeps it until then, so that it can be cancelled.
  private func start(
    _ tasks: WritableKeyPath<State, [Double: Task<Void, Never>]>?, _ number: Double,
    _ resolve: @escaping Resolve, _ reject: @escaping Reject,
    _ work: @escaping () async throws -> Any?
  ) {
    // Under the lock, so that a task does not end before it is kept.
    change { state in
      let task = Task { [self] in
        do {
          resolve(try await work())
        } catch let error as TinyVLMError {
          // React Native hands the user info of an NSError on, and nothing else of an error.
          let details = error.httpStatus.map { ["status": $0] } ?? [:]
          let told = NSError(domain: "TinyVLM", code: 0, userInfo: details)
          reject(error.code.rawValue, error.message, told)
        } catch let error as BridgeError {
          reject(error.code.rawValue, error.message, error)
        } catch is CancellationError {
          reject(TinyVLMError.Code.aborted.rawValue, "the work was cancelled", nil)
        } catch {
          reject(TinyVLMError.Code.internal.rawValue, "unexpected \(error)", error)
        }
        if let tasks { change { $0[keyPath: tasks][number] = nil } }
      }
      if let tasks { state[keyPath: tasks][number] = task }
    }
  }
}

/// An error of the native module itself; TinyVLM makes its own.
struct BridgeError: Error {
  let code: TinyVLMError.Code
  let message: String

  init(_ code: TinyVLMError.Code, _ message: String) {
    self.code = code
    self.message = message
  }
}
