#if canImport(os)
  import os

  /// Intervals that Instruments shows (subsystem TinyVLM): one for each loading and question.
  enum Signposts {
    private static let signposter = OSSignposter(subsystem: "TinyVLM", category: "engine")

    static func measure<Result>(
      _ name: StaticString, _ work: () throws -> Result
    ) rethrows -> Result {
      let state = signposter.beginInterval(name)
      defer { signposter.endInterval(name, state) }
      return try work()
    }
  }
#else
  /// Signposts are Apple's.
  enum Signposts {
    static func measure<Result>(
      _ name: StaticString, _ work: () throws -> Result
    ) rethrows -> Result {
      try work()
    }
  }
#endif
