// The example app with the package, as an app's release build treats it: Metro bundles it with
// React Native, and Hermes's compiler makes bytecode of that.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const clients = join(process.cwd(), "build", "react-native-clients");
const require = createRequire(join(clients, "package.json"));
const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-hermes-"));
after(() => rmSync(folder, { recursive: true }));

const metro = require("metro");
const { getDefaultConfig, mergeConfig } = require("@react-native/metro-config");

for (const platform of ["android", "ios"])
  test(`${platform}: Metro bundles the example, Hermes compiles it`, async () => {
    writeFileSync(
      join(clients, "babel.config.js"),
      'module.exports = { presets: ["module:@react-native/babel-preset"] };\n',
    );
    const config = mergeConfig(await getDefaultConfig(clients), {
      projectRoot: clients,
      watchFolders: [clients],
      maxWorkers: 1,
      reporter: { update() {} },
      cacheStores: [],
      resolver: {
        useWatchman: false,
        // The picker is the app's own choice: its types suffice here.
        extraNodeModules: { "react-native-image-picker": join(clients, "app", "image-picker") },
      },
    });
    const out = join(folder, `${platform}.js`);
    await metro.runBuild(config, {
      entry: join(clients, "app", "example", "index.js"),
      out,
      platform,
      dev: false,
      minify: false,
    });
    const text = readFileSync(out, "utf8");
    assert.match(text, /the native module TinyVLM is not in this app/);
    const hermesc = join(clients, "node_modules", "hermes-compiler", "hermesc");
    const { status, stderr } = spawnSync(
      join(hermesc, "linux64-bin", "hermesc"),
      ["-emit-binary", "-O", "-out", join(folder, `${platform}.hbc`), out],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
    const bytecode = readFileSync(join(folder, `${platform}.hbc`));
    assert.equal(bytecode.readBigUInt64LE(0), 0x1f1903c103bc1fc6n);
  });
