import Foundation
import XCTest

@testable import TinyVLM

final class AnswerTests: XCTestCase {
  private struct Sample: Decodable {
    struct Asked: Decodable {
      let question: String
      let answer: String
    }
    let image: String
    let large: String
    let questions: [Asked]
  }

  func testSamplesGetTheAnswersOfTheWebBuild() async throws {
    let recorded = try JSONDecoder().decode(
      [Sample].self, from: Data(contentsOf: sample("samples.json")))
    XCTAssertEqual(recorded.count, 6)
    let vlm = try await TinyVLM.load(.file(demoModel))
    for sample in recorded {
      for image in [sample.image, sample.large] {
        for asked in sample.questions {
          let found = try await text(
            vlm.ask(.file(TinyVLMTests.sample(image)), asked.question))
          XCTAssertEqual(found, asked.answer, "\(image): \(asked.question)")
        }
      }
    }
  }

  func testSourcesOfModelAndImageDoNotMatter() async throws {
    let bytes = try Data(contentsOf: demoModel)
    let image = try Data(contentsOf: sample("sample-2.png"))
    for source in [ModelSource.file(demoModel), .data(bytes)] {
      let vlm = try await TinyVLM.load(source)
      XCTAssertEqual(vlm.info.name, "demo-model")
      XCTAssertEqual(vlm.info.imageSize, 256)
      let answer = try await vlm.answer(.data(image), "What is in this picture?")
      XCTAssertEqual(answer.text, "A pencil and a ring.")
      XCTAssertEqual(answer.finishReason, .stop)
      XCTAssertEqual(answer.usage.encodedImages, 1)
      XCTAssertEqual(answer.usage.imageTokens, vlm.info.imageTokens)
      XCTAssertGreaterThan(answer.timings.visionMs, 0)
      XCTAssertEqual(answer.warnings, [])
      await vlm.close()
    }
  }

  func testProgressEndsWithTheWholeFile() async throws {
    let last = Last<LoadProgress>()
    _ = try await TinyVLM.load(.file(demoModel), progress: { last.value = $0 })
    XCTAssertEqual(
      last.value, LoadProgress(phase: .load, loadedBytes: 6_350_464, totalBytes: 6_350_464))
  }

  func testOptionsReachTheEngine() async throws {
    let options = LoadOptions(threads: 2, context: 512, resize: .pad, compute: .f32)
    let vlm = try await TinyVLM.load(.file(demoModel), options: options)
    XCTAssertEqual(vlm.info.threads, 2)
    XCTAssertEqual(vlm.info.context, 512)
    let smaller = try await TinyVLM.load(.file(demoModel), options: LoadOptions(imageSize: 128))
    XCTAssertEqual(smaller.info.imageSize, 128)
    XCTAssertLessThan(smaller.info.imageTokens, vlm.info.imageTokens)
    let image = ImageInput.file(sample("sample-2.png"))
    let question = "What is in this picture?"
    let cut = try await vlm.answer(image, question, options: AskOptions(maxTokens: 2))
    XCTAssertEqual(cut.finishReason, .length)
    XCTAssertEqual(cut.usage.completionTokens, 2)
    let stopped = try await vlm.answer(image, question, options: AskOptions(stop: [" and"]))
    XCTAssertEqual(stopped.text, "A pencil")
    let chosen = try await vlm.answer(
      image, question, options: AskOptions(responseFormat: .choices(["yes", "no"])))
    XCTAssert(["yes", "no"].contains(chosen.text), chosen.text)
    let schema = #"{"type":"object","properties":{"n":{"enum":[1,2]}},"required":["n"]}"#
    let structured = try await vlm.answer(
      image, question, options: AskOptions(responseFormat: .schema(schema)))
    let value = try JSONSerialization.jsonObject(with: Data(structured.text.utf8))
    XCTAssertNotNil((value as? [String: Int])?["n"], structured.text)
    let told = try await vlm.answer(image, question, options: AskOptions(logprobs: 2))
    XCTAssertEqual(told.logprobs?.first?.top.count, 2)
    XCTAssertLessThanOrEqual(told.logprobs?.first?.logprob ?? 1, 0)
    let sampled = AskOptions(temperature: 1.5, topK: 50, seed: .max)
    let first = try await vlm.answer(image, question, options: sampled)
    let second = try await vlm.answer(image, question, options: sampled)
    XCTAssertEqual(first.text, second.text)
  }

  func testOptionsThatCannotBeAreErrors() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    for options in [
      AskOptions(maxTokens: 0), AskOptions(topP: 2), AskOptions(temperature: .nan),
      AskOptions(responseFormat: .schema("{")), AskOptions(responseFormat: .choices([])),
    ] {
      let error = await failure { try await vlm.answer(nil, "What?", options: options) }
      XCTAssertEqual(error?.code, .invalidArgument, "\(options)")
      XCTAssertFalse(error?.message.isEmpty ?? true)
    }
    let threads = await failure {
      try await TinyVLM.load(.file(demoModel), options: LoadOptions(threads: 65))
    }
    XCTAssertEqual(threads?.code, .invalidArgument)
    let answer = try await vlm.answer(.file(sample("sample-1.png")), "What is in this picture?")
    XCTAssertEqual(answer.text, "A sunflower.", "the model lives on")
  }

  func testTextsReachTheEngineAsTheyAre() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let question = "\"Quotes\" \\ and \n\t\u{0}\u{1f} ünïcödé 🍓?"
    let answer = try await vlm.answer(
      nil, question, options: AskOptions(maxTokens: 1, system: "\u{2028}\""))
    XCTAssertEqual(answer.usage.completionTokens, 1)
    XCTAssertEqual("a\"\\\n\u{1}é".json, #""a\"\\\u000a\u0001é""#)
  }

  func testSeveralImages() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let images = (1...2).map { ImageInput.file(sample("sample-\($0).png")) }
    let answer = try await vlm.answer(images, "What is in this picture?")
    XCTAssertEqual(answer.usage.imageTokens, 2 * vlm.info.imageTokens)
  }

  func testAChatRemembersAndDoesNotComputeAgain() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let chat = vlm.chat()
    let first = try await chat.answer(
      "What is in this picture?", images: [.file(sample("sample-2.png"))])
    XCTAssertEqual(first.text, "A pencil and a ring.")
    let second = try await chat.answer("Is there a ring?")
    XCTAssertEqual(second.usage.encodedImages, 0)
    XCTAssertGreaterThan(second.usage.reusedTokens, first.usage.imageTokens)
    XCTAssertEqual(chat.messages.map(\.role), [.user, .assistant, .user, .assistant])
    XCTAssertEqual(chat.messages.map(\.images), [1, 0, 0, 0])
    XCTAssertEqual(chat.messages[3].content, second.text)

    // A question that fails leaves the conversation as it was.
    let error = await failure {
      try await chat.answer("And this?", images: [.data(Data([1, 2, 3]))])
    }
    XCTAssertEqual(error?.code, .invalidImage)
    XCTAssertEqual(chat.messages.count, 4)

    // Nor does giving back memory change what is answered.
    let fresh = try await vlm.chat().answer(
      "What is in this picture?", images: [.file(sample("sample-2.png"))])
    XCTAssertEqual(fresh.text, first.text)
    await vlm.releaseMemory()
    let third = try await chat.answer("Is there a pencil?")
    XCTAssertEqual(third.usage.encodedImages, 1)
    XCTAssertEqual(third.usage.reusedTokens, 0)
    let system = await failure {
      try await chat.answer("Well?", options: AskOptions(system: "Be brief."))
    }
    XCTAssertEqual(system?.code, .invalidArgument)
  }

  func testMemoryIsEstimatedFromTheHeader() throws {
    let small = try TinyVLM.estimateMemory(of: demoModel, options: LoadOptions(context: 256))
    let large = try TinyVLM.estimateMemory(of: demoModel, options: LoadOptions(context: 2048))
    XCTAssertGreaterThan(small.weightBytes, 5_000_000)
    XCTAssertEqual(large.keyValueBytes, 8 * small.keyValueBytes)
    XCTAssertThrowsError(try TinyVLM.estimateMemory(of: sample("nothing.gguf"))) {
      XCTAssertEqual(($0 as? TinyVLMError)?.code, .notFound)
    }
  }

  func testTheEngineComputesRightlyHere() throws {
    try TinyVLM.selfTest()
    XCTAssertEqual(TinyVLM.engineVersion.split(separator: ".").count, 3)
  }
}

/// What a callback was told last.
final class Last<Value: Sendable>: @unchecked Sendable {
  private let lock = NSLock()
  private var stored: Value?
  var value: Value? {
    get { lock.withLock { stored } }
    set { lock.withLock { stored = newValue } }
  }
}
