// The Kotlin of the package compiles: against React Native's classes for Android of an old and a
// new version, what codegen wrote for them, and the Kotlin library, which Maven compiles first
// (the profile react-native of mobile/android/pom.xml).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { versionOf } from "../scripts/toolchain.mjs";
import { codegenConfig, generate } from "./codegen.mjs";

const noMaven = versionOf("mvn") || process.env.CI === "true" ? false : "no Maven here";
const packageFolders = codegenConfig.android.javaPackageName.split(".");

// Of each codegen's version the nearest that Maven Central has.
for (const [codegen, version] of [
  ["codegen76", "0.76.5"],
  ["@react-native/codegen", "0.87.1"],
]) {
  test(`Kotlin compiles with React Native ${version}`, { skip: noMaven }, () => {
    const folder = join(process.cwd(), "build", "react-native-kotlin", version);
    const classes = join(folder, "react-native-classes");
    rmSync(classes, { recursive: true, force: true });
    const spec = join(folder, "spec");
    mkdirSync(join(spec, ...packageFolders), { recursive: true });
    const { java } = generate(codegen);
    writeFileSync(join(spec, ...packageFolders, "NativeTinyVLMSpec.java"), java);

    const { status, stdout, error } = spawnSync(
      "mvn",
      [
        ...["--batch-mode", "--no-transfer-progress", "-P", "react-native"],
        ...["-f", join(process.cwd(), "mobile", "android", "pom.xml")],
        ...[`-DreactNative.version=${version}`, `-DreactNative.spec=${spec}`],
        ...[`-DoutputFolder=${folder}`, "process-classes"],
      ],
      { encoding: "utf8", maxBuffer: 1 << 28 },
    );
    assert.ifError(error);
    assert.equal(status, 0, stdout);
    const compiled = readdirSync(join(classes, ...packageFolders));
    for (const name of ["TinyVlmModule", "TinyVlmPackage", "ArgumentsKt", "ResultsKt"])
      assert(compiled.includes(`${name}.class`), `no ${name} among ${compiled.join(", ")}`);
  });
}
