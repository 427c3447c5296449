// The checks of `npm run lint` find what they are for.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { report } from "./api-report.mjs";
import { anyTypes } from "./check-any.mjs";
import { undocumented } from "./check-docs.mjs";
import { wrongImports, wrongIncludes } from "./check-layers.mjs";
import { obstacles } from "./release.mjs";
import { differences, table } from "./reproduce.mjs";
import { billOfMaterials } from "./sbom.mjs";
import { brokenLinks, longLines } from "./check-documents.mjs";
import { symbolize } from "../tools/symbolize-wasm.mjs";

const cmake = {
  "cpp/base/CMakeLists.txt": "tinyvlm_layer(base SOURCES status.cc)",
  "cpp/tensor/CMakeLists.txt": "tinyvlm_layer(tensor DEPENDS base SOURCES dtype.cc)",
  "cpp/formats/CMakeLists.txt": "tinyvlm_layer(formats DEPENDS tensor LIBRARIES z SOURCES a.cc)",
  "cpp/kernels/CMakeLists.txt": "tinyvlm_layer(kernels DEPENDS tensor SOURCES b.cc) # formats",
  "cpp/cli/CMakeLists.txt": `tinyvlm_layer(cli_lib DEPENDS formats SOURCES flags.cc)
    add_executable(tool main.cc)
    target_link_libraries(tool PRIVATE tinyvlm_cli_lib tinyvlm_kernels)`,
};

test("an include of a layer that is reached through another one is allowed", () => {
  const sources = {
    "cpp/formats/a.cc": '#include "base/status.h"\n#include "formats/a.h"\n#include <vector>\n',
    "cpp/cli/main.cc": '#include "kernels/b.h"\n',
    "cpp/base/status.cc": '#include "hwy/highway.h"\n',
  };
  assert.deepEqual(wrongIncludes(sources, cmake), []);
});

test("an include upwards, sideways or past what a library links is found, with its line", () => {
  const sources = {
    "cpp/base/status.cc": '\n#include "tensor/dtype.h"\n',
    "cpp/kernels/b.cc": '#include "formats/a.h"\n',
    "cpp/cli/flags.cc": '#include "kernels/b.h"\n',
  };
  const found = wrongIncludes(sources, cmake);
  assert.deepEqual(
    found.map((line) => line.split(": ")[0]),
    ["cpp/base/status.cc:2", "cpp/kernels/b.cc:1", "cpp/cli/flags.cc:1"],
  );
  assert.match(
    found[1],
    /includes cpp\/formats, but cpp\/kernels depends on cpp\/base, cpp\/tensor/,
  );
});

test("layers that depend on each other in a circle are found", () => {
  const circle = {
    ...cmake,
    "cpp/base/CMakeLists.txt": "tinyvlm_layer(base DEPENDS formats SOURCES s.cc)",
  };
  assert.match(wrongIncludes({}, circle)[0], /circle: .*base -> formats -> tensor -> base/);
});

test("imports against the table, of Emscripten, and in circles are found", () => {
  const table = { api: ["protocol"], protocol: [], runtime: ["protocol"] };
  const at = (sources) => wrongImports(sources, table);
  assert.deepEqual(at({ "api/a.ts": 'import { b } from "../protocol/b.js";' }), []);
  assert.match(
    at({ "api/a.ts": 'import type { E } from "../runtime/e.js";' })[0],
    /api may import/,
  );
  assert.match(at({ "api/a.ts": 'await import("../runtime/e.js");' })[0], /runtime\/e\.ts/);
  assert.match(at({ "api/a.ts": 'import g from "glue:simd";' })[0], /Emscripten/);
  assert.deepEqual(at({ "runtime/a.ts": 'import g from "glue:simd";' }), []);
  const circle = { "api/a.ts": 'export * from "./b.js";', "api/b.ts": 'import "./a.js";' };
  assert.match(at(circle)[0], /circle: api\/a\.ts -> api\/b\.ts -> api\/a\.ts/);
  assert.match(at({ "new/a.ts": "" })[0], /new is missing/);
});

test("any is found in every part of a declaration, in words it is not", async () => {
  const text = `/** Any text. */
export interface A {
    any: string;
    f(any: Map<string, any>): unknown;
}
declare const b: <T = any>() => T;
export type C = "any" | { c: any[] };
`;
  assert.deepEqual(await anyTypes("a.d.ts", text), ["a.d.ts:4", "a.d.ts:6", "a.d.ts:7"]);
});

test("declarations, fields and methods without a docstring are found, nested ones too", async () => {
  const text = `/** A. */
export interface A {
    /** Documented. */
    a: number;
    // No docstring.
    b: { c: string };
    [Symbol.dispose](): void;
}
/** B. */
export declare class B {
    #private;
    private hidden;
    /** Once. */
    ask(question: string): void;
    ask(image: A, question: string): void;
}
export declare const numbers: { readonly one: 1 };
/** C. */
export type C = A extends { pattern: infer Type } ? Type : never;
declare global {
    /** D. */
    var D: A & { e: string };
}
`;
  assert.deepEqual(await undocumented("x.d.ts", text), [
    "x.d.ts: A.b",
    "x.d.ts: A.c",
    "x.d.ts: A.Symbol.dispose",
    "x.d.ts: B.ask",
    "x.d.ts: numbers",
    "x.d.ts: D.e",
  ]);
});

test("the API report has what the entries reach, without comments", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-report-test-"));
  const files = {
    "index.d.ts": 'export { A } from "./a.js";\nexport type * from "./types.js";\n',
    "node.d.ts": 'export { A } from "./a.js";\n',
    "demo-model.d.ts": "export {};\n",
    "support.d.ts": "export {};\n",
    "iife.d.ts": "export {};\n",
    "a.d.ts": `import type { Inner } from "./types.js";
/** A class. */
export declare class A {
    #private;
    /** What it does. */
    run(inner: Inner): void;
}
`,
    "types.d.ts": `type Hidden = 1;
interface Inner { hidden: Hidden }
interface Unused { never: 1 }
export interface Options { a?: number }
export type { Inner };
`,
  };
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const text = await report(folder, ["index.d.ts", "node.d.ts"]);
    assert.match(
      text,
      /## Exports of index\.d\.ts\n\nValues: `A`\.\n\nTypes: `Inner`, `Options`\./,
    );
    assert.match(text, /## Exports of node\.d\.ts\n\nValues: `A`\.\n\nTypes: none\./);
    assert.match(text, /class A \{\n {2}#private;\n {2}run\(inner: Inner\): void;\n\}/);
    assert.match(text, /refer to\n\n```ts\ntype Hidden = 1;\n```/);
    assert.doesNotMatch(text, /Unused|What it does/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("links to files and headings that are not there are found", () => {
  const files = {
    "README.md": "# Top\n\n[a](docs/a.md#two-words) [b](docs/b.md) ![c](c.png)\n`[no](link)`\n",
    "docs/a.md":
      "## Two `words`\n\n[up](../README.md#top) [out](https://example.org/x)\n[x](#three)",
  };
  assert.deepEqual(brokenLinks(files, [...Object.keys(files), "c.png"]), [
    "README.md: docs/b.md is not there",
    "docs/a.md: #three: docs/a.md has no such heading",
  ]);
});

test("lines over 100 columns are found, except addresses", () => {
  const long = "x".repeat(101);
  const files = { "a.md": `ok\n${long}\n`, "b.js": `// see https://example.org/${long}\n` };
  assert.deepEqual(longLines(files), ["a.md:2: 101 columns"]);
  assert.deepEqual(longLines({ "c.js": "é".repeat(100) }), []);
});

test("a release needs a clean main, a new version and its heading in the changelog", () => {
  const ready = {
    status: "",
    branch: "main",
    tags: ["v0.1.0"],
    version: "0.2.0",
    headings: [
      { version: "0.2.0", date: "2027-01-31" },
      { version: "0.1.0", date: "2026-12-24" },
    ],
  };
  assert.deepEqual(obstacles(ready), []);
  const found = (change) => obstacles({ ...ready, ...change });
  assert.match(found({ status: " M README.md" })[0], /README\.md/);
  assert.match(found({ branch: "fix" })[0], /from main, this is fix/);
  assert.match(found({ tags: ["v0.2.0"] })[0], /v0\.2\.0 exists/);
  assert.match(found({ headings: ["Unreleased"] })[0], /begins with "Unreleased"/);
});

test("offsets of wasm frames become source lines where the map knows them", () => {
  // One mapping: column (offset) 977 of line 1 is line 4 of cpp/base/a.cc. "i9BAGA" is 977, 0, 3, 0.
  const map = {
    version: 3,
    sources: ["../../build/wasm-debug/cpp/base/a.cc"],
    names: [],
    mappings: "i9BAGA",
  };
  const trace =
    "RuntimeError\n    at f (wasm://wasm/x:wasm-function[14]:0x3d1)\n    at g (a.mjs:1:2)";
  assert.equal(
    symbolize(trace, map),
    "RuntimeError\n    at f (wasm://wasm/x:wasm-function[14]:0x3d1) at cpp/base/a.cc:4\n    at g (a.mjs:1:2)",
  );
});

test("two builds that differ are told apart, file by file and byte by byte", () => {
  const files = (entries) =>
    new Map(Object.entries(entries).map(([name, text]) => [name, Buffer.from(text)]));
  const a = files({ "dist/a.wasm": "abc", "dist/types/b.d.ts": "1", "README.md": "x" });
  const b = files({ "dist/a.wasm": "abd!", "dist/types/c.d.ts": "1", "README.md": "x" });
  assert.deepEqual(differences(a, a, "one", "two"), []);
  assert.deepEqual(differences(a, b, "one", "two"), [
    "dist/a.wasm: 3 and 4 bytes, different from byte 2 on",
    "dist/types/b.d.ts: in one only",
    "dist/types/c.d.ts: in two only",
  ]);
  assert.deepEqual(
    table(a, b).map(({ kind, equal }) => [kind, equal]),
    [
      ["documents and examples", true],
      ["dist/a.wasm", false],
      ["dist/types*/ (declarations)", false],
    ],
  );
});

test("the bill of materials names every library with its licence, and every file once", () => {
  const dist = mkdtempSync(join(tmpdir(), "tiny-vlm-sbom-"));
  try {
    writeFileSync(join(dist, "index.mjs"), "text");
    const { components, dependencies, metadata } = billOfMaterials("6.0.5", dist);
    const all = [...components, ...components.flatMap(({ components: parts = [] }) => parts)];
    const refs = all.map((component) => component["bom-ref"]);
    assert.equal(new Set(refs).size, refs.length);
    const libraries = all.filter(({ type }) => type === "library");
    for (const name of ["highway", "sentencepiece", "absl", "zlib", "utf8proc", "musl", "libc++"])
      assert(
        libraries.some((library) => library.name === name),
        name,
      );
    for (const { name, licenses } of libraries) assert.equal(licenses?.length, 1, name);
    for (const { dependsOn } of dependencies)
      for (const ref of dependsOn) assert(refs.includes(ref), ref);
    assert.equal(metadata.component.name, "tiny-vlm");
    assert.deepEqual(components.at(-1), {
      type: "file",
      "bom-ref": "dist/index.mjs",
      name: "dist/index.mjs",
      hashes: [
        {
          alg: "SHA-256",
          content: "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1",
        },
      ],
    });
  } finally {
    rmSync(dist, { recursive: true });
  }
});
