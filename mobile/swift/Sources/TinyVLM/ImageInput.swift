import Foundation

/// An image to ask about.
///
/// `UIImage`, `NSImage`, `CGImage` and `CVPixelBuffer` become one by an initializer, which copies
/// the pixels: call it where a few milliseconds do not matter. Files and bytes are read when the
/// question's turn has come.
public struct ImageInput: Sendable {
  enum Content: Sendable {
    case encoded(Data)
    case file(URL)
    case pixels(Pixels)
  }

  /// Pixels as the engine takes them: rows without gaps, the top one first.
  struct Pixels: Sendable {
    var bytes: Data
    var width: Int
    var height: Int
    var channels: Int  // 3 or 4
  }

  let content: Content

  /// An image file's bytes: PNG and JPEG everywhere, on Apple's systems every format that ImageIO
  /// knows, HEIC too.
  public static func data(_ data: Data) -> ImageInput { ImageInput(content: .encoded(data)) }

  /// An image file, of the same formats.
  public static func file(_ url: URL) -> ImageInput { ImageInput(content: .file(url)) }

  /// Pixels in sRGB, 8 bits a channel, the top row first: red, green, blue, and alpha that is not
  /// premultiplied.
  ///
  /// - Parameters:
  ///   - bytes: All rows without gaps, `width * height * 4` bytes.
  ///   - width: Of a row as it is stored, in pixels.
  ///   - height: The number of rows.
  ///   - orientation: How the image is to be turned.
  public static func rgba(
    _ bytes: Data, width: Int, height: Int, orientation: Orientation = .up
  ) throws -> ImageInput {
    try pixels(bytes, width: width, height: height, channels: 4, orientation: orientation)
  }

  /// The same without alpha: `width * height * 3` bytes.
  public static func rgb(
    _ bytes: Data, width: Int, height: Int, orientation: Orientation = .up
  ) throws -> ImageInput {
    try pixels(bytes, width: width, height: height, channels: 3, orientation: orientation)
  }

  private static func pixels(
    _ bytes: Data, width: Int, height: Int, channels: Int, orientation: Orientation
  ) throws -> ImageInput {
    let (pixels, tooMany) = width.multipliedReportingOverflow(by: height)
    let (wanted, tooLarge) = pixels.multipliedReportingOverflow(by: channels)
    guard width > 0, height > 0, !tooMany, !tooLarge, bytes.count == wanted else {
      throw TinyVLMError(
        .invalidArgument,
        "pixels: \(width) x \(height) with \(channels) bytes each wanted, found \(bytes.count) bytes"
      )
    }
    let stored = Pixels(bytes: bytes, width: width, height: height, channels: channels)
    return ImageInput(content: .pixels(stored.turned(orientation)))
  }
}

extension ImageInput.Pixels {
  /// The image as it is to be seen.
  func turned(_ orientation: Orientation) -> Self {
    guard orientation != .up else { return self }
    let (toWidth, toHeight) = orientation.swapsSides ? (height, width) : (width, height)
    var result = Data(count: bytes.count)
    result.withUnsafeMutableBytes { (to: UnsafeMutableRawBufferPointer) in
      bytes.withUnsafeBytes { (from: UnsafeRawBufferPointer) in
        var at = 0
        for y in 0..<toHeight {
          for x in 0..<toWidth {
            let pixel = orientation.stored(x: x, y: y, width: width, height: height)
            let source = (pixel.y * width + pixel.x) * channels
            for channel in 0..<channels { to[at + channel] = from[source + channel] }
            at += channels
          }
        }
      }
    }
    return Self(bytes: result, width: toWidth, height: toHeight, channels: channels)
  }
}
