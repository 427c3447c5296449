#if canImport(CoreGraphics)
  import CoreGraphics
  import Foundation

  extension ImageInput {
    /// More pixels than this along the longer side tell the model nothing: larger images are drawn
    /// smaller, so that a photo of 48 megapixels does not cost 200 MB.
    static let largestSide = 2048

    /// A bitmap of any kind and colour space. Transparency becomes white.
    public init(_ image: CGImage, orientation: Orientation = .up) throws {
      let scale = min(1, Double(Self.largestSide) / Double(max(image.width, image.height, 1)))
      let width = max(1, Int((Double(image.width) * scale).rounded()))
      let height = max(1, Int((Double(image.height) * scale).rounded()))
      var bytes = Data(count: width * height * 4)
      let drawn = bytes.withUnsafeMutableBytes { (rows: UnsafeMutableRawBufferPointer) -> Bool in
        guard let space = CGColorSpace(name: CGColorSpace.sRGB),
          let context = CGContext(
            data: rows.baseAddress, width: width, height: height, bitsPerComponent: 8,
            bytesPerRow: width * 4, space: space,
            bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
        else { return false }
        let whole = CGRect(x: 0, y: 0, width: width, height: height)
        context.setFillColor(red: 1, green: 1, blue: 1, alpha: 1)
        context.fill(whole)
        context.interpolationQuality = .high
        context.draw(image, in: whole)
        return true
      }
      guard drawn else {
        throw TinyVLMError(.outOfMemory, "an image of \(width) x \(height) pixels was not drawn")
      }
      // The byte after blue is not written by everyone.
      bytes.withUnsafeMutableBytes { (rows: UnsafeMutableRawBufferPointer) in
        for at in stride(from: 3, to: rows.count, by: 4) { rows[at] = 255 }
      }
      let stored = Pixels(bytes: bytes, width: width, height: height, channels: 4)
      self.init(content: .pixels(stored.turned(orientation)))
    }
  }
#endif

#if canImport(VideoToolbox)
  import CoreVideo
  import VideoToolbox

  extension ImageInput {
    /// A frame of a camera or a video, in any pixel format. The buffer is free again afterwards.
    public init(_ buffer: CVPixelBuffer, orientation: Orientation = .up) throws {
      var image: CGImage?
      let status = VTCreateCGImageFromCVPixelBuffer(buffer, options: nil, imageOut: &image)
      guard let image else {
        throw TinyVLMError(
          .invalidImage, "a pixel buffer was not read: VideoToolbox says \(status)")
      }
      try self.init(image, orientation: orientation)
    }
  }
#endif

#if canImport(ImageIO)
  import ImageIO

  extension ImageInput {
    /// The pixels of a file in a format that the engine does not decode, such as HEIC, upright.
    static func decoded(_ file: Data) throws -> ImageInput {
      let options: [CFString: Any] = [
        kCGImageSourceCreateThumbnailFromImageAlways: true,
        kCGImageSourceCreateThumbnailWithTransform: true,
        kCGImageSourceThumbnailMaxPixelSize: largestSide,
      ]
      guard let source = CGImageSourceCreateWithData(file as CFData, nil),
        let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
      else {
        throw TinyVLMError(
          .invalidImage, "neither PNG, JPEG nor another format of ImageIO: \(file.count) bytes")
      }
      return try ImageInput(image)
    }
  }
#endif
