// The toolchains of pages. Each entry: `name` and `uses` (packages of versions.json; those whose
// versions are shown are `shown`, else all), the `files` of its project, and `cells`: what is built
// in it and asked of it.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  askInPage,
  indexHtml,
  packedFile,
  pageScript,
  question,
  run,
  sample,
  serveFolder,
  shippedBytes,
  startProgram,
} from "./project.mjs";
import { root } from "../tests-browser/harness.mjs";

const ownImports = `import { TinyVLM } from "tiny-vlm";\n`;

/** Asks a page of `folder`, which is what a site would ship. */
async function askFolder(browser, folder, options = {}) {
  const server = await serveFolder(folder, options);
  try {
    return await askInPage(browser, `${server.url}${options.page ?? "/"}`);
  } finally {
    await server.close();
  }
}

async function askProgram(browser, path, command, { page = "", environment } = {}) {
  const server = await startProgram(path, command, environment);
  try {
    return await askInPage(browser, server.url + page);
  } finally {
    await server.close();
  }
}

// A site as bundlers leave it: their output and index.html beside it.
function site(path, name, script) {
  writeFileSync(join(path, name, "index.html"), indexHtml(script));
  return join(path, name);
}

const copiesNothing = /worker: .*worker\.mjs.*copy-assets.*assetsUrl/;

const vite = {
  name: "Vite",
  uses: ["vite"],
  files: {
    "index.html": indexHtml("/main.js"),
    "main.js": pageScript(),
    "own.html": indexHtml("/own.js"),
    "own.js": pageScript({ imports: ownImports, source: '"/model.gguf"' }),
    "library.js": `export * from "tiny-vlm";\n`,
    "exclude.config.js": `export default {
  optimizeDeps: { exclude: ["tiny-vlm"] },
  server: { hmr: false },
};\n`,
    "public/.keep": "",
  },
  prepare: ({ path }) => cpSync(sample, join(path, "public", "sample.png")),
  cells: [
    {
      name: "build",
      async ask({ path, browser }) {
        run(path, ["vite", "build"]);
        return {
          ...(await askFolder(browser, join(path, "dist"))),
          shipped: shippedBytes(join(path, "dist")),
        };
      },
    },
    {
      name: "build, isolated page",
      ask: ({ path, browser }) => askFolder(browser, join(path, "dist"), { isolated: true }),
      variant: /-mt$/,
    },
    {
      name: "build, a model of one's own",
      async ask({ path, browser }) {
        const input = join(path, "own.html");
        writeFileSync(
          join(path, "own.config.js"),
          `export default { build: { outDir: "own", rolldownOptions: { input: ${JSON.stringify(input)} } } };\n`,
        );
        run(path, ["vite", "build", "--config", "own.config.js"]);
        const shipped = shippedBytes(join(path, "own"));
        if (shipped.gguf > 0) return { error: `${shipped.gguf} bytes of the demo model`, shipped };
        cpSync(
          join(path, "node_modules/tiny-vlm/dist/model/tiny-vlm-demo.gguf"),
          join(path, "own", "model.gguf"),
        );
        return { ...(await askFolder(browser, join(path, "own"), { page: "/own.html" })), shipped };
      },
    },
    {
      name: "library",
      async ask({ path, browser }) {
        const lib = `{ entry: "library.js", formats: ["es"], fileName: () => "library.js" }`;
        writeFileSync(
          join(path, "library.config.js"),
          `export default { base: "./", publicDir: false, build: { outDir: "library", lib: ${lib} } };\n`,
        );
        run(path, ["vite", "build", "--config", "library.config.js"]);
        const shipped = shippedBytes(join(path, "library"), ["assets/"]);
        if (shipped.js > 200_000) return { error: `${shipped.js} bytes of JavaScript`, shipped };
        const imports = `import { TinyVLM } from "/library.js";\n`;
        const options = pageScript({ imports, source: '"/model.gguf"' });
        writeFileSync(join(path, "library", "main.js"), options);
        cpSync(
          join(path, "node_modules/tiny-vlm/dist/model/tiny-vlm-demo.gguf"),
          join(path, "library", "model.gguf"),
        );
        const found = await askFolder(browser, site(path, "library", "/main.js"));
        return { ...found, shipped };
      },
    },
    {
      name: "dev server, optimizeDeps.exclude",
      ask: ({ path, browser }) =>
        askProgram(browser, path, (port) => [
          ...["vite", "--config", "exclude.config.js", "--port", port, "--strictPort"],
        ]),
    },
    {
      name: "dev server without it",
      ask: ({ path, browser }) =>
        askProgram(browser, path, (port) => ["vite", "--port", port, "--strictPort"]),
      sentence: /worker: .*optimizeDeps: \{ exclude: \["tiny-vlm"\] \}/,
      mayAnswer: true,
    },
  ],
};

const webpack = {
  name: "webpack",
  uses: ["webpack", "webpack-cli"],
  files: { "src/index.js": pageScript() },
  cells: [
    {
      name: "build",
      async ask({ path, browser }) {
        run(path, ["webpack", "--mode", "production"]);
        const shipped = shippedBytes(join(path, "dist"));
        return { ...(await askFolder(browser, site(path, "dist", "/main.js"))), shipped };
      },
    },
  ],
};

const assetsScript = pageScript({
  imports: ownImports,
  source: "undefined",
  options: '{ assetsUrl: "/tiny-vlm/" }',
});

/** Cells of a bundler that copies no files: with the recipe of the documentation, and without. */
function copyingCells(build) {
  return [
    {
      name: "copy-assets and assetsUrl",
      async ask({ path, browser }) {
        run(path, build("main.js", "out"));
        run(path, ["tiny-vlm", "copy-assets", "out/tiny-vlm", "--demo-model"]);
        const shipped = shippedBytes(join(path, "out"));
        return { ...(await askFolder(browser, site(path, "out", "/main.js"))), shipped };
      },
    },
    {
      name: "without the files",
      async ask({ path, browser }) {
        run(path, build("bare.js", "bare"));
        return askFolder(browser, site(path, "bare", "/bare.js"));
      },
      sentence: copiesNothing,
    },
    {
      name: "without the wasm files",
      async ask({ path, browser }) {
        mkdirSync(join(path, "no-wasm", "tiny-vlm"), { recursive: true });
        run(path, build("main.js", "no-wasm"));
        for (const name of ["worker.mjs", "worker-mt.mjs"])
          cpSync(
            join(path, "node_modules/tiny-vlm/dist", name),
            join(path, "no-wasm", "tiny-vlm", name),
          );
        return askFolder(browser, site(path, "no-wasm", "/main.js"));
      },
      sentence: /http: .*tiny-vlm\/wasm\/tiny-vlm-relaxed\.wasm.*404.*assetsUrl/,
    },
  ];
}

const copyingFiles = { "main.js": assetsScript, "bare.js": pageScript() };

const rollup = {
  name: "Rollup",
  uses: ["rollup", "@rollup/plugin-node-resolve"],
  files: copyingFiles,
  cells: copyingCells((entry, folder) => [
    ...["rollup", entry, "--dir", folder, "--plugin", "node-resolve={browser:true}"],
  ]),
  everyday: true,
};

const esbuild = {
  name: "esbuild",
  uses: ["esbuild"],
  files: copyingFiles,
  cells: copyingCells((entry, folder) => [
    ...["esbuild", entry, "--bundle", "--minify", "--format=esm", `--outdir=${folder}`],
  ]),
  everyday: true,
};

const parcel = {
  name: "Parcel",
  uses: ["parcel"],
  files: { "index.html": indexHtml("./main.js"), "main.js": pageScript() },
  packageJson: { "@parcel/resolver-default": { packageExports: true } },
  cells: [
    {
      name: "build",
      async ask({ path, browser }) {
        run(path, ["parcel", "build", "index.html", "--no-source-maps", "--no-cache"]);
        const shipped = shippedBytes(join(path, "dist"));
        return { ...(await askFolder(browser, join(path, "dist"))), shipped };
      },
    },
  ],
};

// A workspace as `ng new` makes it, without what tests and editors need. The builder copies no
// files of packages: an entry of "assets" does.
const angularWorkspace = {
  version: 1,
  projects: {
    app: {
      projectType: "application",
      root: "",
      sourceRoot: "src",
      architect: {
        build: {
          builder: "@angular/build:application",
          options: {
            browser: "src/main.ts",
            index: "src/index.html",
            tsConfig: "tsconfig.json",
            assets: [
              { glob: "**/*", input: "node_modules/tiny-vlm/dist", output: "tiny-vlm" },
              { glob: "sample.png", input: ".", output: "." },
            ],
          },
        },
      },
    },
  },
  cli: { analytics: false },
};

const angular = {
  name: "Angular",
  shown: ["@angular/build"],
  uses: [
    ...["@angular/build", "@angular/cli", "@angular/common", "@angular/compiler"],
    ...["@angular/compiler-cli", "@angular/core", "@angular/platform-browser", "rxjs"],
    "typescript",
  ],
  files: {
    "angular.json": JSON.stringify(angularWorkspace),
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        ...{ strict: true, target: "ES2022", module: "preserve", moduleResolution: "bundler" },
        ...{ experimentalDecorators: true, lib: ["ES2022", "DOM"], types: [] },
      },
      files: ["src/main.ts"],
    }),
    "src/index.html":
      '<!doctype html><meta charset="utf-8"><title>app</title><base href="/"><app-root></app-root>\n',
    "src/main.ts": `import { Component, provideZonelessChangeDetection, signal } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { TinyVLM } from "tiny-vlm";

@Component({ selector: "app-root", template: "<p>{{ text() }}</p>" })
class App {
  readonly text = signal("…");

  constructor() {
    const began = performance.now();
    this.answer().then(
      ([text, variant]) => {
        this.text.set(text);
        Object.assign(globalThis, { found: { text, variant, ms: performance.now() - began } });
      },
      (error) => Object.assign(globalThis, { found: { error: String(error) } }),
    );
  }

  async answer(): Promise<[string, string]> {
    const vlm = await TinyVLM.load(undefined, { assetsUrl: "/tiny-vlm/" });
    const { text } = await vlm.ask("/sample.png", ${JSON.stringify(question)});
    return [text, vlm.variant];
  }
}

bootstrapApplication(App, { providers: [provideZonelessChangeDetection()] });
`,
  },
  cells: [
    {
      name: "build, by its assets",
      async ask({ path, browser }) {
        run(path, ["ng", "build"]);
        const shipped = shippedBytes(join(path, "dist/app/browser"), ["tiny-vlm/"]);
        return { ...(await askFolder(browser, join(path, "dist/app/browser"))), shipped };
      },
    },
    {
      name: "dev server",
      ask: ({ path, browser }) => {
        const workspace = structuredClone(angularWorkspace);
        workspace.projects.app.architect.serve = {
          builder: "@angular/build:dev-server",
          options: { buildTarget: "app:build" },
        };
        writeFileSync(join(path, "angular.json"), JSON.stringify(workspace));
        return askProgram(browser, path, (port) => ["ng", "serve", "--port", port]);
      },
    },
  ],
};

const nextPage = `"use client";
import { useEffect, useState } from "react";
import { TinyVLM } from "tiny-vlm";
import { demoModel } from "tiny-vlm/demo-model";
export default function Page() {
  const [text, setText] = useState("…");
  useEffect(() => {
    const began = performance.now();
    (async () => {
      const vlm = await TinyVLM.load(demoModel);
      const { text } = await vlm.ask("/sample.png", ${JSON.stringify(question)});
      globalThis.found = { text, variant: vlm.variant, ms: performance.now() - began };
      setText(text);
    })().catch((error) => {
      globalThis.found = { error: \`\${error.name} \${error.code}: \${error.message}\` };
    });
  }, []);
  return <p>{text}</p>;
}
`;
const nextRoute = `import { join } from "node:path";
import { TinyVLM } from "tiny-vlm";
import { demoModel } from "tiny-vlm/demo-model";
export const dynamic = "force-dynamic";
export async function GET() {
  const began = performance.now();
  try {
    const vlm = await TinyVLM.load(demoModel);
    const { text } = await vlm.ask(join(process.cwd(), "sample.png"), ${JSON.stringify(question)});
    const ms = performance.now() - began;
    const found = { text, variant: vlm.variant, ms };
    await vlm.dispose();
    return Response.json(found);
  } catch (error) {
    return Response.json({ error: \`\${error.name} \${error.code}: \${error.message}\` });
  }
}
`;
const layout = `export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
}
`;
const nextConfig = (settings) =>
  `export default { output: "standalone", outputFileTracingRoot: import.meta.dirname, ` +
  `turbopack: { root: import.meta.dirname }, ${settings} };\n`;
const external = 'serverExternalPackages: ["tiny-vlm"]';

/** The built server of Next.js, copied away from its node_modules, as a container has it. */
async function nextStandalone(path) {
  const apart = join(path, "..", "next-standalone");
  run(path, ["rm", "-rf", apart]);
  cpSync(join(path, ".next", "standalone"), apart, { recursive: true, verbatimSymlinks: true });
  cpSync(join(path, ".next", "static"), join(apart, ".next", "static"), { recursive: true });
  cpSync(join(path, "public"), join(apart, "public"), { recursive: true });
  cpSync(sample, join(apart, "sample.png"));
  return startProgram(
    apart,
    () => ["node", "server.js"],
    (port) => ({ PORT: port, HOSTNAME: "localhost" }),
  );
}

function nextCells(bundler) {
  let server;
  return [
    {
      name: `${bundler}, client component`,
      async ask({ path, browser }) {
        writeFileSync(join(path, "next.config.mjs"), nextConfig(external));
        run(path, ["rm", "-rf", ".next"]);
        run(path, ["next", "build", `--${bundler}`]);
        server = await nextStandalone(path);
        const shipped = shippedBytes(join(path, ".next", "static"));
        return { ...(await askInPage(browser, server.url)), shipped };
      },
    },
    {
      name: `${bundler}, route handler, standalone`,
      async ask() {
        try {
          return await (await fetch(`${server.url}/api`)).json();
        } finally {
          await server.close();
        }
      },
    },
    {
      name: `${bundler}, route handler without serverExternalPackages`,
      async ask({ path }) {
        writeFileSync(join(path, "next.config.mjs"), nextConfig(""));
        run(path, ["rm", "-rf", ".next"]);
        run(path, ["next", "build", `--${bundler}`]);
        const bundled = await nextStandalone(path);
        try {
          return await (await fetch(`${bundled.url}/api`)).json();
        } finally {
          await bundled.close();
        }
      },
      sentence: /TinyVLMError worker: .*serverExternalPackages/,
      mayAnswer: true,
    },
  ];
}

const next = {
  name: "Next.js",
  uses: ["next", "react", "react-dom"],
  files: {
    "app/page.jsx": nextPage,
    "app/layout.jsx": layout,
    "app/api/route.js": nextRoute,
    "public/.keep": "",
  },
  prepare: ({ path }) => cpSync(sample, join(path, "public", "sample.png")),
  cells: [...nextCells("turbopack"), ...nextCells("webpack")],
};

/** A page of one origin with the package on another, under a policy. */
async function askAcross(browser, path, html, csp, mounts = {}) {
  const cdn = await serveFolder(join(path, "node_modules/tiny-vlm/dist"), { cors: true });
  const policy = csp.replaceAll("CDN", cdn.url);
  const pageHtml = html.replaceAll("CDN", cdn.url);
  const page = await serveFolder(path, {
    csp: policy,
    ...mounts,
    routes: {
      "/page.html": (_request, response) =>
        response.writeHead(200, { "Content-Type": "text/html" }).end(pageHtml),
    },
  });
  try {
    return await askInPage(browser, `${page.url}/page.html`);
  } finally {
    await page.close();
    await cdn.close();
  }
}

const policy = (workers) =>
  `default-src 'none'; script-src 'self' CDN 'wasm-unsafe-eval'; worker-src 'self' ${workers}; ` +
  "connect-src 'self' CDN";

const nodeGlobals = `Object.assign(globalThis, {
  global: globalThis,
  process: {
    type: "renderer", platform: "linux", argv: [], env: {},
    versions: { node: "22.20.0", electron: "38.2.0", chrome: "140.0.0" },
  },
  require(name) { throw new Error("Node's module " + name + " was asked for"); },
  module: { exports: {} },
  exports: {},
  Buffer: class extends Uint8Array {},
  setImmediate: (work) => setTimeout(work, 0),
})`;

const plain = {
  name: "No bundler",
  uses: [],
  files: {
    "classic.js": pageScript({ imports: "", source: "undefined" }),
    "mapped.js": pageScript(),
  },
  cells: [
    {
      name: "script tag of another origin, strict policy with worker-src blob:",
      ask: ({ path, browser }) =>
        askAcross(
          browser,
          path,
          '<!doctype html><script src="CDN/tiny-vlm.iife.js"></script><script src="/classic.js"></script>',
          policy("blob:"),
        ),
    },
    {
      name: "the same without blob:",
      ask: ({ path, browser }) =>
        askAcross(
          browser,
          path,
          '<!doctype html><script src="CDN/tiny-vlm.iife.js"></script><script src="/classic.js"></script>',
          policy(""),
        ),
      sentence: /worker: .*worker-src blob:/,
    },
    {
      name: "import map, another origin",
      ask: ({ path, browser }) =>
        askAcross(
          browser,
          path,
          '<!doctype html><script type="importmap">{"imports":{"tiny-vlm":"CDN/index.mjs",' +
            '"tiny-vlm/demo-model":"CDN/demo-model.mjs"}}</script>' +
            '<script type="module" src="/mapped.js"></script>',
          "",
        ),
    },
    {
      // What an Electron renderer has with node integration, in the page and in its workers.
      name: "a page and workers with Node's globals",
      ask: ({ path, browser }) =>
        askAcross(
          browser,
          path,
          `<!doctype html><script>${nodeGlobals}
const W = Worker;
globalThis.Worker = class extends W {
  constructor(url, options) {
    const address = JSON.stringify(String(url));
    const globals = \`${nodeGlobals}\`;
    const text = options?.type === "module"
      ? \`import "data:text/javascript,\${encodeURIComponent(globals)}"; import \${address};\`
      : \`\${globals}; importScripts(\${address});\`;
    super(URL.createObjectURL(new Blob([text], { type: "text/javascript" })), options);
  }
};</script><script type="importmap">{"imports":{"tiny-vlm":"CDN/index.mjs",` +
            '"tiny-vlm/demo-model":"CDN/demo-model.mjs"}}</script>' +
            '<script type="module" src="/mapped.js"></script>',
          "",
        ),
    },
    {
      name: "worker that was started as a classic script",
      ask: ({ path, browser }) =>
        askAcross(
          browser,
          path,
          "<!doctype html><script>const W = Worker; globalThis.Worker = class extends W {" +
            'constructor(url) { super(url); } };</script><script type="importmap">{"imports":{' +
            '"tiny-vlm":"/node_modules/tiny-vlm/dist/index.mjs",' +
            '"tiny-vlm/demo-model":"/node_modules/tiny-vlm/dist/demo-model.mjs"}}</script>' +
            '<script type="module" src="/mapped.js"></script>',
          "",
        ),
    },
  ],
};

// The commands and the script of the README's first steps, as it says them.
function firstSteps() {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, steps] = /<!-- newcomer -->([^]*)<!-- \/newcomer -->/.exec(readme);
  const commands = [...steps.matchAll(/^ {4}(\S.*)$/gm)].map(([, command]) => command);
  const [, script] = /```js\n([^]*?)```/.exec(steps);
  return { commands, script, lines: commands.length + script.trim().split("\n").length };
}

const newcomer = {
  name: "The README's first steps",
  uses: ["create-vite"],
  files: {},
  cells: [
    {
      name: "npm create vite … npm run dev, a picture is chosen",
      async ask({ path, browser }) {
        const { commands, script, lines } = firstSteps();
        if (lines > 12) return { error: `${lines} lines to type` };
        const app = join(path, "my-app");
        for (const command of commands) {
          if (command === "npm run dev" || command.startsWith("cd ")) continue;
          const pinned = command
            .replace("npm create vite@latest", "create-vite")
            .replace(" -- ", " ")
            .replace(/(?<=install )tiny-vlm$/, packedFile());
          run(pinned.startsWith("create-vite") ? path : app, pinned.split(" "));
        }
        writeFileSync(join(app, "src", "main.js"), script);
        const command = (port) => ["npm", "run", "dev", "--", "--port", port, "--strictPort"];
        const server = await startProgram(app, command);
        const page = await browser.newPage();
        try {
          const began = performance.now();
          await page.goto(server.url);
          await page.waitForFunction(() => document.querySelector("input")?.onchange);
          await page.setInputFiles("input", sample);
          const ended = () => /\.$/.test(document.body.innerText.trim());
          await page.waitForFunction(ended, undefined, { timeout: 60_000 });
          const text = (await page.innerText("body")).trim();
          return /\w/.test(text) ? { good: true, ms: performance.now() - began } : { error: text };
        } finally {
          await page.close();
          await server.close();
        }
      },
    },
  ],
};

/** All entries of pages. */
export const web = [newcomer, vite, webpack, rollup, esbuild, parcel, angular, next, plain];
