// The package's declarations, its spec and the example app with React Native's own types.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const clients = join(process.cwd(), "build", "react-native-clients");
const tsc = join(process.cwd(), "node_modules", "typescript", "bin", "tsc");

// As in React Native's own configuration for apps, but strict, and with nothing of a page.
const compilerOptions = {
  target: "esnext",
  module: "esnext",
  moduleResolution: "bundler",
  customConditions: ["react-native"],
  lib: ["es2022"],
  types: ["react-native"],
  jsx: "react-native",
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  isolatedModules: true,
  noEmit: true,
};

/** Compiles files of build/react-native-clients; the lines that tsc printed. */
function compile(name, files, options = {}) {
  const config = join(clients, `tsconfig.${name}.json`);
  const json = { compilerOptions: { ...compilerOptions, ...options }, files };
  writeFileSync(config, JSON.stringify(json));
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", config, "--pretty", "false"], {
    encoding: "utf8",
    cwd: clients,
  });
  return stdout.split("\n").filter((line) => line !== "");
}

test("an app's code compiles, and wrong code does not", () => {
  assert.deepEqual(compile("app", ["app/types/app.ts"], { skipLibCheck: true }), []);
});

test("the code in docs/react-native.md compiles", () => {
  const document = readFileSync(join(process.cwd(), "docs", "react-native.md"), "utf8");
  const blocks = [...document.matchAll(/^```tsx [^\n]*\n([^]*?)^```$/gm)].map(([, code]) => code);
  assert.equal(blocks.length, 2);
  mkdirSync(join(clients, "app", "docs"), { recursive: true });
  const files = blocks.map((code, index) => {
    const name = `app/docs/${index}.tsx`;
    writeFileSync(join(clients, name), code);
    return name;
  });
  assert.deepEqual(compile("docs", files, { skipLibCheck: true }), []);
});

test("the spec compiles with React Native's types", () => {
  const spec = "node_modules/react-native-tiny-vlm/src/NativeTinyVLM.ts";
  assert.deepEqual(compile("spec", [spec], { skipLibCheck: true }), []);
});

test("the example app compiles", () => {
  const files = ["app/example/App.tsx", "app/image-picker/index.d.ts"];
  assert.deepEqual(compile("example", files, { skipLibCheck: true }), []);
});

// React Native's own have some, so that apps skip them all. Of ours there is one, in a type of the
// web's that the package does not export.
test("the declarations want no other type of a page than ReadableStream", () => {
  const ours = compile("declarations", ["app/types/app.ts"], { skipLibCheck: false })
    .filter((line) => line.startsWith("node_modules/react-native-tiny-vlm/"))
    .map((line) => line.replace(/^.*\/(\S+)\([\d,]+\)/, "$1"));
  assert.deepEqual(ours, ["types.d.ts: error TS2304: Cannot find name 'ReadableStream'."]);
});
