// What can be said of the Swift package without compiling it, and of its release tree. The last
// tests need Swift and are skipped where there is none (`npm test -- swift` sets it up).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { haveSwift, runSwift } from "./swift.mjs";
import { releaseTree } from "./swift-release.mjs";
import { root } from "./toolchain.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");
const skip = haveSwift() ? false : "no Swift here: npm run setup -- swift";

/** What `swift package describe` says of the package in `cwd`. */
async function describePackage(cwd) {
  const args = ["package", "describe", "--type", "json"];
  const { status, stdout, output } = await runSwift("swift", args, { cwd, quiet: true });
  assert.equal(status, 0, output);
  assert.doesNotMatch(output, /warning/);
  return JSON.parse(stdout);
}

/** The files that CMake compiles into a layer's library. */
function cmakeSources(layer) {
  const text = read(`cpp/${layer}/CMakeLists.txt`).replaceAll(/#.*$/gm, "");
  const [, list] = /SOURCES([^)]*)\)/.exec(text);
  return list
    .trim()
    .split(/\s+/)
    .map((name) => `${layer}/${name}`);
}

test("the package compiles the layers of CMake's library, file by file", { skip }, async () => {
  const [, list] = /set\(layers ([^)]*)\)/.exec(read("CMakeLists.txt"));
  const wanted = list.split(/\s+/).filter(Boolean).flatMap(cmakeSources);
  const { targets } = await describePackage(root);
  const { sources } = targets.find(({ name }) => name === "CTinyVLM");
  assert.deepEqual([...sources].sort(), wanted.sort());
});

test("the libraries are compiled from the files that CMake names", () => {
  const cmake = read("cmake/dependencies.cmake");
  const listed = (name) =>
    new RegExp(`set\\(${name}\\s([^)]*)\\)`).exec(cmake)[1].trim().split(/\s+/);
  const included = (path) =>
    [...read(`mobile/swift/Sources/CTinyVLMLibraries/${path}`).matchAll(/^#include [<"](.*)[>"]/gm)]
      .map(([, name]) => name)
      .filter((name) => /\.cc?$/.test(name));
  const from = (folder) => (name) => `${folder}/${name}.cc`;
  assert.deepEqual(included("highway.cc"), listed("hwy_sources"));
  assert.deepEqual(included("sentencepiece.cc"), [
    ...listed("spm_sources").map(from("src")),
    "no_files.cc",
  ]);
  assert.deepEqual(included("protobuf_lite.cc"), [
    ...listed("spm_protobuf").map(from("third_party/protobuf-lite")),
    "src/builtin_pb/sentencepiece.pb.cc",
    "src/builtin_pb/sentencepiece_model.pb.cc",
  ]);
  const zlib = readdirSync(join(root, "mobile/swift/Sources/CTinyVLMLibraries/zlib")).sort();
  assert.deepEqual(zlib, listed("zlib_sources"));
  for (const name of zlib) assert.deepEqual(included(`zlib/${name}`), [name]);
});

test("the package has the compile-time settings of CMake, and none that SwiftPM forbids", () => {
  const manifest = read("Package.swift");
  assert.doesNotMatch(manifest, /\.unsafeFlags|unsafeFlags\(/);
  const cmake = read("cmake/dependencies.cmake").replaceAll("\\\n", "");
  const [, targets] = /HWY_DISABLED_TARGETS=(\([^)]*\))/.exec(cmake);
  assert.ok(manifest.replaceAll(/"\s*\+ "/g, "").includes(`"${targets}"`), targets);
  // What CMake says by an option that SwiftPM has not, the files say themselves.
  for (const layer of readdirSync(join(root, "cpp"))) {
    if (!existsSync(join(root, "cpp", layer, "CMakeLists.txt"))) continue;
    const text = read(`cpp/${layer}/CMakeLists.txt`);
    for (const [, name] of text.matchAll(/tinyvlm_source_options\(-ffp-contract=off (\S+)\)/g))
      assert.match(read(`cpp/${layer}/${name}`), /#pragma STDC FP_CONTRACT OFF/, name);
  }
});

test("the Swift of the documents is what the tests run", () => {
  const source = read("mobile/swift/Tests/TinyVLMTests/ReadmeTests.swift");
  const [, lines] = /^ +\/\/ begin\n([^]*?)^ +\/\/ end$/m.exec(source);
  const wanted = lines.replaceAll(/^ {4}/gm, "").trim();
  for (const path of ["README.md", "docs/ios.md", "docs/phones.md"])
    assert.ok(read(path).includes(`\`\`\`swift\n${wanted}\n\`\`\``), path);
});

test("the privacy manifest names the reason for reading file attributes", () => {
  const manifest = read("mobile/swift/Sources/TinyVLM/PrivacyInfo.xcprivacy");
  assert.match(manifest, /NSPrivacyAccessedAPICategoryFileTimestamp/);
  assert.match(manifest, /<string>C617\.1<\/string>/);
  assert.match(manifest, /<key>NSPrivacyTracking<\/key>\s*<false\/>/);
  assert.match(read("Package.swift"), /\.copy\("PrivacyInfo\.xcprivacy"\)/);
});

test("what is released is a package by itself, with the licences of all its parts", async () => {
  const tree = join(root, "build", "swift-release");
  const files = releaseTree(tree);
  for (const path of files) assert.ok(existsSync(join(tree, path)), path);
  const notices = readFileSync(join(tree, "THIRD-PARTY-NOTICES.txt"), "utf8");
  for (const name of ["highway", "sentencepiece", "zlib"]) assert.match(notices, new RegExp(name));
  assert.ok(existsSync(join(tree, "LICENSE")));
  if (skip) return;
  const { targets } = await describePackage(tree);
  assert.deepEqual(targets.map(({ name }) => name).sort(), [
    "CTinyVLM",
    "CTinyVLMLibraries",
    "TinyVLM",
  ]);
});

// Whatever a file includes has to be in the tree: the compiler's own list of it.
test("every file that was compiled here is in what is released", { skip }, (context) => {
  const objects = join(root, "build", "swift", "release");
  if (!existsSync(objects)) return context.skip("the package has not been built here");
  const tree = new Set(releaseTree(join(root, "build", "swift-release")));
  const lists = execFileSync("find", ["-L", objects, "-name", "*.d", "-path", "*CTinyVLM*"], {
    encoding: "utf8",
  });
  const needed = new Set();
  for (const list of lists.trim().split("\n"))
    for (const word of readFileSync(list, "utf8").split(/[\s\\]+/))
      if (word.startsWith(`${root}/`) && !word.endsWith(":") && !word.startsWith(`${root}/build/`))
        needed.add(word.slice(root.length + 1));
  assert.ok(needed.size > 300, `${needed.size} files`);
  // An object of a file that is no more may still lie about.
  for (const path of needed) if (existsSync(join(root, path))) assert.ok(tree.has(path), path);
});

const planOf = () =>
  execFileSync(join(root, "scripts", "xcframework.sh"), ["--plan"], { encoding: "utf8" });

test("xcframework.sh would do what it was recorded to do", () => {
  // After a change that is meant: scripts/xcframework.sh --plan > scripts/xcframework.plan.txt
  assert.equal(planOf(), read("scripts/xcframework.plan.txt"));
  if (process.platform === "darwin") return;
  assert.throws(
    () => execFileSync(join(root, "scripts", "xcframework.sh"), { stdio: "pipe" }),
    /a Mac with Xcode wanted/,
  );
});

test("xcframework.sh compiles with the settings of Package.swift", { skip }, async () => {
  const plan = planOf();
  const args = ["package", "dump-package"];
  const { status, stdout, output } = await runSwift("swift", args, { quiet: true });
  assert.equal(status, 0, output);
  const { targets } = JSON.parse(stdout);
  const flags = { cxx: new Set(), c: new Set() };
  for (const { path, settings } of targets)
    for (const { tool, kind } of settings) {
      const folder = kind.headerSearchPath?._0;
      if (folder !== undefined) flags[tool].add(`-I${join(path, folder).replace(/\/$/, "")}`);
      if (kind.define) flags[tool].add(`-D${kind.define._0}`);
    }
  for (const [tool, wanted] of Object.entries(flags)) {
    const [, line] = new RegExp(`^${tool.toUpperCase()}_FLAGS: (.*)$`, "m").exec(plan);
    const found = line.split(" ").filter((flag) => /^-[ID]/.test(flag) && flag !== "-DNDEBUG");
    assert.deepEqual(found.sort(), [...wanted].sort());
  }
  const [, layers] = /^let layers = \[([^\]]*)\]/m.exec(read("Package.swift"));
  assert.equal(
    /^layers="([^"]*)"/m.exec(read("scripts/xcframework.sh"))[1].replaceAll("\\\n", ""),
    [...layers.matchAll(/"(.*?)"/g)].map(([, name]) => name).join(" "),
  );
});

// A module that has a type of its own name cannot be read back from its interface without the
// option that xcframework.sh passes.
test("a framework's interface can be read, its public names have comments", { skip }, async () => {
  const sources = join("mobile", "swift", "Sources", "TinyVLM");
  const folder = join("build", "swift-interface");
  rmSync(join(root, folder), { recursive: true, force: true });
  mkdirSync(join(root, folder, "module"), { recursive: true });
  const [, options] = /-whole-module-optimization (.*?) -emit-module /.exec(planOf());
  const files = readdirSync(join(root, sources)).filter((name) => name.endsWith(".swift"));
  const made = await runSwift(
    "swiftc",
    [
      ...["-swift-version", "6", ...options.split(" "), "-suppress-warnings", "-emit-module"],
      ...["-emit-module-path", join(folder, "TinyVLM.swiftmodule")],
      ...["-emit-module-interface-path", join(folder, "module", "TinyVLM.swiftinterface")],
      ...["-emit-symbol-graph", "-emit-symbol-graph-dir", folder],
      ...["-symbol-graph-minimum-access-level", "public"],
      ...files.map((name) => join(sources, name)),
    ],
    { quiet: true },
  );
  assert.equal(made.status, 0, made.output);
  const { symbols } = JSON.parse(read(join(folder, "TinyVLM.symbols.json")));
  assert.ok(symbols.length > 150, `${symbols.length} public names`);
  const bare = symbols.filter(({ docComment }) => !docComment).map((s) => s.pathComponents);
  // What the compiler writes for Hashable, Decodable and RawRepresentable.
  const written = /^(==|hash|init\((from|rawValue):\))/;
  assert.deepEqual(
    bare.map((path) => path.join(".")).filter((name) => !written.test(name.split(".").at(-1))),
    [],
  );
  const user = join(folder, "user.swift");
  writeFileSync(
    join(root, user),
    "import TinyVLM\nfunc said(_ answer: Answer, _ chat: Chat) -> String { answer.text }\n" +
      'func ask(_ model: TinyVLM) async throws { _ = try await model.answer(nil, "") }\n',
  );
  const used = await runSwift(
    "swiftc",
    ["-swift-version", "6", "-typecheck", "-I", join(folder, "module"), user],
    { quiet: true },
  );
  assert.equal(used.status, 0, used.output);
});

// UIKit and SwiftUI are not here: what the sources use of them is written below, and the attributes
// for Objective-C, which Linux has not, are left out.
const standIns = {
  UIKit: `import TinyVLM
open class UIImage: @unchecked Sendable {}
extension ImageInput {
  public init(_ image: UIImage) throws { throw CancellationError() }
}
`,
  SwiftUI: `@_exported import Foundation
@_exported import UIKit
public protocol ObservableObject: AnyObject {}
@propertyWrapper public struct Published<Value> {
  public var wrappedValue: Value
  public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
}
`,
};

/** Compiles Swift over the package's interface and the stand-ins, in a folder of build/. */
async function compileOverPackage(folder, version, sources) {
  rmSync(join(root, folder), { recursive: true, force: true });
  mkdirSync(join(root, folder), { recursive: true });
  const module = join("build", "swift-interface", "module");
  const compile = async (args) => {
    const options = ["-swift-version", version, "-parse-as-library", "-I", module, "-I", folder];
    const { status, output } = await runSwift("swiftc", [...options, ...args], { quiet: true });
    assert.equal(status, 0, output);
    assert.equal(output, "");
  };
  for (const [name, text] of Object.entries(standIns)) {
    const file = join(folder, `${name}.swift`);
    writeFileSync(join(root, file), text);
    const made = ["-emit-module", "-emit-module-path", join(folder, `${name}.swiftmodule`)];
    await compile(["-module-name", name, ...made, file]);
  }
  const files = Object.entries(sources).map(([name, text]) => {
    writeFileSync(join(root, folder, name), text.replaceAll(/^ *@objc\([\w:]+\)$/gm, ""));
    return join(folder, name);
  });
  await compile(["-typecheck", "-module-name", "App", ...files]);
}

test("the React Native module's Swift compiles over that interface", { skip }, async () => {
  const [, version] = /swift_version = "(\d+)/.exec(
    read("mobile/react-native/react-native-tiny-vlm.podspec"),
  );
  const folder = join("mobile", "react-native", "ios");
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith(".swift"));
  assert.equal(names.length, 4);
  const sources = Object.fromEntries(names.map((name) => [name, read(join(folder, name))]));
  await compileOverPackage(join("build", "swift-react-native"), version, sources);
});

test("the iOS example's use of the package compiles over that interface", { skip }, async () => {
  await compileOverPackage(join("build", "swift-example"), "6", {
    "Asking.swift": read("examples/ios/TinyVLMExample.swiftpm/Asking.swift"),
    // Of SwiftPM, and of a file that is about ImageIO.
    "Others.swift": `import SwiftUI
      extension Bundle { static var module: Bundle { main } }
      func smallCopy(of file: Data) -> UIImage? { nil }
      `,
  });
});

test("Swift files are formatted, and the example is Swift", { skip }, async () => {
  const lint = ["lint", "--strict", "--recursive", "mobile/swift", "examples/ios", "Package.swift"];
  const { status, output } = await runSwift("swift-format", lint, { quiet: true });
  assert.equal(status, 0, output);
  const example = join("examples", "ios", "TinyVLMExample.swiftpm");
  const files = readdirSync(join(root, example)).filter((name) => name.endsWith(".swift"));
  const paths = files.map((name) => join(example, name));
  const args = ["-frontend", "-parse", "-swift-version", "6", ...paths];
  const parsed = await runSwift("swiftc", args, { quiet: true });
  assert.equal(parsed.status, 0, parsed.output);
});
