import SwiftUI
import TinyVLM

/// The model, the image, the question and the answer: what the view shows.
@MainActor
final class Asking: ObservableObject {
  enum State: Equatable {
    case loading(Double)  // from 0 to 1
    case ready
    case answering
    case failed(String)
  }

  @Published private(set) var state = State.loading(0)
  @Published private(set) var answer = ""
  @Published private(set) var shown: UIImage?  // small
  @Published var question = "Describe the image."

  private var photo: Data?  // an image file
  private var model: TinyVLM?
  private var running: Task<Void, Never>?

  /// Loads the model that lies in the app.
  func load() async {
    guard model == nil else { return }
    do {
      model = try await TinyVLM.load(.file(try modelFile())) { [weak self] progress in
        let share = Double(progress.loadedBytes) / Double(max(1, progress.totalBytes))
        Task { @MainActor [weak self] in self?.showProgress(share) }
      }
      state = .ready
    } catch {
      state = .failed(error.localizedDescription)
    }
  }

  private func showProgress(_ share: Double) {
    if case .loading = state { state = .loading(share) }
  }

  private func modelFile() throws -> URL {
    let folder = Bundle.module.url(forResource: "Models", withExtension: nil)
    let files = try folder.map {
      try FileManager.default.contentsOfDirectory(at: $0, includingPropertiesForKeys: nil)
    }
    guard let file = files?.first(where: { $0.pathExtension == "gguf" }) else {
      throw CocoaError(
        .fileNoSuchFile,
        userInfo: [NSLocalizedDescriptionKey: "Copy a .gguf file to Models and build again."])
    }
    return file
  }

  /// Shows an image file and asks about it.
  func show(_ file: Data) {
    photo = file
    shown = smallCopy(of: file)
    ask()
  }

  /// Asks the question about the image that is shown. A question before it ends.
  func ask() {
    guard let model, let photo else { return }
    let (question, before) = (question, running)
    before?.cancel()
    running = Task {
      await before?.value
      if Task.isCancelled { return }
      state = .answering
      answer = ""
      do {
        // The file, and not a UIImage of it: that would be 50 MB and more.
        for try await text in model.ask(.data(photo), question) { answer += text }
        state = .ready
      } catch {
        state = .failed(error.localizedDescription)
      }
    }
  }

  /// Ends the answer; what there is of it stays.
  func stop() { running?.cancel() }
}
