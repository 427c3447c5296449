import Foundation
import XCTest

@testable import TinyVLM

/// The repository that this file lies in.
let repository = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()

let demoModel = repository.appendingPathComponent("model/tiny-vlm-demo.gguf")
let samples = repository.appendingPathComponent("examples-web/samples")

func sample(_ name: String) -> URL { samples.appendingPathComponent(name) }

/// A folder that is there until the test has ended.
func temporaryFolder(_ test: XCTestCase) throws -> URL {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("tinyvlm-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  test.addTeardownBlock { try? FileManager.default.removeItem(at: folder) }
  return folder
}

/// The TinyVLMError that `work` fails with.
func failure(
  file: StaticString = #filePath, line: UInt = #line, of work: () async throws -> Any
) async -> TinyVLMError? {
  do {
    let result = try await work()
    XCTFail("an error wanted, found \(result)", file: file, line: line)
  } catch let error as TinyVLMError {
    return error
  } catch {
    XCTFail("a TinyVLMError wanted, found \(error)", file: file, line: line)
  }
  return nil
}

/// All text of a stream.
func text(_ stream: AsyncThrowingStream<String, any Error>) async throws -> String {
  var whole = ""
  for try await piece in stream { whole += piece }
  return whole
}

/// An answer that takes seconds: so many letters are wanted.
let longAnswer = AskOptions(maxTokens: 1900, responseFormat: .pattern("[a-z ]{1500}"))

/// A counter for many threads.
final class Counter: @unchecked Sendable {
  private let lock = NSLock()
  private var value = 0
  var count: Int { lock.withLock { value } }
  @discardableResult func increment() -> Int {
    lock.withLock {
      value += 1
      return value
    }
  }
}
