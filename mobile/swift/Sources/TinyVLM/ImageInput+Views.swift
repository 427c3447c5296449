#if canImport(UIKit) && !os(watchOS)
  import CoreImage
  import UIKit

  extension ImageInput {
    /// What is shown, turned as it is shown.
    public init(_ image: UIImage) throws {
      let computed = image.ciImage.flatMap { CIContext().createCGImage($0, from: $0.extent) }
      guard let drawn = image.cgImage ?? computed else {
        throw TinyVLMError(.invalidImage, "a UIImage with pixels wanted, found one without")
      }
      try self.init(drawn, orientation: Orientation(image.imageOrientation))
    }
  }

  extension Orientation {
    init(_ orientation: UIImage.Orientation) {
      switch orientation {
      case .up: self = .up
      case .down: self = .down
      case .left: self = .left
      case .right: self = .right
      case .upMirrored: self = .upMirrored
      case .downMirrored: self = .downMirrored
      case .leftMirrored: self = .leftMirrored
      case .rightMirrored: self = .rightMirrored
      @unknown default: self = .up
      }
    }
  }
#elseif canImport(AppKit)
  import AppKit

  extension ImageInput {
    /// What is shown.
    public init(_ image: NSImage) throws {
      guard let drawn = image.cgImage(forProposedRect: nil, context: nil, hints: nil) else {
        throw TinyVLMError(.invalidImage, "an NSImage with pixels wanted, found one without")
      }
      try self.init(drawn)
    }
  }
#endif
