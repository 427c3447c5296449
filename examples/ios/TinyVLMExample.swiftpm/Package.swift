// swift-tools-version: 6.0
// An app that Xcode opens and runs as it is (File, Open: this folder).
import AppleProductTypes
import PackageDescription

let package = Package(
  name: "TinyVLMExample",
  platforms: [.iOS("16.0")],
  products: [
    .iOSApplication(
      name: "TinyVLMExample",
      targets: ["App"],
      bundleIdentifier: "dev.tiny-vlm.example",
      displayVersion: "1.0",
      bundleVersion: "1",
      appIcon: .placeholder(icon: .magicWand),
      accentColor: .presetColor(.indigo),
      supportedDeviceFamilies: [.phone, .pad],
      supportedInterfaceOrientations: [.portrait, .landscapeLeft, .landscapeRight],
      capabilities: [
        .camera(purposeString: "The photo that you ask about. It stays on this device.")
      ]
    )
  ],
  dependencies: [
    .package(name: "TinyVLM", path: "../../..")
  ],
  targets: [
    .executableTarget(
      name: "App",
      dependencies: [.product(name: "TinyVLM", package: "TinyVLM")],
      path: ".",
      resources: [.copy("Models")]
    )
  ]
)
