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
  return printedBy(config);
}

function printedBy(config) {
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", config, "--pretty", "false"], {
    encoding: "utf8",
    cwd: clients,
  });
  return stdout.split("\n").filter((line) => line !== "");
}

test("an app's code compiles, and wrong code does not", () => {
  assert.deepEqual(compile("app", ["app/types/app.ts"], { skipLibCheck: true }), []);
});

test("the types are the SDK's, but for what docs/react-native.md lists", () => {
  const own = join(process.cwd(), "tests-react-native", "types", "sdk.ts");
  const config = join(clients, "tsconfig.sdk.json");
  const project = join(process.cwd(), "mobile", "react-native");
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(project, "tsconfig.json"),
      compilerOptions: { typeRoots: [join(process.cwd(), "node_modules", "@types")] },
      include: [],
      files: [
        own,
        join(project, "types", "react-native.d.ts"),
        join(process.cwd(), "js-sdk", "src", "adapters", "react", "react-module.d.ts"),
      ],
    }),
  );
  assert.deepEqual(printedBy(config), []);
  const [, listed] = /Begin of what[^\n]*\n([^]*?)\/\/ End/.exec(readFileSync(own, "utf8"));
  const wanted = [...listed.matchAll(/"(\w+)"/g)].map(([, name]) => name);
  const document = readFileSync(join(process.cwd(), "docs", "react-native.md"), "utf8");
  const [, rows] = /\| where[^\n]*\n([^]*?)\n\n/.exec(document);
  const found = rows
    .split("\n")
    .flatMap((row) => [...row.split("|")[2].matchAll(/`(\w+)`/g)].map(([, name]) => name));
  assert.deepEqual(found.sort(), wanted.sort());
});

test("the code in the documents compiles", () => {
  const blocks = ["react-native.md", "phones.md"].flatMap((name) => {
    const document = readFileSync(join(process.cwd(), "docs", name), "utf8");
    return [...document.matchAll(/^```tsx [^\n]*\n([^]*?)^```$/gm)].map(([, code]) => code);
  });
  assert.equal(blocks.length, 3);
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
