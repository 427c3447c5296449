import Foundation
import XCTest

@testable import TinyVLM

private let question = "What is in this picture?"
private let image = ImageInput.file(sample("sample-2.png"))
private let right = "A pencil and a ring."

/// Chats that go on from what was said before, and answers that are stopped.
final class ChatTests: XCTestCase {
  func testAChatGoesOnFromPastMessages() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let whole = vlm.chat(system: "Be short.")
    let first = try await whole.answer(question, images: [image])
    let wanted = try await whole.answer("Is there a ring?")

    await vlm.releaseMemory()
    let restored = vlm.chat(
      system: "Be short.",
      messages: [.user(question, images: [image]), .assistant(first.text)])
    XCTAssertEqual(
      restored.messages,
      [
        ChatMessage(role: .system, content: "Be short.", images: 0),
        ChatMessage(role: .user, content: question, images: 1),
        ChatMessage(role: .assistant, content: first.text, images: 0),
      ])
    let found = try await restored.answer("Is there a ring?")
    XCTAssertEqual(found.text, wanted.text)
    XCTAssertEqual(found.usage.promptTokens, wanted.usage.promptTokens)
    XCTAssertEqual(found.usage.encodedImages, 1)
    XCTAssertEqual(restored.messages, whole.messages)

    let next = try await restored.answer("Is there a pencil?")
    XCTAssertEqual(next.usage.encodedImages, 0, "its image is kept")
    await vlm.releaseMemory()
    let shownAgain = try await restored.answer("And a cat?")
    XCTAssertEqual(shownAgain.usage.encodedImages, 1)
  }

  func testPastMessagesThatCannotBeAreErrorsOfTheQuestion() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let wrong: [(String, [PastMessage], TinyVLMError.Code)] = [
      ("an answer first", [.assistant("Hello.")], .invalidArgument),
      ("a question last", [.user("Hello?")], .invalidArgument),
      (
        "an image that is none",
        [.user("This?", images: [image, .data(Data([1, 2]))]), .assistant("No.")], .invalidImage
      ),
      (
        "an image that is gone",
        [.user("This?", images: [.file(sample("none.png"))]), .assistant("No.")], .notFound
      ),
    ]
    for (what, messages, code) in wrong {
      let chat = vlm.chat(messages: messages)
      for _ in 0..<2 {
        let error = await failure { try await chat.answer(question) }
        XCTAssertEqual(error?.code, code, "\(what): \(error?.message ?? "")")
      }
      XCTAssertEqual(chat.messages.count, messages.count, what)
    }
    let answer = try await vlm.chat(messages: []).answer(question, images: [image])
    XCTAssertEqual(answer.text, right)
  }

  func testAnAnswerThatIsStoppedIsToldWithItsNumbers() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let chat = vlm.chat()
    for ask in [
      { stop, onText in
        try await vlm.answer(
          image, "Tell me more.", options: longAnswer, stop: stop, onText: onText)
      },
      { stop, onText in
        try await chat.answer(
          "Tell me more.", images: [image], options: longAnswer, stop: stop, onText: onText)
      },
    ] as [(StopSignal, @escaping @Sendable (String) -> Void) async throws -> Answer] {
      let stop = StopSignal()
      let said = Counter()
      let answer = try await ask(stop) { _ in if said.increment() == 3 { stop.stop() } }
      XCTAssertEqual(answer.finishReason, .cancelled)
      XCTAssertFalse(answer.text.isEmpty)
      XCTAssertEqual(answer.usage.imageTokens, vlm.info.imageTokens)
      XCTAssertGreaterThan(answer.usage.promptTokens, answer.usage.imageTokens)
      XCTAssert((3..<1000).contains(answer.usage.completionTokens))
      XCTAssertGreaterThan(answer.timings.prefillMs, 0)

      let never = try await ask(stop) { _ in XCTFail("it was stopped before it began") }
      XCTAssertEqual(never, .nothing)
    }
    XCTAssertEqual(chat.messages.count, 2, "the turn that had words")
    let answer = try await vlm.answer(image, question)
    XCTAssertEqual(answer.text, right)
  }

  func testACancelledTaskThrowsAlsoWhereItIsStopped() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let (stop, said) = (StopSignal(), Counter())
    let task = Task {
      try await vlm.answer(image, "Tell me more.", options: longAnswer, stop: stop) { _ in
        said.increment()
      }
    }
    while said.count == 0 { await Task.yield() }
    task.cancel()
    stop.stop()
    do {
      _ = try await task.value
      XCTFail("an answer although its task was cancelled")
    } catch is CancellationError {}
  }

  func testStoppingAtFiftyRandomMoments() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let begin = Date()
    _ = try await vlm.answer(image, question)
    let whole = Date().timeIntervalSince(begin)
    var reasons: [Answer.FinishReason: Int] = [:]
    for number in 0..<50 {
      let stop = StopSignal()
      let shown = ImageInput.file(sample("sample-\(number % 6 + 1).png"))
      let task = Task { try await vlm.answer(shown, question, stop: stop) }
      try await Task.sleep(nanoseconds: UInt64(Double.random(in: 0...whole) * 1e9))
      stop.stop()
      let answer = try await task.value
      reasons[answer.finishReason, default: 0] += 1
    }
    print("stopped at random moments:", reasons)
    XCTAssertGreaterThan(reasons[.cancelled] ?? 0, 0)
    XCTAssertNil(reasons[.length])
  }
}
