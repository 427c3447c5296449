require "json"

package = JSON.parse(File.read(File.join(__dir__, "package.json")))

Pod::Spec.new do |s|
  s.name = "react-native-tiny-vlm"
  s.version = package["version"]
  s.summary = package["description"]
  s.license = package["license"]
  s.author = "Tiny-VLM"
  # CocoaPods wants a page, and looks at none.
  s.homepage = package["homepage"] || "https://example.org/react-native-tiny-vlm"
  s.source = { :path => "." }
  s.platforms = { :ios => "15.1" }
  s.swift_version = "5.9"
  s.source_files = "ios/*.{h,mm,swift}"
  s.private_header_files = "ios/*.h"
  s.frameworks = "UIKit"

  # The Swift package TinyVLM: the framework that scripts/xcframework.sh makes, where it lies beside
  # this package's own sources; else the package itself, from a clone or a repository.
  framework = "ios/TinyVLM.xcframework"
  swift_package = ENV["TINYVLM_SWIFT_PACKAGE"]
  if File.exist?(File.join(__dir__, framework))
    s.vendored_frameworks = framework
  elsif swift_package
    spm_dependency(
      s,
      url: swift_package,
      # A version rule would take the tag of the npm package, whose commit lacks the libraries'
      # sources. A folder is taken as it is.
      requirement: { kind: "revision", revision: "swift-#{package["version"]}" },
      products: ["TinyVLM"]
    )
  else
    raise Pod::Informative,
      "react-native-tiny-vlm wants the Swift package TinyVLM: put TinyVLM.xcframework into " \
      "#{File.join(__dir__, "ios")}, or set TINYVLM_SWIFT_PACKAGE to the folder or the " \
      "repository of Tiny-VLM (docs/react-native.md)"
  end

  install_modules_dependencies(s)
end
