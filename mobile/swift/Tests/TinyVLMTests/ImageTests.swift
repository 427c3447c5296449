import Foundation
import XCTest

@testable import TinyVLM

final class ImageTests: XCTestCase {
  /// Two pixels wide, three high, as it is to be seen.
  private let upright: [UInt8] = [1, 2, 3, 4, 5, 6]

  // What a file with each EXIF orientation stores of `upright`, row by row, after EXIF 2.3: value 6,
  // for example, says that row 0 is the right side and column 0 the top.
  private let stored: [(Orientation, width: Int, rows: [UInt8])] = [
    (.up, 2, [1, 2, 3, 4, 5, 6]),
    (.upMirrored, 2, [2, 1, 4, 3, 6, 5]),
    (.down, 2, [6, 5, 4, 3, 2, 1]),
    (.downMirrored, 2, [5, 6, 3, 4, 1, 2]),
    (.leftMirrored, 3, [1, 3, 5, 2, 4, 6]),
    (.right, 3, [2, 4, 6, 1, 3, 5]),
    (.rightMirrored, 3, [6, 4, 2, 5, 3, 1]),
    (.left, 3, [5, 3, 1, 6, 4, 2]),
  ]

  func testEveryOrientationIsTurnedUpright() throws {
    XCTAssertEqual(stored.map(\.0), Orientation.allCases)
    for (orientation, width, rows) in stored {
      let bytes = Data(rows.flatMap { [$0, 100 + $0, 200 + $0] })
      let image = try ImageInput.rgb(
        bytes, width: width, height: 6 / width, orientation: orientation)
      guard case .pixels(let pixels) = image.content else { return XCTFail("no pixels") }
      XCTAssertEqual(pixels.width, 2, "\(orientation)")
      XCTAssertEqual(pixels.height, 3, "\(orientation)")
      let found = stride(from: 0, to: 18, by: 3).map { pixels.bytes[$0] }
      XCTAssertEqual(found, upright, "\(orientation)")
    }
  }

  /// Left half `left`, right half `right`, of 64 by 32 pixels.
  private func halves(_ left: [UInt8], _ right: [UInt8]) -> Data {
    Data((0..<32).flatMap { _ in (0..<64).flatMap { $0 < 32 ? left : right } })
  }

  func testTheEngineSeesPixelsAndTheirOrientation() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let options = AskOptions(maxTokens: 4, logprobs: 5)
    func asked(_ image: ImageInput) async throws -> [Answer.TokenLogprob]? {
      try await vlm.answer(image, "What is in this picture?", options: options).logprobs
    }
    let (red, blue): ([UInt8], [UInt8]) = ([255, 0, 0], [0, 0, 255])
    let plain = try await asked(.rgb(halves(red, blue), width: 64, height: 32))
    let mirrored = try await asked(
      .rgb(halves(blue, red), width: 64, height: 32, orientation: .upMirrored))
    XCTAssertEqual(plain, mirrored)
    let opaque = try await asked(
      .rgba(halves(red + [255], blue + [255]), width: 64, height: 32))
    XCTAssertEqual(plain, opaque)
    let other = try await asked(.rgb(halves(blue, red), width: 64, height: 32))
    XCTAssertNotEqual(plain, other)
    // What is transparent is white.
    let white: [UInt8] = [255, 255, 255]
    let seen = try await asked(
      .rgba(halves(red + [0], blue + [255]), width: 64, height: 32))
    let drawn = try await asked(.rgb(halves(white, blue), width: 64, height: 32))
    XCTAssertEqual(seen, drawn)
  }

  func testPixelsThatDoNotFitTheirSizeAreErrors() async {
    for (bytes, width, height) in [(11, 2, 2), (12, 0, 4), (12, -2, -2), (12, .max, .max)] {
      let error = await failure {
        try ImageInput.rgb(Data(count: bytes), width: width, height: height)
      }
      XCTAssertEqual(error?.code, .invalidArgument)
    }
  }

  func testATruncatedPhotoIsAnsweredWithAWarningOrRefused() async throws {
    let vlm = try await TinyVLM.load(.file(demoModel))
    let photo = try Data(contentsOf: sample("sample-1-1024.jpg"))
    let cut = ImageInput.data(photo.prefix(photo.count * 3 / 4))
    let answer = try await vlm.answer(cut, "What is in this picture?")
    XCTAssertFalse(answer.warnings.isEmpty)
    let refused = await failure {
      try await vlm.answer(cut, "What is in this picture?", options: AskOptions(strict: true))
    }
    XCTAssertEqual(refused?.code, .invalidImage)
    for useless in [Data(), Data("<html>".utf8), photo.prefix(100)] {
      let error = await failure { try await vlm.answer(.data(useless), "What is this?") }
      XCTAssertEqual(error?.code, .invalidImage, "\(useless.count) bytes")
    }
    let missing = await failure { try await vlm.answer(.file(sample("no.png")), "What is this?") }
    XCTAssertEqual(missing?.code, .notFound)
    let whole = try await vlm.answer(.data(photo), "What is in this picture?")
    XCTAssertEqual(whole.text, "A sunflower.", "the model lives on")
  }

  func testSHA256() {
    XCTAssertEqual(
      sha256(Data()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    XCTAssertEqual(
      sha256(Data("abc".utf8)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    XCTAssertEqual(
      sha256(Data(repeating: 0x61, count: 1_000_000)),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }
}
