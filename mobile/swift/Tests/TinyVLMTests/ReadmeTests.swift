import Foundation
import TinyVLM
import XCTest

/// The Swift of README.md, docs/ios.md and docs/phones.md: scripts/swift.test.mjs compares it with
/// what stands between the two marks.
final class ReadmeTests: XCTestCase {
  func testTheLinesOfTheDocumentsRun() async throws {
    let (model, photo) = (demoModel, sample("sample-2.png"))
    // begin
    let vlm = try await TinyVLM.load(.file(model)) { print($0.loadedBytes, "of", $0.totalBytes) }

    for try await text in vlm.ask(.file(photo), "What is in this picture?") {
      print(text, terminator: "")
    }

    let chat = vlm.chat()
    let answer = try await chat.answer("Describe the image.", images: [.file(photo)])
    print(answer.text, answer.timings.tokensPerSecond)
    print(try await chat.answer("Is there a ring?").text)
    // end
    XCTAssertEqual(answer.text, "A pencil and a ring.")
    XCTAssertEqual(chat.messages.count, 4)
  }
}
