/// How the rows of an image lie, as EXIF and `CGImagePropertyOrientation` number it.
public enum Orientation: UInt32, Sendable, CaseIterable {
  /// As it is to be seen.
  case up = 1
  /// Mirrored left to right.
  case upMirrored = 2
  /// Upside down.
  case down = 3
  /// Upside down, mirrored left to right.
  case downMirrored = 4
  /// The first row is the left side, from the top.
  case leftMirrored = 5
  /// The first row is the right side, from the top: a phone's camera held upright.
  case right = 6
  /// The first row is the right side, from the bottom.
  case rightMirrored = 7
  /// The first row is the left side, from the bottom.
  case left = 8

  /// Whether width and height change places.
  var swapsSides: Bool { rawValue >= 5 }

  /// Where in the stored image the pixel at (x, y) of the image as it is to be seen lies. `width`
  /// and `height`: of the stored image.
  func stored(x: Int, y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
    switch self {
    case .up: return (x, y)
    case .upMirrored: return (width - 1 - x, y)
    case .down: return (width - 1 - x, height - 1 - y)
    case .downMirrored: return (x, height - 1 - y)
    case .leftMirrored: return (y, x)
    case .right: return (y, height - 1 - x)
    case .rightMirrored: return (width - 1 - y, height - 1 - x)
    case .left: return (width - 1 - y, x)
    }
  }
}
