// npm run dev: serves the playground on this machine. Builds the package first where dist/ is
// missing.
//   npm run dev -- --port 9000        another port (the next free one is taken where it is in use)
//   npm run dev -- --no-isolation     without COOP/COEP, as on hosts that cannot send headers: one
//   thread
//   npm run dev -- --debug            the engine with names and source lines (docs/debugging.md)
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildPreset } from "./build.mjs";
import { startServer } from "./server.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const DEFAULT_PORT = 8080;
const PORTS_TO_TRY = 20;

function options() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: "string" },
        "no-isolation": { type: "boolean" },
        debug: { type: "boolean" },
      },
    });
    const port = values.port === undefined ? DEFAULT_PORT : Number(values.port);
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw new Error(`--port wants a number from 0 to 65535, found "${values.port}"`);
    // The debug build has no threads.
    const isolated = !values["no-isolation"] && !values.debug;
    return { port, isolated, debug: values.debug === true };
  } catch (error) {
    console.error(`npm run dev: ${error.message}`);
    process.exit(1);
  }
}

async function listen({ port, isolated, debug }) {
  const dist = debug ? join(root, "build", "debug-package") : join(root, "dist");
  const mounts = { "/examples-web/": join(root, "examples-web"), "/dist/": dist };
  const redirects = {
    "/": "/examples-web/playground/",
    "/examples-web/playground": "/examples-web/playground/",
  };
  for (let candidate = port; ; candidate++) {
    try {
      return await startServer({ mounts, redirects, isolated, port: candidate });
    } catch (error) {
      if (error.code !== "EADDRINUSE" || candidate + 1 >= port + PORTS_TO_TRY || candidate >= 65535)
        throw error;
    }
  }
}

const wanted = options();
if (wanted.debug) {
  console.log("building the debug package (build/debug-package)");
  buildPreset("wasm-debug", ["tiny-vlm"]);
  const script = join(root, "scripts", "build-sdk.mjs");
  const built = spawnSync(process.execPath, [script, "--debug"], { stdio: "inherit", cwd: root });
  if (built.status !== 0) process.exit(built.status ?? 1);
} else if (!existsSync(join(root, "dist", "index.mjs"))) {
  console.log("dist/ is not there yet: building it first (npm run build)");
  const built = spawnSync(process.execPath, [join(root, "scripts", "build.mjs")], {
    stdio: "inherit",
    cwd: root,
  });
  if (built.status !== 0) process.exit(built.status ?? 1);
}
try {
  const server = await listen(wanted);
  console.log(`playground       ${server.url}/`);
  console.log(`examples         ${server.url}/examples-web/`);
  console.log(
    `${wanted.isolated ? "cross-origin isolated (threads on)" : "not cross-origin isolated (one thread)"}; Ctrl+C ends it`,
  );
} catch (error) {
  console.error(`npm run dev: cannot listen on 127.0.0.1: ${error.message}`);
  process.exit(1);
}
