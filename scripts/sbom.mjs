#!/usr/bin/env node
// npm run sbom: what the built package consists of, as a CycloneDX 1.6 document
// (build/tiny-vlm-<version>.cdx.json): each of its files with its hash, each library that is
// compiled into them with version, licence and the hash of its sources, and what they were built
// with. The same commit gives the same document. `-- --validate` also holds it against CycloneDX's
// own schema, which is fetched from the npm registry into a temporary folder.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { filesIn, sha256 } from "./reproduce.mjs";
import { installedEmscripten, root, run, toolEnvironment, versionOf } from "./toolchain.mjs";

const schemaPackages = {
  "@cyclonedx/cyclonedx-library": "10.3.0",
  ajv: "8.17.1",
  "ajv-formats": "3.0.1",
  "ajv-formats-draft2019": "1.6.1",
};

// What of Emscripten's own tree is linked into the modules.
const systemLibraries = {
  emscripten: { license: "MIT OR NCSA", description: "JavaScript glue, embind, emmalloc" },
  musl: { license: "MIT", description: "C library" },
  "libc++": { license: "Apache-2.0 WITH LLVM-exception", description: "C++ library" },
  "libc++abi": { license: "Apache-2.0 WITH LLVM-exception", description: "C++ run-time support" },
  "compiler-rt": { license: "Apache-2.0 WITH LLVM-exception", description: "compiler support" },
  dlmalloc: { license: "CC0-1.0", description: "memory allocator" },
};

const read = (...path) => readFileSync(join(root, ...path));
const json = (...path) => JSON.parse(read(...path));
const hashes = (content) => [{ alg: "SHA-256", content }];
const expression = (license) => [{ expression: license }];

/** A library of deps.lock.json as a component, with what it carries inside. */
function library([name, { version, license, archive, upstream, parts = {} }]) {
  const address = upstream.url ?? upstream.git;
  return {
    type: "library",
    "bom-ref": name,
    name,
    version,
    hashes: hashes(archive.sha256), // of the sources that were compiled
    licenses: expression(license),
    purl: `pkg:generic/${name}@${version}?download_url=${encodeURIComponent(address)}`,
    externalReferences: [
      {
        ...{ type: "source-distribution", url: address },
        ...(upstream.sha256 && { hashes: hashes(upstream.sha256) }),
      },
    ],
    ...(Object.keys(parts).length > 0 && {
      components: Object.entries(parts).map(([part, licenseOfPart]) => {
        const ref = `${name}/${part}`;
        return {
          ...{ type: "library", "bom-ref": ref, name: part },
          licenses: expression(licenseOfPart),
        };
      }),
    }),
  };
}

function files(dist) {
  return [...filesIn(dist)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, bytes]) => {
      const name = `dist/${path.replaceAll("\\", "/")}`;
      return { type: "file", "bom-ref": name, name, hashes: hashes(sha256(bytes)) };
    });
}

const tool = (name, version) => ({ type: "application", name, version });

/**
 * The document, from the folder `dist` and the tables of this repository. `emscripten`: the version
 * that it was built with.
 */
export function billOfMaterials(emscripten, dist) {
  const { name, version, description, license, dependencies, devDependencies } =
    json("package.json");
  if (dependencies !== undefined)
    throw new Error("package.json has dependencies, of which the bill of materials says nothing");
  const { sources } = json("scripts", "deps.lock.json");
  const compiledIn = Object.entries(sources).filter(([, { notices }]) => notices !== undefined);
  const ofEmscripten = Object.entries(systemLibraries).map(([part, { license, description }]) => {
    return {
      ...{ type: "library", "bom-ref": part, name: part, version: emscripten, description },
      licenses: expression(license),
    };
  });
  const libraries = [...compiledIn.map(library), ...ofEmscripten];
  const components = [...libraries, ...files(dist)];
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(
        run("git", ["show", "-s", "--format=%cI", "HEAD"], { quiet: true }).trim(),
      ).toISOString(),
      tools: {
        components: [
          tool("Emscripten", emscripten),
          ...["esbuild", "terser", "typescript"].map((each) => tool(each, devDependencies[each])),
        ],
      },
      component: {
        ...{ type: "library", "bom-ref": "package", name, version, description },
        licenses: expression(license),
        purl: `pkg:npm/${name}@${version}`,
      },
    },
    components,
    dependencies: [{ ref: "package", dependsOn: libraries.map((each) => each["bom-ref"]) }],
  };
}

/** The version of the Emscripten that builds here. */
function emscriptenVersion() {
  const version = installedEmscripten()?.version ?? versionOf("emcc", toolEnvironment());
  if (!version) throw new Error("wanted the Emscripten that dist/ was built with, found none");
  return version;
}

/** Writes the document to `folder`; returns its path. */
export function writeBillOfMaterials(folder) {
  const document = billOfMaterials(emscriptenVersion(), join(root, "dist"));
  const { name, version } = document.metadata.component;
  const path = join(folder, `${name}-${version}.cdx.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
  return path;
}

/** Throws where CycloneDX's schema, in its strict form, has something against the file. */
export async function validate(path) {
  const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-sbom-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    const wanted = Object.entries(schemaPackages).map(([name, version]) => `${name}@${version}`);
    run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...wanted], {
      cwd: folder,
      quiet: true,
    });
    const { Spec, Validation } = createRequire(join(folder, "package.json"))(
      "@cyclonedx/cyclonedx-library",
    );
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
    const found = await validator.validate(readFileSync(path, "utf8"));
    if (found !== null)
      throw new Error(`${path} is not CycloneDX 1.6:\n${JSON.stringify(found, null, 2)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({ options: { validate: { type: "boolean" } } });
    const path = writeBillOfMaterials(join(root, "build"));
    console.log(path);
    if (values.validate) {
      await validate(path);
      console.log("It is valid by CycloneDX's schema.");
    }
  } catch (error) {
    console.error(`sbom: ${error.message}`);
    process.exitCode = 1;
  }
}
