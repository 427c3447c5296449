// What can be said of the code for Apple's systems without compiling it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../toolchain.mjs";
import { trackedFiles } from "../tracked-files.mjs";
import { appleTargets, privacyCategories } from "./apple-library.mjs";

const read = (path) => readFileSync(join(root, path), "utf8");

test("what is compiled here is a part of the framework, for the same systems", () => {
  const plan = read("scripts/xcframework.plan.txt");
  for (const triple of Object.keys(appleTargets))
    assert.ok(plan.includes(` clang++ -target ${triple} CXX_FLAGS `), triple);
  const manifest = read("Package.swift");
  for (const { platform, oldest } of Object.values(appleTargets)) {
    const name = { iOS: "iOS", macOS: "macOS", "Mac Catalyst": "macCatalyst" };
    const wanted = `.${name[platform.replace(" simulator", "")]}(.v${Number.parseInt(oldest)})`;
    assert.ok(manifest.includes(wanted), wanted);
  }
});

test("the framework hides by the same options what it does not export", () => {
  const plan = read("scripts/xcframework.plan.txt");
  const toolchain = read("mobile/apple/toolchain-zig.cmake");
  const options = (text) => [...new Set(text.match(/-fvisibility\S*=?\w+/g))].sort();
  const hidden = ["-fvisibility-inlines-hidden", "-fvisibility=hidden"];
  assert.deepEqual(options(/^CXX_FLAGS: .*$/m.exec(plan)[0]), hidden);
  assert.deepEqual(options(/^C_FLAGS: .*$/m.exec(plan)[0]), ["-fvisibility=hidden"]);
  assert.deepEqual(options(toolchain), hidden);
  assert.match(toolchain, /-dead_strip\b/);
  const links = plan.match(/^.* swiftc .*$/gm);
  assert.equal(links.length, plan.match(/ clang\+\+ -target /g).length);
  for (const link of links) assert.match(link, /-Xlinker -dead_strip /);
});

// Names in Swift and Objective-C that Apple wants a reason for in a privacy manifest, by category.
const reasonsWanted = {
  NSPrivacyAccessedAPICategoryFileTimestamp:
    /\b(attributesOfItem|creationDate|modificationDate|(content|file)ModificationDate\w*)\b/,
  NSPrivacyAccessedAPICategorySystemBootTime: /\b(systemUptime|mach_absolute_time)\b/,
  NSPrivacyAccessedAPICategoryDiskSpace:
    /\b(volumeAvailableCapacity\w*|volumeTotalCapacity\w*|systemFreeSize|systemSize|statv?fs)\b/,
  NSPrivacyAccessedAPICategoryActiveKeyboards: /\bactiveInputModes\b/,
  NSPrivacyAccessedAPICategoryUserDefaults: /\b(NS)?UserDefaults\b/,
};

const categoriesOf = (folder) => {
  const paths = trackedFiles().filter(
    (path) => path.startsWith(`${folder}/`) && /\.(swift|mm?|h)$/.test(path),
  );
  assert.ok(paths.length > 3, folder);
  return Object.entries(reasonsWanted)
    .filter(([, pattern]) => paths.some((path) => pattern.test(withoutComments(read(path)))))
    .map(([category]) => category);
};
const withoutComments = (code) => code.replaceAll(/\/\/.*$/gm, "");

test("the Swift sources call what the privacy manifest has reasons for, and nothing else", () => {
  assert.deepEqual(categoriesOf("mobile/swift/Sources"), privacyCategories());
});

// It is compiled into the app, and has no manifest of its own.
test("the native code of the React Native package calls nothing that wants a reason", () => {
  assert.deepEqual(categoriesOf("mobile/react-native/ios"), []);
});

test("a pod takes the Swift package at the tag that its release gets", () => {
  const podspec = read("mobile/react-native/react-native-tiny-vlm.podspec");
  const [, revision] = /kind: "revision", revision: "(.*)" \}/.exec(podspec);
  const tag = revision.replace('#{package["version"]}', "${version}");
  assert.ok(read("scripts/swift-release.mjs").includes(`git tag ${tag} `), tag);
});
