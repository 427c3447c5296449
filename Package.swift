// swift-tools-version: 6.0
// The Swift package of Tiny-VLM (docs/ios.md): the engine is compiled from source by whoever
// depends on it, with settings that SwiftPM allows in dependencies (no unsafeFlags).
//
// The sources of its libraries lie in .deps: `npm run setup` puts them there in a clone, and a
// release's tag (scripts/swift-release.mjs) has them.
import Foundation
import PackageDescription

// As in package.json; `npm run lint -- versions` compares them.
let version = "0.1.0"

// The layers of CMakeLists.txt that are the library.
let layers = [
  "base", "tensor", "formats", "backend", "kernels", "weights", "parallel", "text", "constrain",
  "image", "vision", "decoder", "cpu", "engine", "api",
]

let sentencepiece = ".deps/sentencepiece/sentencepiece"

// For the libraries and for what includes their headers. An app may link the same libraries in
// other versions: the namespaces of ours get names of their own, and so do zlib's functions.
let librarySettings: [(String, String?)] = [
  ("hwy", "tinyvlm_hwy"),
  ("sentencepiece", "tinyvlm_sentencepiece"),
  ("google", "tinyvlm_google"),
  ("absl", "tinyvlm_absl"),
  ("Z_PREFIX", nil),
  ("HWY_STATIC_DEFINE", nil),
  // As in cmake/dependencies.cmake, which says why.
  (
    "HWY_DISABLED_TARGETS",
    "(HWY_ALL_SVE|HWY_RVV|HWY_SSSE3|HWY_AVX3|HWY_AVX3_ZEN4|HWY_AVX3_SPR|HWY_AVX10_2|"
      + "HWY_NEON|HWY_NEON_BF16)"
  ),
]

let libraryHeaders = [
  ".deps/highway", ".deps/zlib", "cmake/sentencepiece", sentencepiece, "\(sentencepiece)/src",
  "\(sentencepiece)/src/builtin_pb", "\(sentencepiece)/third_party",
  "\(sentencepiece)/third_party/protobuf-lite",
]

func cxx(up: String) -> [CXXSetting] {
  libraryHeaders.map { .headerSearchPath(up + $0) }
    + librarySettings.map { name, value in .define(name, to: value) }
}

let package = Package(
  name: "TinyVLM",
  platforms: [.iOS(.v15), .macOS(.v12), .macCatalyst(.v15), .visionOS(.v1)],
  products: [
    .library(name: "TinyVLM", targets: ["TinyVLM"])
  ],
  targets: [
    .target(
      name: "TinyVLM",
      dependencies: ["CTinyVLM"],
      path: "mobile/swift/Sources/TinyVLM",
      resources: [.copy("PrivacyInfo.xcprivacy")]
    ),
    .target(
      name: "CTinyVLM",
      dependencies: ["CTinyVLMLibraries"],
      path: "cpp",
      exclude: layers.map { "\($0)/CMakeLists.txt" }
        + [
          "api/exports.txt", "api/exports-jni.txt", "api/module.modulemap", "engine/options.json",
          "kernels/README.md", "text/README.md",
        ],
      sources: layers,
      publicHeadersPath: "api",
      cxxSettings: cxx(up: "../") + [
        .headerSearchPath("."), .define("TINYVLM_VERSION", to: version),
      ]
    ),
    .target(
      name: "CTinyVLMLibraries",
      path: "mobile/swift/Sources/CTinyVLMLibraries",
      cSettings: [
        .headerSearchPath("../../../../.deps/zlib"), .define("Z_PREFIX"), .define("NO_GZIP"),
      ],
      cxxSettings: cxx(up: "../../../../") + [
        .headerSearchPath("."), .define("HAVE_PTHREAD"), .define("_USE_INTERNAL_STRING_VIEW"),
      ]
    ),
  ],
  cxxLanguageStandard: .cxx20
)

// The tests read the demo model, which a release does not have.
let tests = "mobile/swift/Tests/TinyVLMTests"
if FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/\(tests)") {
  package.targets.append(
    .testTarget(name: "TinyVLMTests", dependencies: ["TinyVLM"], path: tests))
}
