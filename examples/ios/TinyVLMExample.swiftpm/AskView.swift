import PhotosUI
import SwiftUI

/// An image, a question, the words that come.
struct AskView: View {
  @EnvironmentObject private var asking: Asking
  @State private var picked: PhotosPickerItem?
  @State private var takingPhoto = false

  private var canAsk: Bool {
    switch asking.state {
    case .loading: return false
    case .ready, .answering, .failed: return true
    }
  }

  var body: some View {
    NavigationStack {
      ScrollView {
        VStack(alignment: .leading, spacing: 16) {
          if let image = asking.shown {
            Image(uiImage: image).resizable().scaledToFit().cornerRadius(12)
              .accessibilityLabel("The image that you ask about")
          }
          status
          Text(asking.answer).font(.title3).textSelection(.enabled)
            .frame(maxWidth: .infinity, alignment: .leading)
          if !asking.answer.isEmpty && asking.state == .ready {
            ShareLink(item: asking.answer)
          }
        }
        .padding()
      }
      .safeAreaInset(edge: .bottom) { controls }
      .navigationTitle("Tiny-VLM")
    }
    .onChange(of: picked) { item in
      guard let item else { return }
      picked = nil  // so that the same photo can be picked again
      Task {
        if let file = try? await item.loadTransferable(type: Data.self) { asking.show(file) }
      }
    }
    .fullScreenCover(isPresented: $takingPhoto) {
      Camera { image in
        takingPhoto = false
        if let file = image?.jpegData(compressionQuality: 0.9) { asking.show(file) }
      }
      .ignoresSafeArea()
    }
  }

  @ViewBuilder private var status: some View {
    switch asking.state {
    case .loading(let share): ProgressView("Loading the model", value: share)
    case .answering: ProgressView()
    case .failed(let message): Label(message, systemImage: "exclamationmark.triangle")
    case .ready:
      if asking.shown == nil { Text("Choose a photo.").foregroundStyle(.secondary) }
    }
  }

  private var controls: some View {
    HStack {
      PhotosPicker(selection: $picked, matching: .images) {
        Label("Photo", systemImage: "photo").labelStyle(.iconOnly)
      }
      if UIImagePickerController.isSourceTypeAvailable(.camera) {
        Button {
          takingPhoto = true
        } label: {
          Label("Camera", systemImage: "camera").labelStyle(.iconOnly)
        }
      }
      TextField("Question", text: $asking.question)
        .textFieldStyle(.roundedBorder)
        .onSubmit { asking.ask() }
      if asking.state == .answering {
        Button("Stop", action: asking.stop)
      } else {
        Button("Ask", action: asking.ask).disabled(asking.shown == nil)
      }
    }
    .disabled(!canAsk)
    .padding()
    .background(.bar)
  }
}
