// React Native's codegen, of the versions that the tests install, over the package as it is built.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the clients are installed. */
export const modules = join(process.cwd(), "build", "react-native-clients", "node_modules");
/** Loads a module of one of them. */
export const clients = createRequire(join(modules, "package.json"));
/** The package, as it is built. */
export const project = join(process.cwd(), "build", "react-native");
/** Its settings of codegen. */
export const { codegenConfig } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));

/**
 * What codegen writes for the package: { java, header }, as texts. `codegen` is the name of an
 * installed package.
 */
export function generate(codegen) {
  const { TypeScriptParser } = clients(`${codegen}/lib/parsers/typescript/parser.js`);
  const { generate: write } = clients(`${codegen}/lib/generators/RNCodegen.js`);
  const specs = readdirSync(join(project, codegenConfig.jsSrcsDir));
  assert.deepEqual(specs, ["NativeTinyVLM.ts"]);
  const schema = new TypeScriptParser().parseFile(join(project, codegenConfig.jsSrcsDir, specs[0]));
  const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-codegen-"));
  try {
    for (const [platform, generators] of [
      ["android", ["modulesAndroid", "modulesCxx"]],
      ["ios", ["modulesIOS", "modulesCxx"]],
    ]) {
      const written = write(
        {
          libraryName: codegenConfig.name,
          schema,
          outputDirectory: join(folder, platform),
          packageName: codegenConfig.android.javaPackageName,
          assumeNonnull: platform === "ios",
          useLocalIncludePaths: false,
        },
        { generators },
      );
      assert.equal(written, true, `${codegen} wrote nothing for ${platform}`);
    }
    const { javaPackageName } = codegenConfig.android;
    return {
      java: readFileSync(
        join(folder, "android", "java", ...javaPackageName.split("."), "NativeTinyVLMSpec.java"),
        "utf8",
      ),
      header: readFileSync(
        join(folder, "ios", codegenConfig.name, `${codegenConfig.name}.h`),
        "utf8",
      ),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
