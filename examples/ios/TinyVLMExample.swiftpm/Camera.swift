import SwiftUI

/// The system's camera. `taken` gets the photo, or nil where it was cancelled.
struct Camera: UIViewControllerRepresentable {
  let taken: @MainActor (UIImage?) -> Void

  func makeUIViewController(context: Context) -> UIImagePickerController {
    let camera = UIImagePickerController()
    camera.sourceType = .camera
    camera.delegate = context.coordinator
    return camera
  }

  func updateUIViewController(_ camera: UIImagePickerController, context: Context) {}

  func makeCoordinator() -> Coordinator { Coordinator(taken) }

  @MainActor
  final class Coordinator: NSObject, UIImagePickerControllerDelegate,
    UINavigationControllerDelegate
  {
    private let taken: @MainActor (UIImage?) -> Void

    init(_ taken: @escaping @MainActor (UIImage?) -> Void) { self.taken = taken }

    func imagePickerController(
      _ camera: UIImagePickerController,
      didFinishPickingMediaWithInfo info: [UIImagePickerController.InfoKey: Any]
    ) {
      taken(info[.originalImage] as? UIImage)
    }

    func imagePickerControllerDidCancel(_ camera: UIImagePickerController) { taken(nil) }
  }
}
