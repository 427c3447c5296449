import Foundation
import XCTest

@testable import TinyVLM

private let model = try! Data(contentsOf: demoModel)

final class DownloadTests: XCTestCase {
  /// A download of `model.gguf` from a server that answers with `handler`.
  private func download(
    _ handler: @escaping @Sendable (TestServer.Request) -> TestServer.Reply
  ) throws -> (ModelDownload, TestServer) {
    let server = try TestServer(handler)
    addTeardownBlock { server.stop() }
    var download = ModelDownload(server.url.appendingPathComponent("model.gguf"))
    download.folder = try temporaryFolder(self)
    download.stallTimeout = 5
    return (download, server)
  }

  /// What lies in the folder of a download, but for its lock.
  private func files(_ download: ModelDownload) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: download.folder.path)
      .filter { !$0.hasSuffix(".lock") }.sorted()
  }

  func testAModelIsFetchedOnceAndAsked() async throws {
    let (download, server) = try download { .file(model, for: $0) }
    XCTAssertFalse(download.isKept)
    let last = Last<LoadProgress>()
    for _ in 0..<2 {
      let vlm = try await TinyVLM.load(.download(download)) { progress in
        if progress.phase == .download { last.value = progress }
      }
      let answer = try await vlm.answer(.file(sample("sample-1.png")), "What is in this picture?")
      XCTAssertEqual(answer.text, "A sunflower.")
    }
    XCTAssertEqual(server.requests.count, 1)
    let size = Int64(model.count)
    XCTAssertEqual(last.value, LoadProgress(phase: .download, loadedBytes: size, totalBytes: size))
    XCTAssertEqual(try Data(contentsOf: download.file), model)
    XCTAssertEqual(try files(download), [download.file.lastPathComponent])
    try download.delete()
    XCTAssertFalse(download.isKept)
    XCTAssertEqual(try files(download), [])
  }

  func testABrokenConnectionGoesOnWhereItWas() async throws {
    let count = Counter()
    let (download, server) = try download {
      var reply = TestServer.Reply.file(model, for: $0)
      if count.increment() <= 3 { reply.sentBytes = 1_500_000 }
      return reply
    }
    try await download.fetch()
    XCTAssertEqual(try Data(contentsOf: download.file), model)
    let starts = server.requests.map { $0.range?.first }
    XCTAssertEqual(starts, [nil, 1_500_000, 3_000_000, 4_500_000])
    XCTAssertEqual(server.requests.last?.headers["if-range"], "\"1\"")
  }

  func testAKilledDownloadIsNeverTakenForWhole() async throws {
    let stopping = Counter()
    let (download, server) = try download {
      var reply = TestServer.Reply.file(model, for: $0)
      if stopping.increment() == 1 { reply.pauseAfter = 2_000_000 }
      return reply
    }
    let there = Last<Int64>()
    let task = Task { try await download.fetch { there.value = $0.loadedBytes } }
    while there.value ?? 0 < 2_000_000 { try await Task.sleep(nanoseconds: 10_000_000) }
    task.cancel()
    do {
      _ = try await task.value
      XCTFail("a file although its download was cancelled")
    } catch is CancellationError {}
    XCTAssertFalse(download.isKept)
    // As a process that dies leaves it: the last bytes that were written are not what was sent.
    let handle = try FileHandle(forWritingTo: download.partial)
    try handle.seek(toOffset: 1_990_000)
    try handle.write(contentsOf: Data(count: 10_000))
    try handle.close()

    try await download.fetch()
    XCTAssertEqual(try Data(contentsOf: download.file), model)
    XCTAssertEqual(server.requests[1].range?.first, 2_000_000)
    XCTAssertEqual(server.requests.count, 3, "the rest, and the damaged piece alone")
    let piece = try XCTUnwrap(server.requests[2].range)
    XCTAssertEqual(try XCTUnwrap(piece.last) + 1 - piece.first, 1 << 20)
    XCTAssertTrue(piece.first <= 1_990_000 && 1_990_000 <= piece.last!)
  }

  func testAFileThatChangesOnTheServerIsBegunAnew() async throws {
    let count = Counter()
    let (download, _) = try download {
      if count.increment() == 1 {
        var old = TestServer.Reply.file(
          Data("GGUF".utf8) + Data(count: 7_000_000), for: $0, etag: "\"old\"")
        old.sentBytes = 3_000_000
        return old
      }
      return .file(model, for: $0, etag: "\"new\"")
    }
    try await download.fetch()
    XCTAssertEqual(try Data(contentsOf: download.file), model)
  }

  func testAServerWithoutValidatorsIsAskedForTheWhole() async throws {
    let count = Counter()
    let (download, server) = try download { _ in
      TestServer.Reply(body: model, sentBytes: count.increment() == 1 ? 1_000_000 : nil)
    }
    try await download.fetch()
    XCTAssertEqual(try Data(contentsOf: download.file), model)
    XCTAssertEqual(server.requests.map { $0.range?.first }, [nil, nil])
  }

  func testAPieceThatStaysDamagedIsAnError() async throws {
    var damaged = model
    damaged[4_000_000] ^= 1
    let (download, _) = try download { [damaged] in .file(damaged, for: $0) }
    let error = await failure { try await download.fetch() }
    XCTAssertEqual(error?.code, .invalidFile)
    XCTAssertEqual(try files(download), [])
  }

  func testADamagedHeaderOrEndIsAnError() async throws {
    var header = model
    header[100] ^= 1
    for wrong in [header, model.prefix(5_000_000), model + Data(count: 9), model.prefix(50)] {
      let (download, _) = try download { .file(wrong, for: $0) }
      let error = await failure { try await download.fetch() }
      XCTAssertEqual(error?.code, .invalidFile, "\(wrong.count) bytes")
      XCTAssertEqual(try files(download), [])
    }
  }

  func testWhatIsNoModelIsAnErrorAtOnce() async throws {
    let (page, _) = try download { _ in
      .init(body: Data("<!doctype html>".utf8) + Data(count: 9_000_000))
    }
    let notAModel = await failure { try await page.fetch() }
    XCTAssertEqual(notAModel?.code, .invalidFile)
    XCTAssertEqual(try files(page), [])

    let (missing, server) = try download { _ in .init(status: 404) }
    let notFound = await failure { try await missing.fetch() }
    XCTAssertEqual(notFound?.code, .http)
    XCTAssertEqual(notFound?.httpStatus, 404)
    XCTAssert(notFound?.message.contains("404") ?? false)
    XCTAssertEqual(server.requests.count, 1)
  }

  func testABusyServerIsAskedAgain() async throws {
    let count = Counter()
    let (download, server) = try download {
      count.increment() <= 2 ? .init(status: 503) : .file(model, for: $0)
    }
    try await download.fetch()
    XCTAssertEqual(server.requests.count, 3)
    var (hopeless, busy) = try self.download { _ in .init(status: 503) }
    hopeless.retries = 1
    let error = await failure { [hopeless] in try await hopeless.fetch() }
    XCTAssertEqual(error?.code, .http)
    XCTAssertEqual(error?.httpStatus, 503)
    XCTAssertEqual(busy.requests.count, 2)
  }

  func testNoServerAndAServerThatStalls() async throws {
    var (stalled, _) = try download {
      var reply = TestServer.Reply.file(model, for: $0)
      reply.pauseAfter = 1000
      return reply
    }
    stalled.stallTimeout = 1
    stalled.retries = 0
    let begin = Date()
    let stall = await failure { [stalled] in try await stalled.fetch() }
    XCTAssertEqual(stall?.code, .network)
    XCTAssertLessThan(Date().timeIntervalSince(begin), 5)

    var (gone, server) = try download { _ in .init() }
    server.stop()
    gone.retries = 0
    let error = await failure { [gone] in try await gone.fetch() }
    XCTAssertEqual(error?.code, .network)
    XCTAssertFalse(gone.isKept)
  }

  func testARedirectToAnotherOriginGoesWithoutHeaders() async throws {
    let other = try TestServer { .file(model, for: $0) }
    addTeardownBlock { other.stop() }
    let target = other.url.appendingPathComponent("elsewhere.gguf").absoluteString
    var (download, server) = try download { _ in
      .init(status: 302, headers: ["Location": target])
    }
    download.headers = ["Authorization": "Bearer secret"]
    let secret = download
    try await secret.fetch()
    XCTAssertEqual(try Data(contentsOf: secret.file), model)
    XCTAssertEqual(server.requests.first?.headers["authorization"], "Bearer secret")
    XCTAssertEqual(other.requests.count, 1)
    XCTAssertNil(other.requests[0].headers["authorization"])
    XCTAssertEqual(other.requests[0].headers["accept-encoding"], "identity")
  }

  func testTwoAtOnceFetchOnce() async throws {
    let (download, server) = try download { .file(model, for: $0) }
    async let first = download.fetch()
    async let second = download.fetch()
    let files = try await [first, second]
    XCTAssertEqual(files, [download.file, download.file])
    XCTAssertEqual(server.requests.count, 1)
  }

  /// scripts/swift.mjs gives the tests a disk of 2 MB.
  func testNoSpaceIsAnErrorAndNothingIsKept() async throws {
    guard let disk = ProcessInfo.processInfo.environment["TINYVLM_SMALL_DISK"] else {
      throw XCTSkip("TINYVLM_SMALL_DISK names no small disk")
    }
    var (download, _) = try download { .file(model, for: $0) }
    let kept = download
    download.folder = URL(fileURLWithPath: disk).appendingPathComponent("models")
    let error = await failure { [download] in try await download.fetch() }
    XCTAssertEqual(error?.code, .io)
    XCTAssert(error?.message.contains("No space left") ?? false, error?.message ?? "")
    XCTAssertFalse(download.isKept)
    try download.delete()
    try await kept.fetch()
    XCTAssertTrue(kept.isKept, "another place has room")
  }

  func testContentRanges() {
    XCTAssertEqual(parseContentRange("bytes 5-9/10").map { [$0.first, $0.total] }, [5, 10])
    XCTAssertEqual(parseContentRange("bytes 0-0/*").map { [$0.first, $0.total] }, [0, 0])
    for wrong in ["", "bytes */10", "pages 1-2/3", "bytes x-2/3"] {
      XCTAssertNil(parseContentRange(wrong), wrong)
    }
  }
}
