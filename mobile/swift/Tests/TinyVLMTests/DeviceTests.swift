import Foundation
import XCTest

@testable import TinyVLM

private let question = "What is in this picture?"
private let image = ImageInput.file(sample("sample-2.png"))

/// A system whose state the tests choose, and which warns when they say so.
private final class FakeSystem: @unchecked Sendable {
  private let lock = NSLock()
  private var state: DeviceState
  private var watchers: [Watcher] = []

  private struct Watcher {
    weak var life: Life?
    let warned: @Sendable () -> Void
  }

  private final class Life: Sendable {}

  init(_ state: DeviceState) { self.state = state }

  var system: HostSystem {
    HostSystem(
      device: { [self] in lock.withLock { state } },
      watchMemory: { [self] warned in
        let life = Life()
        lock.withLock { watchers.append(Watcher(life: life, warned: warned)) }
        return life
      })
  }

  /// Models that would hear a warning.
  var listening: Int { lock.withLock { watchers.filter { $0.life != nil }.count } }

  func become(_ state: DeviceState) { lock.withLock { self.state = state } }

  func warn() {
    let all = lock.withLock { watchers }
    for watcher in all where watcher.life != nil { watcher.warned() }
  }
}

final class DeviceTests: XCTestCase {
  func testThreadsAreTheFastCoresAndHalfOfThemWhereLessIsWanted() {
    for (cores, all, half) in [(1, 1, 1), (2, 2, 1), (4, 4, 2), (6, 6, 3), (16, 8, 4)] {
      XCTAssertEqual(DeviceState(fastCores: cores).recommendedThreads, all)
      for state in [
        DeviceState(fastCores: cores, savesEnergy: true),
        DeviceState(fastCores: cores, isHot: true),
        DeviceState(fastCores: cores, savesEnergy: true, isHot: true),
      ] {
        XCTAssertEqual(state.recommendedThreads, half, "\(state)")
      }
    }
    XCTAssert((1...8).contains(DeviceState.now().recommendedThreads))
  }

  func testAModelIsLoadedForTheDeviceAsItIsThen() async throws {
    let fake = FakeSystem(DeviceState(fastCores: 4))
    let source = ModelSource.file(demoModel)
    func threads(_ options: LoadOptions = LoadOptions()) async throws -> Int {
      try await TinyVLM.load(source, options: options, on: fake.system).info.threads
    }
    var found = try await threads()
    XCTAssertEqual(found, 4)
    fake.become(DeviceState(fastCores: 4, isHot: true))
    found = try await threads()
    XCTAssertEqual(found, 2)
    found = try await threads(LoadOptions(threads: 3))
    XCTAssertEqual(found, 3, "the caller's choice")
  }

  func testAWarningGivesBackMemoryAndChangesNoAnswer() async throws {
    let fake = FakeSystem(DeviceState(fastCores: 2))
    var vlm: TinyVLM? = try await TinyVLM.load(
      .file(demoModel), options: LoadOptions(), on: fake.system)
    let chat = vlm!.chat()
    let first = try await chat.answer(question, images: [image])
    let again = try await chat.answer("Is there a ring?")
    XCTAssertGreaterThan(again.usage.reusedTokens, 0)

    fake.warn()
    let fresh = try await vlm!.answer(image, question)
    XCTAssertEqual(fresh.text, first.text)
    XCTAssertEqual(fresh.usage.reusedTokens, 0, "the context was given back")

    // Warned in the middle of an answer, which goes on.
    let begun = Counter()
    let answer = try await vlm!.answer(image, question) { [fake] _ in
      if begun.increment() == 1 { fake.warn() }
    }
    XCTAssertEqual(answer.text, first.text)
    let later = try await chat.answer("Is there a pencil?")
    XCTAssertEqual(later.usage.encodedImages, 1, "the chat's image is shown again")

    XCTAssertEqual(fake.listening, 1)
    await vlm!.close()
    fake.warn()  // to a model that is closed
    let error = await failure { [vlm] in try await vlm!.answer(image, question) }
    XCTAssertEqual(error?.code, .notReady)
    vlm = nil
    XCTAssertEqual(fake.listening, 0)
  }

  func testWarningsWhileEightTasksAsk() async throws {
    let fake = FakeSystem(DeviceState(fastCores: 2))
    let vlm = try await TinyVLM.load(.file(demoModel), options: LoadOptions(), on: fake.system)
    let warning = Task {
      while !Task.isCancelled {
        fake.warn()
        try await Task.sleep(nanoseconds: 3_000_000)
      }
    }
    let answers = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<8 {
        group.addTask {
          let chat = vlm.chat()
          let first = try await chat.answer(question, images: [image])
          return try await first.text + " " + chat.answer(question).text
        }
      }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    warning.cancel()
    XCTAssertEqual(answers.count, 1, "\(answers)")
    XCTAssert(answers.first?.hasPrefix("A pencil and a ring. ") ?? false, "\(answers)")
  }
}
