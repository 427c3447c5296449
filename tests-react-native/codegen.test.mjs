// React Native's own codegen reads the spec, and what it wants implemented is what the sources of
// Android and iOS implement. No compiler has seen those of iOS here.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { clients, codegenConfig, generate, modules, project } from "./codegen.mjs";

const read = (...names) => readFileSync(join(project, ...names), "utf8");

const oneLine = (text) => text.replaceAll(/\s+/g, " ").replaceAll("* _N", "*_N").trim();

const kotlinTypes = {
  double: "Double",
  String: "String",
  "@Nullable String": "String?",
  ReadableMap: "ReadableMap",
  ReadableArray: "ReadableArray",
  Promise: "Promise",
};

// "double model, @Nullable String system" → "model: Double, system: String?"
const kotlinParameters = (java) =>
  java
    .split(", ")
    .map((parameter) => {
      const [, type, name] = /^(.+) (\w+)$/.exec(parameter);
      assert(kotlinTypes[type], `codegen has a type that is new: ${type}`);
      return `${name}: ${kotlinTypes[type]}`;
    })
    .join(", ");

for (const codegen of ["codegen76", "@react-native/codegen"]) {
  const { version } = clients(`${codegen}/package.json`);

  test(`codegen ${version}: Kotlin overrides every method, and no other`, () => {
    const { java } = generate(codegen);
    const kotlin = oneLine(
      read("android/src/main/java/dev/tinyvlm/reactnative/TinyVlmModule.kt"),
    ).replaceAll(/\( | \)|, \)/g, (bracket) => bracket.trim().slice(-1));
    const methods = [...java.matchAll(/public abstract void (\w+)\((.*)\);/g)];
    assert.equal(methods.length, 9);
    for (const [, name, parameters] of methods) {
      const signature = `override fun ${name}(${kotlinParameters(parameters)})`;
      assert(kotlin.includes(signature), `wanted ${signature}`);
    }
    const overridden = [...kotlin.matchAll(/override fun (\w+)/g)].map(([, name]) => name);
    // `invalidate` is of every native module.
    assert.deepEqual(overridden.sort(), [...methods.map(([, name]) => name), "invalidate"].sort());
    for (const [, name] of java.matchAll(/void (emitOn\w+)\(ReadableMap value\)/g))
      assert(kotlin.includes(`${name}(`), `Kotlin never calls ${name}`);
    assert.match(kotlin, /^.*: NativeTinyVLMSpec\(/);
  });

  test(`codegen ${version}: Objective-C++ implements every method`, () => {
    const { header } = generate(codegen);
    const shim = oneLine(read("ios/RCTTinyVLM.mm"));
    const protocol = /@protocol NativeTinyVLMSpec [^]*?@end/.exec(header)[0];
    const methods = [...protocol.matchAll(/^- ([^;]+);/gm)].map(([, method]) => oneLine(method));
    assert.equal(methods.length, 9);
    for (const method of methods) assert(shim.includes(`- ${method} {`), `wanted - ${method}`);
    for (const [, name] of header.matchAll(/- \(void\)(emitOn\w+):/g))
      assert(shim.includes(`${name}:`), `Objective-C++ never calls ${name}`);
    assert.match(read("ios/RCTTinyVLM.h"), /: NativeTinyVLMSpecBase <NativeTinyVLMSpec>/);
    assert.match(shim, /NativeTinyVLMSpecJSI>\(params\)/);
  });
}

test("what an app runs before it is built finds the module and its class", () => {
  const app = mkdtempSync(join(tmpdir(), "tiny-vlm-app-"));
  try {
    const dependencies = { "react-native": "*", "react-native-tiny-vlm": "*" };
    writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", dependencies }));
    symlinkSync(modules, join(app, "node_modules"));
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        join(modules, "react-native", "scripts", "generate-codegen-artifacts.js"),
        ...["--path", app, "--targetPlatform", "ios", "--outputPath", join(app, "out")],
      ],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
    const written = (...names) =>
      readFileSync(join(app, "out", "build", "generated", "ios", "ReactCodegen", ...names), "utf8");
    assert.match(written("RCTModuleProviders.mm"), /@"TinyVLM": @"RCTTinyVLM"/);
    assert.match(written("TinyVLMSpec", "TinyVLMSpec.h"), /@protocol NativeTinyVLMSpec/);
  } finally {
    rmSync(app, { recursive: true });
  }
});

test("autolinking finds the package on both systems", () => {
  const android = clients("@react-native-community/cli-config-android");
  const { packageImportPath, libraryName, cmakeListsPath } = android.dependencyConfig(project, {});
  assert.equal(packageImportPath, "import dev.tinyvlm.reactnative.TinyVlmPackage;");
  assert.equal(libraryName, codegenConfig.name);
  assert.match(cmakeListsPath, /codegen\/jni\/CMakeLists\.txt$/);
  const apple = clients("@react-native-community/cli-config-apple");
  const { podspecPath } = apple.getDependencyConfig({ platformName: "ios" })(project, {});
  assert.equal(podspecPath, join(project, "react-native-tiny-vlm.podspec"));
});

test("the Swift class has each selector that Objective-C++ calls, and no other", () => {
  const swift = read("ios/TinyVLMBridge.swift");
  const declared = [...swift.matchAll(/@objc\(([\w:]+)\)\s+public func/g)].map(([, name]) => name);
  const shim = read("ios/RCTTinyVLM.mm");
  const called = [...shim.matchAll(/\[_bridge\s+([^\]]+)\]/g)].map(
    ([, message]) =>
      [...message.matchAll(/(?:^|\s)(\w+):/g)].map(([, part]) => `${part}:`).join("") || message,
  );
  assert(called.length >= 9);
  assert.deepEqual([...new Set(called)].sort(), declared.sort());
});

test("every option of the engine, and all that an answer tells, crosses on both systems", () => {
  const protocol = (name) =>
    readFileSync(join(process.cwd(), "js-sdk", "src", "protocol", name), "utf8");
  const rules = protocol("option-rules.generated.ts");
  const listed = (name) => {
    const [, list] = new RegExp(`const ${name} = \\[([^\\]]*)\\]`).exec(rules);
    return [...list.matchAll(/"(\w+)"/g)].map(([, key]) => key);
  };
  const options = [...listed("sessionKeys"), ...listed("samplingKeys"), "threads"]
    .filter((key) => key !== "responseFormat")
    .concat("schema", "choices", "pattern", "system", "exactPreprocess", "strict");
  assert(options.length > 20);
  const usage = /interface Usage \{[^]*?\n\}/.exec(protocol("values.ts"))[0];
  const timings = /timings: \{[^]*?\}/.exec(protocol("messages.ts"))[0];
  const told = [...`${usage}${timings}`.matchAll(/^ +(\w+): number;/gm)].map(([, key]) => key);
  assert.equal(told.length, 11);
  const info = /interface ModelInfo \{[^]*?\n\}/.exec(protocol("values.ts"))[0];
  const infoKeys = [...info.matchAll(/^ +(\w+): /gm)]
    .map(([, key]) => key)
    .filter((key) => key !== "hasTokenizer");
  assert(infoKeys.includes("context") && infoKeys.length > 8);
  const kotlin = "android/src/main/java/dev/tinyvlm/reactnative";
  for (const [given, gotten] of [
    [`${kotlin}/Arguments.kt`, `${kotlin}/Results.kt`],
    ["ios/Arguments.swift", "ios/Results.swift"],
  ]) {
    const without = (file, keys) => keys.filter((key) => !read(file).includes(`"${key}"`));
    assert.deepEqual(without(given, options), [], given);
    assert.deepEqual(without(gotten, [...told, "warnings", "logprobs"]), [], gotten);
    assert.deepEqual(without(gotten, infoKeys), [], gotten);
  }
});
