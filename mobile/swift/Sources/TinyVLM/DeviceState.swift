import Foundation

/// What the device can give at a moment.
struct DeviceState: Sendable {
  /// Cores of the fastest kind.
  var fastCores: Int
  /// Whether the user saves energy (low power mode).
  var savesEnergy = false
  /// Whether the system asks for less work because of heat (thermal state serious or critical).
  var isHot = false

  /// Threads to compute with: the fast cores, at most eight, since each step waits for the slowest
  /// thread; half of them while the device saves energy or is hot.
  var recommendedThreads: Int {
    let threads = min(fastCores, 8)
    return max(1, savesEnergy || isHot ? threads / 2 : threads)
  }

  /// This device now.
  static func now() -> DeviceState {
    let process = ProcessInfo.processInfo
    #if canImport(Darwin)
      var fast: Int32 = 0
      var size = MemoryLayout<Int32>.size
      let known = sysctlbyname("hw.perflevel0.physicalcpu", &fast, &size, nil, 0) == 0 && fast > 0
      let state = process.thermalState
      return DeviceState(
        fastCores: known ? Int(fast) : process.activeProcessorCount,
        savesEnergy: process.isLowPowerModeEnabled,
        isHot: state == .serious || state == .critical)
    #else
      // Linux tells neither, and counts threads of a core as cores where there are many.
      let cores = process.activeProcessorCount
      return DeviceState(fastCores: cores <= 4 ? cores : cores / 2)
    #endif
  }
}

/// What a model is told by the system that it runs on; tests give another.
struct HostSystem: Sendable {
  /// The device at the moment of the call.
  var device: @Sendable () -> DeviceState
  /// Calls its argument when memory is low, for as long as what it returns lives.
  var watchMemory: @Sendable (@escaping @Sendable () -> Void) -> any AnyObject & Sendable

  static let real = HostSystem(device: DeviceState.now, watchMemory: { MemoryWarnings($0) })
}
