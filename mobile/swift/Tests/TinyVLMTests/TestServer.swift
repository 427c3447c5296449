import Foundation

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#endif

/// A small HTTP server on this machine that does what a test tells it to, faults included.
final class TestServer: @unchecked Sendable {
  struct Request: Sendable {
    let path: String
    let headers: [String: String]  // names in lower case

    /// The first and the last byte of "bytes=5-9"; the last is missing in "bytes=5-".
    var range: (first: Int, last: Int?)? {
      guard let text = headers["range"], text.hasPrefix("bytes=") else { return nil }
      let ends = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
      return Int(ends[0]).map { ($0, Int(ends[1])) }
    }
  }

  struct Reply: Sendable {
    var status = 200
    var headers: [String: String] = [:]
    var body = Data()
    var sentBytes: Int?  // of the body before the connection breaks
    var pauseAfter: Int?  // bytes of the body after which nothing more comes, for a while
  }

  let url: URL
  private let listener: Int32
  private let handler: @Sendable (Request) -> Reply
  private let lock = NSLock()
  private var seen: [Request] = []
  private var stopped = false

  /// The requests so far.
  var requests: [Request] { lock.withLock { seen } }

  init(_ handler: @escaping @Sendable (Request) -> Reply) throws {
    self.handler = handler
    #if canImport(Darwin)
      let stream = SOCK_STREAM
    #else
      let stream = Int32(SOCK_STREAM.rawValue)
    #endif
    let listening = socket(AF_INET, stream, 0)
    listener = listening
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listening, $0, length) == 0 && listen(listening, 16) == 0
          && getsockname(listening, $0, &length) == 0
      }
    }
    guard bound else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    url = URL(string: "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/")!
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listener, nil, nil)
        if connection < 0 { return }
        Thread.detachNewThread { [self] in
          serve(connection)
          close(connection)
        }
      }
    }
  }

  func stop() {
    lock.withLock { stopped = true }
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private func serve(_ connection: Int32) {
    guard let request = read(connection) else { return }
    lock.withLock { seen.append(request) }
    let reply = handler(request)
    var head = "HTTP/1.1 \(reply.status) Test\r\nConnection: close\r\n"
    for (name, value) in reply.headers { head += "\(name): \(value)\r\n" }
    if reply.headers["Transfer-Encoding"] == nil {
      head += "Content-Length: \(reply.body.count)\r\n"
    }
    guard send(connection, Data((head + "\r\n").utf8)) else { return }
    let body = reply.body.prefix(reply.sentBytes ?? reply.body.count)
    if let pause = reply.pauseAfter {
      _ = send(connection, body.prefix(pause))
      for _ in 0..<100 where !lock.withLock({ stopped }) { usleep(100_000) }
      return
    }
    _ = send(connection, body)
  }

  private func read(_ connection: Int32) -> Request? {
    var bytes = Data()
    while bytes.range(of: Data("\r\n\r\n".utf8)) == nil {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = recv(connection, &buffer, buffer.count, 0)
      if count <= 0 { return nil }
      bytes.append(contentsOf: buffer.prefix(count))
    }
    let lines = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] =
        line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
    }
    return Request(path: String(lines[0].split(separator: " ")[1]), headers: headers)
  }

  private func send(_ connection: Int32, _ data: Data) -> Bool {
    data.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count {
        #if canImport(Darwin)
          let flags: Int32 = 0
        #else
          let flags = Int32(MSG_NOSIGNAL)
        #endif
        let count = systemSend(connection, bytes.baseAddress! + done, bytes.count - done, flags)
        if count <= 0 { return false }
        done += count
      }
      return true
    }
  }
}

private func systemSend(
  _ connection: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ flags: Int32
) -> Int {
  send(connection, bytes, count, flags)
}

extension TestServer.Reply {
  /// A file with an ETag: whole, or the range that was asked for where If-Range allows it.
  static func file(
    _ bytes: Data, for request: TestServer.Request, etag: String = "\"1\""
  ) -> Self {
    var reply = Self(headers: ["ETag": etag, "Accept-Ranges": "bytes"], body: bytes)
    if let (first, last) = request.range, request.headers["if-range"] ?? etag == etag {
      if first >= bytes.count { return Self(status: 416) }
      let end = min(last ?? bytes.count - 1, bytes.count - 1)
      reply.status = 206
      reply.headers["Content-Range"] = "bytes \(first)-\(end)/\(bytes.count)"
      reply.body = bytes.subdata(in: first..<end + 1)
    }
    return reply
  }
}
