import Foundation
import XCTest

@testable import TinyVLM

private let question = "What is in this picture?"
private let image = ImageInput.file(sample("sample-2.png"))
private let right = "A pencil and a ring."

final class LifeTests: XCTestCase {
  #if os(Linux)
    /// Bytes of this process in memory, without those that malloc keeps for later.
    private func residentBytes() throws -> Int {
      let trim = try XCTUnwrap(dlsym(nil, "malloc_trim"))
      _ = unsafeBitCast(trim, to: (@convention(c) (Int) -> Int32).self)(0)
      let words = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
      return Int(words.split(separator: " ")[1])! * 4096
    }

    func testAThousandModelsLeaveNoMemoryBehind() async throws {
      var found: [Int: Int] = [:]
      for cycle in 1...1000 {
        let vlm = try await TinyVLM.load(.file(demoModel), options: LoadOptions(context: 128))
        let answer = try await vlm.answer(image, question, options: AskOptions(maxTokens: 2))
        XCTAssertEqual(answer.text, "A pencil")
        if cycle % 2 == 0 { await vlm.close() }  // else by going out of scope
        if cycle % 100 == 0 { found[cycle] = try residentBytes() }
      }
      print("resident bytes by models so far:", found.sorted { $0.key < $1.key })
      // Each model takes more than 7 MB, of which malloc may keep the place of one for the next.
      // What stays of a model would add up to 700 times as much: 12 MB if it were 18 kB.
      let grown = try XCTUnwrap(found[1000]) - XCTUnwrap(found[300])
      XCTAssertLessThan(grown, 12_000_000)
    }
  #endif

  func testAHundredQuestionsCancelledAtRandomMoments() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let begin = Date()
    _ = try await vlm.answer(image, question)
    let whole = Date().timeIntervalSince(begin)
    var (answered, cancelled) = (0, 0)
    var random = SystemRandomNumberGenerator()
    for number in 0..<100 {
      let moment = Double.random(in: 0...whole, using: &random)
      // Of another image each time, so that the vision encoder works, too.
      let shown = ImageInput.file(sample("sample-\(number % 6 + 1).png"))
      let task = Task { try await vlm.answer(shown, question) }
      try await Task.sleep(nanoseconds: UInt64(moment * 1e9))
      task.cancel()
      do {
        let answer = try await task.value
        XCTAssertEqual(answer.finishReason, .stop)
        answered += 1
      } catch is CancellationError {
        cancelled += 1
      }
    }
    print("\(answered) answered, \(cancelled) cancelled")
    XCTAssertGreaterThan(cancelled, 0)
    let answer = try await vlm.answer(image, question)
    XCTAssertEqual(answer.text, right)
  }

  func testAConsumerThatStopsEndsTheWork() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    for try await _ in vlm.ask(image, "Tell me more.", options: longAnswer) { break }
    let begin = Date()
    let answer = try await vlm.answer(image, question)
    XCTAssertEqual(answer.text, right)
    let waited = Date().timeIntervalSince(begin)

    let whole = Date()
    _ = try await text(vlm.ask(image, "Tell me more.", options: longAnswer))
    let took = Date().timeIntervalSince(whole)
    XCTAssertLessThan(waited, took / 2, "the question before went on")
  }

  func testACancelledStreamEnds() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let pieces = Counter()
    let task = Task {
      for try await _ in vlm.ask(image, "Tell me more.", options: longAnswer) {
        pieces.increment()
      }
    }
    while pieces.count < 3 { await Task.yield() }
    task.cancel()
    try await task.value
    XCTAssertLessThan(pieces.count, 1000)
  }

  func testACancelledLoadEnds() async throws {
    let task = Task { try await TinyVLM.load(.file(demoModel)) }
    task.cancel()
    do {
      _ = try await task.value
      XCTFail("a model although its loading was cancelled")
    } catch is CancellationError {}
  }

  func testEightTasksOnOneModel() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let answers = try await eight { _ in vlm }
    XCTAssertEqual(Set(answers), ["\(right) \(right)"])
  }

  func testEightTasksWithModelsOfTheirOwn() async throws {
    let options = LoadOptions(threads: 1, context: 512)
    let answers = try await eight { _ in
      try await TinyVLM.load(.file(demoModel), options: options)
    }
    XCTAssertEqual(Set(answers), ["\(right) \(right)"])
  }

  private func eight(
    _ model: @escaping @Sendable (Int) async throws -> TinyVLM
  ) async throws -> [String] {
    try await withThrowingTaskGroup(of: String.self) { group in
      for number in 0..<8 {
        group.addTask {
          let vlm = try await model(number)
          let first = try await text(vlm.ask(image, question))
          let chat = vlm.chat()
          return try await first + " " + chat.answer(question, images: [image]).text
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  func testUseAfterCloseIsAnError() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let chat = vlm.chat()
    _ = try await chat.answer(question, images: [image])
    await vlm.close()
    await vlm.close()
    await vlm.releaseMemory()
    for ask in [{ try await vlm.answer(image, question) }, { try await chat.answer("And?") }] {
      let error = await failure { try await ask() }
      XCTAssertEqual(error?.code, .notReady)
    }
    let error = await failure { try await text(vlm.ask(image, question)) }
    XCTAssertEqual(error?.code, .notReady)
  }

  func testCloseEndsWhatIsUnderWay() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let begun = Counter()
    let running = Task {
      try await vlm.answer(image, "Tell me more.", options: longAnswer) { _ in begun.increment() }
    }
    while begun.count == 0 { await Task.yield() }
    let waiting = Task { try await vlm.answer(image, question) }
    try await Task.sleep(nanoseconds: 10_000_000)
    await vlm.close()
    let first = await failure { try await running.value }
    XCTAssertEqual(first?.code, .aborted)
    let second = await failure { try await waiting.value }
    XCTAssertEqual(second?.code, .notReady)
  }

  func testAModelMayGoWhileItsAnswerComes() async throws {
    var vlm: TinyVLM? = try await TinyVLM.load(.file(demoModel))
    let stream = vlm!.ask(image, question)
    vlm = nil
    let found = try await text(stream)
    XCTAssertEqual(found, right)
  }

  func testFilesThatAreNoModels() async throws {
    let folder = try temporaryFolder(self)
    let whole = try Data(contentsOf: demoModel)
    var flipped = whole
    flipped[3_000_000] ^= 1
    let files: [(String, Data)] = [
      ("flipped", flipped), ("truncated", whole.prefix(5_000_000)), ("header", whole.prefix(1000)),
      ("page", Data("<!doctype html><title>404</title>".utf8)), ("empty", Data()),
      ("longer", whole + Data(count: 100)),
    ]
    for (name, bytes) in files {
      let file = folder.appendingPathComponent(name)
      try bytes.write(to: file)
      for source in [ModelSource.file(file), .data(bytes)] {
        let error = await failure { try await TinyVLM.load(source) }
        XCTAssertEqual(error?.code, .invalidFile, "\(name): \(error?.message ?? "")")
      }
    }
    let missing = await failure {
      try await TinyVLM.load(.file(folder.appendingPathComponent("missing")))
    }
    XCTAssertEqual(missing?.code, .notFound)
    let resource = await failure { try await TinyVLM.load(.bundle("missing.gguf")) }
    XCTAssertEqual(resource?.code, .notFound)
  }
}
