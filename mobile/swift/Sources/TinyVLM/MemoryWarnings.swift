import Foundation

#if canImport(UIKit) && !os(watchOS)
  /// Calls a function when the system warns of low memory, as long as it lives.
  final class MemoryWarnings: @unchecked Sendable {
    // UIApplication's constant belongs to the main actor in some SDKs, and to no app extension.
    private static let name = Notification.Name("UIApplicationDidReceiveMemoryWarningNotification")
    private let observer: any NSObjectProtocol

    init(_ warned: @escaping @Sendable () -> Void) {
      observer = NotificationCenter.default.addObserver(
        forName: Self.name, object: nil, queue: nil
      ) { _ in warned() }
    }

    deinit { NotificationCenter.default.removeObserver(observer) }
  }
#elseif canImport(Darwin)
  /// Calls a function when the system warns of low memory, as long as it lives.
  final class MemoryWarnings: @unchecked Sendable {
    private let source: any DispatchSourceMemoryPressure

    init(_ warned: @escaping @Sendable () -> Void) {
      source = DispatchSource.makeMemoryPressureSource(eventMask: [.warning, .critical])
      source.setEventHandler { warned() }
      source.activate()
    }

    deinit { source.cancel() }
  }
#else
  /// Systems without such warnings.
  final class MemoryWarnings: Sendable {
    init(_ warned: @escaping @Sendable () -> Void) {}
  }
#endif
