import ImageIO
import UIKit

/// An image file for the screen, upright. Its pixels in full size are never in memory.
func smallCopy(of file: Data) -> UIImage? {
  let options: [CFString: Any] = [
    kCGImageSourceCreateThumbnailFromImageAlways: true,
    kCGImageSourceCreateThumbnailWithTransform: true,
    kCGImageSourceThumbnailMaxPixelSize: 1200,
  ]
  guard let source = CGImageSourceCreateWithData(file as CFData, nil),
    let image = CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
  else { return nil }
  return UIImage(cgImage: image)
}
