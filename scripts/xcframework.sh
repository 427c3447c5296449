#!/bin/bash
# Makes build/xcframework/TinyVLM.xcframework.zip: a dynamic framework of the Swift package for
# devices, simulators, Mac Catalyst, macOS and visionOS, optimised whatever the app's build is.
# Wants a Mac with Xcode 16 or newer, and the libraries' sources (npm run setup -- engine-sources,
# or the tree of a release).
#
#   scripts/xcframework.sh            builds
#   scripts/xcframework.sh --plan     prints the commands instead, on any system
#   scripts/xcframework.sh --sign ID  builds and signs with an identity of the keychain
#
# It calls the compilers itself: what `xcodebuild` makes of a package is no framework, has no
# privacy manifest, and is not optimised in Debug. Flags are those of Package.swift
# (scripts/swift.test.mjs compares them).
set -euo pipefail
cd "$(dirname "$0")/.."

plan=false
identity=
while [ $# -gt 0 ]; do
  case $1 in
    --plan) plan=true ;;
    --sign) identity=$2; shift ;;
    *) sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift
done

name=TinyVLM
out=build/xcframework
version=$(sed -n 's/^let version = "\(.*\)"$/\1/p' Package.swift)

layers="base tensor formats backend kernels weights parallel text constrain image vision decoder \
cpu engine api"
spm=.deps/sentencepiece/sentencepiece
cxx_flags=(-std=c++20 -O3 -DNDEBUG -fPIC -fvisibility=hidden -fvisibility-inlines-hidden
  -Wno-everything
  -Icpp -I.deps/highway -I.deps/zlib -Icmake/sentencepiece "-I$spm" "-I$spm/src"
  "-I$spm/src/builtin_pb" "-I$spm/third_party" "-I$spm/third_party/protobuf-lite"
  -Imobile/swift/Sources/CTinyVLMLibraries
  -Dhwy=tinyvlm_hwy -Dsentencepiece=tinyvlm_sentencepiece -Dgoogle=tinyvlm_google
  -Dabsl=tinyvlm_absl -DZ_PREFIX -DHWY_STATIC_DEFINE
  "-DHWY_DISABLED_TARGETS=(HWY_ALL_SVE|HWY_RVV|HWY_SSSE3|HWY_AVX3|HWY_AVX3_ZEN4|HWY_AVX3_SPR|\
HWY_AVX10_2|HWY_NEON|HWY_NEON_BF16)"
  -DHAVE_PTHREAD -D_USE_INTERNAL_STRING_VIEW "-DTINYVLM_VERSION=$version")
c_flags=(-O3 -fPIC -fvisibility=hidden -Wno-everything -I.deps/zlib -DZ_PREFIX -DNO_GZIP)

# name, SDK, platform in Info.plist, oldest system, key of the oldest system, target triples
slices="
ios iphoneos iPhoneOS 15.0 MinimumOSVersion arm64-apple-ios15.0
ios-simulator iphonesimulator iPhoneSimulator 15.0 MinimumOSVersion arm64-apple-ios15.0-simulator x86_64-apple-ios15.0-simulator
catalyst macosx MacOSX 12.0 LSMinimumSystemVersion arm64-apple-ios15.0-macabi x86_64-apple-ios15.0-macabi
macos macosx MacOSX 12.0 LSMinimumSystemVersion arm64-apple-macos12.0 x86_64-apple-macos12.0
visionos xros XROS 1.0 MinimumOSVersion arm64-apple-xros1.0
visionos-simulator xrsimulator XRSimulator 1.0 MinimumOSVersion arm64-apple-xros1.0-simulator
"

# Runs a command; with --plan prints it.
run() {
  if $plan; then
    printf '%s' "$1"
    shift
    [ $# -eq 0 ] || printf ' %q' "$@"
    printf '\n'
  else
    "$@"
  fi
}

# Writes what comes in to a file; with --plan names it.
write() {
  if $plan; then
    cat > /dev/null
    echo "write $1"
  else
    cat > "$1"
  fi
}

sources() {
  for layer in $layers; do find "cpp/$layer" -name '*.cc' | LC_ALL=C sort; done
  find mobile/swift/Sources/CTinyVLMLibraries -name '*.c*' | LC_ALL=C sort
}

swift_sources=()
while IFS= read -r file; do swift_sources+=("$file"); done < <(
  find mobile/swift/Sources/TinyVLM -name '*.swift' | LC_ALL=C sort)

if $plan; then
  # What would be the same in hundreds of lines is said once.
  echo "CXX_FLAGS: ${cxx_flags[*]}"
  echo "C_FLAGS: ${c_flags[*]}"
  cxx_flags=(CXX_FLAGS) c_flags=(C_FLAGS) swift_sources=(SWIFT_SOURCES)
  sources() { printf '%s\n' SOURCE.cc SOURCE.c; }
fi

# One file for one target, into an object named after it.
compile() {
  local sdk=$1 triple=$2 file=$3
  local object="$out/objects/$triple/${file//\//_}.o"
  case $file in
    *.cc) run xcrun --sdk "$sdk" clang++ -target "$triple" "${cxx_flags[@]}" -c "$file" \
      -o "$object" ;;
    *.c) run xcrun --sdk "$sdk" clang -target "$triple" "${c_flags[@]}" -c "$file" \
      -o "$object" ;;
  esac
}

# The library of one target, with the module's interface.
link() {
  local sdk=$1 triple=$2 install_name=$3
  local objects="$out/objects/$triple" module="$out/modules/$triple"
  run mkdir -p "$objects" "$module"
  local file count=0 processors=1
  $plan || processors=$(sysctl -n hw.ncpu)
  while IFS= read -r file; do
    if $plan; then
      compile "$sdk" "$triple" "$file"
    else
      compile "$sdk" "$triple" "$file" &
      count=$((count + 1))
      if [ $((count % processors)) -eq 0 ]; then wait_for_all; fi
    fi
  done < <(sources)
  wait_for_all
  local linked=("$objects/OBJECTS")
  $plan || linked=("$objects"/*.o)
  # A module and a type of one name: without the aliases its interface could not be read back.
  run xcrun --sdk "$sdk" swiftc -target "$triple" -swift-version 6 -O -whole-module-optimization \
    -module-name $name -parse-as-library -Icpp/api -enable-library-evolution \
    -alias-module-names-in-module-interface -emit-module \
    -emit-module-path "$module/$name.swiftmodule" \
    -emit-module-interface-path "$module/$name.swiftinterface" \
    -emit-library -o "$module/$name" -lc++ -Xlinker -install_name -Xlinker "$install_name" \
    -Xlinker -dead_strip "${swift_sources[@]}" "${linked[@]}"
}

# `wait` alone forgets which of the compilers failed.
wait_for_all() {
  local job
  for job in $(jobs -p); do wait "$job"; done
}

# A framework of one platform: one library for its processors, its module, its property lists.
framework() {
  local slice=$1 sdk=$2 platform=$3 oldest=$4 oldest_key=$5
  shift 5
  local folder="$out/$slice/$name.framework" contents resources install_name libraries=() triple
  case $sdk in
    macosx)
      contents="$folder/Versions/A"
      resources="$contents/Resources"
      install_name="@rpath/$name.framework/Versions/A/$name" ;;
    *)
      contents="$folder"
      resources="$contents"
      install_name="@rpath/$name.framework/$name" ;;
  esac
  run mkdir -p "$contents/Modules/$name.swiftmodule" "$resources"
  for triple in "$@"; do
    link "$sdk" "$triple" "$install_name"
    libraries+=("$out/modules/$triple/$name")
    # Xcode looks for the interface under the triple without the system's version.
    local short
    short=$(echo "$triple" | sed -E 's/[0-9]+\.[0-9]+//')
    run cp "$out/modules/$triple/$name.swiftinterface" \
      "$contents/Modules/$name.swiftmodule/$short.swiftinterface"
  done
  run lipo -create "${libraries[@]}" -output "$contents/$name"
  run strip -x "$contents/$name"
  write "$resources/Info.plist" << PLIST
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>CFBundleDevelopmentRegion</key><string>en</string>
	<key>CFBundleExecutable</key><string>$name</string>
	<key>CFBundleIdentifier</key><string>dev.tiny-vlm.$name</string>
	<key>CFBundleInfoDictionaryVersion</key><string>6.0</string>
	<key>CFBundleName</key><string>$name</string>
	<key>CFBundlePackageType</key><string>FMWK</string>
	<key>CFBundleShortVersionString</key><string>$version</string>
	<key>CFBundleSupportedPlatforms</key><array><string>$platform</string></array>
	<key>CFBundleVersion</key><string>$version</string>
	<key>$oldest_key</key><string>$oldest</string>
</dict>
</plist>
PLIST
  run cp mobile/swift/Sources/TinyVLM/PrivacyInfo.xcprivacy "$resources/PrivacyInfo.xcprivacy"
  if [ "$sdk" = macosx ]; then
    run ln -sfn A "$folder/Versions/Current"
    run ln -sfn "Versions/Current/$name" "$folder/$name"
    run ln -sfn Versions/Current/Modules "$folder/Modules"
    run ln -sfn Versions/Current/Resources "$folder/Resources"
  fi
  [ -z "$identity" ] || run codesign --timestamp --sign "$identity" "$folder"
}

fail() {
  echo "xcframework.sh: $1" >&2
  exit 1
}
if ! $plan; then
  [ "$(uname)" = Darwin ] || fail "a Mac with Xcode wanted, found $(uname); --plan runs anywhere"
  [ -d .deps/highway ] || fail ".deps/highway is missing: npm run setup -- engine-sources"
fi

run rm -rf "$out"
frameworks=()
while read -r slice rest; do
  [ -n "$slice" ] || continue
  # shellcheck disable=SC2086 # words of the table
  framework "$slice" $rest
  frameworks+=(-framework "$out/$slice/$name.framework")
done <<< "$slices"
run xcodebuild -create-xcframework "${frameworks[@]}" -output "$out/$name.xcframework"
[ -z "$identity" ] || run codesign --timestamp --sign "$identity" "$out/$name.xcframework"
run cp LICENSE "$out/$name.xcframework/LICENSE"
run ditto -c -k --keepParent "$out/$name.xcframework" "$out/$name.xcframework.zip"
run swift package compute-checksum "$out/$name.xcframework.zip"
