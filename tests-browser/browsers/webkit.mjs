// WebKit as WebKitGTK, in its own small browser on a display that nobody sees, by W3C WebDriver.
// Each context is a browser with a profile in memory.
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neededBrowser } from "../../scripts/setup/browsers.mjs";
import { startForwardProxy } from "./forward-proxy.mjs";
import { Page } from "./webdriver-page.mjs";
import { Session, startProgram } from "./webdriver-session.mjs";

export const name = "WebKit";
export const variants = { isolated: "simd-mt", plain: "simd" };
/** Faults of a connection that has served before, after which the browser asks again by itself. */
export const askedAgain = ["no-answer"];
/** Faults that the browser takes for a whole answer. */
export const unnoticed = ["drop-after-last-byte"];
export const missing = {
  "privacy.resistFingerprinting": "a setting of Firefox",
  "relaxed SIMD": "WebKit has no relaxed SIMD",
  "a camera": "WebKitGTK has no camera under WebDriver",
  "a chooser of folders": "WebDriver chooses no folders",
  "a directory picker": "WebKit has no showDirectoryPicker",
  "a file system of its own": "WebKitGTK has no navigator.storage",
  "storage that outlives a page": "a WebKitGTK under WebDriver keeps nothing that no page has open",
  "a narrow window": "WebKitGTK's window is at least 447 pixels wide",
  "a network that ends": "WebDriver cannot take the network away",
  downloads: "WebDriver tells of no downloads",
  "drops from the disk": "WebDriver drops no files",
  "scripts turned off": "WebDriver turns off no scripts and prints no pages",
};

// Safari has shared memory on isolated pages; WebKitGTK has it only where it is asked to.
const asSafari = { JSC_useSharedArrayBuffer: "1" };

/** Pages that share what they store; `ends` are run when they are closed. */
class Context {
  #session;
  #ends;
  #spare;
  #viewport;

  constructor(session, { viewport, ends }) {
    this.#session = session;
    this.#ends = ends;
    this.#spare = session.firstWindow;
    this.#viewport = viewport;
  }

  get version() {
    return this.#session.browserVersion;
  }

  async newPage() {
    const window =
      this.#spare ?? (await this.#session.command("POST", "/window/new", { type: "tab" })).handle;
    this.#spare = undefined;
    const page = new Page(this, this.#session, window);
    if (this.#viewport) await page.setViewportSize(this.#viewport);
    return page;
  }

  async close() {
    await this.#session.end();
    for (const end of this.#ends.splice(0)) await end();
  }
}

async function startDisplay(program) {
  const display = startProgram(
    program,
    ["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const [number] = await once(display.child.stdout, "data");
  return { name: `:${String(number).trim()}`, stop: display.stop };
}

// A folder of settings for GTK, from which WebKitGTK takes what pages call media features.
function settingsFolder({ reducedMotion }) {
  const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-gtk-"));
  mkdirSync(join(folder, "gtk-3.0"));
  writeFileSync(
    join(folder, "gtk-3.0", "settings.ini"),
    `[Settings]\ngtk-enable-animations=${reducedMotion === "reduce" ? 0 : 1}\n`,
  );
  return folder;
}

/**
 * `hosts`: names that lead to this machine; `environment`: variables in place of those that make
 * WebKitGTK as Safari is.
 */
export async function launch({ hosts = [], environment = asSafari } = {}) {
  const { program, driver, display: displayProgram } = neededBrowser("webkit");
  const display = await startDisplay(displayProgram);
  const contexts = new Set();

  async function newContext({ onRequest, viewport, ...look } = {}) {
    const ends = [];
    const browser = { binary: program, args: ["--automation"] };
    const capabilities = { "webkitgtk:browserOptions": browser };
    if (onRequest || hosts.length > 0) {
      const proxy = await startForwardProxy({ hosts, onRequest });
      ends.push(() => proxy.close());
      capabilities.proxy = { proxyType: "manual", httpProxy: proxy.address };
    }
    const settings = settingsFolder(look);
    ends.push(() => rmSync(settings, { recursive: true, force: true }));
    const session = await Session.start({
      driver,
      env: {
        ...process.env,
        ...environment,
        DISPLAY: display.name,
        XDG_CONFIG_HOME: settings,
        ...(look.colorScheme === "dark" ? { GTK_THEME: "Adwaita:dark" } : {}),
      },
      capabilities,
    });
    const context = new Context(session, { viewport, ends });
    contexts.add(context);
    return context;
  }

  return {
    newContext,
    async close() {
      for (const context of contexts) await context.close();
      await display.stop();
    },
  };
}

/** Of WebKitGTK. */
export async function version() {
  const browser = await launch();
  const context = await browser.newContext();
  await browser.close();
  return `${context.version} (WebKitGTK)`;
}

/** A context whose requests are told: `onRequest` gets the address of each. */
export const newWatchedContext = (browser, onRequest) =>
  browser.newContext({
    onRequest(url) {
      if (!url.endsWith("/favicon.ico")) onRequest(url); // which the browser wants for itself
    },
  });
