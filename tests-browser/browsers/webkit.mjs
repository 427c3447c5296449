// WebKit as WebKitGTK, in its own small browser on a display of its own, by W3C WebDriver. Each
// context is a browser with a profile in memory.
import { once } from "node:events";
import { neededBrowser } from "../../scripts/setup/browsers.mjs";
import { Page } from "./webdriver-page.mjs";
import { Session, startProgram } from "./webdriver-session.mjs";

export const name = "WebKit";
export const variants = { isolated: "simd-mt", plain: "simd" };
export const missing = {
  "relaxed SIMD": "WebKit has no relaxed SIMD",
};

// Safari has shared memory on isolated pages; WebKitGTK has it only where it is asked to.
const asSafari = { JSC_useSharedArrayBuffer: "1" };

/** Pages that share what they store. */
class Context {
  #session;
  #spare;

  constructor(session) {
    this.#session = session;
    this.#spare = session.firstWindow;
  }

  async newPage() {
    const window =
      this.#spare ?? (await this.#session.command("POST", "/window/new", { type: "tab" })).handle;
    this.#spare = undefined;
    return new Page(this, this.#session, window);
  }

  close = () => this.#session.end();
}

/** A display that nobody sees. */
async function startDisplay(program) {
  const display = startProgram(
    program,
    ["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  const [number] = await once(display.child.stdout, "data");
  return { name: `:${String(number).trim()}`, stop: display.stop };
}

/** `environment`: variables in place of those that make WebKitGTK as Safari is. */
export async function launch({ environment = asSafari } = {}) {
  const { program, driver, display: displayProgram } = neededBrowser("webkit");
  const display = await startDisplay(displayProgram);
  const contexts = new Set();
  return {
    async newContext() {
      const session = await Session.start({
        driver,
        env: { ...process.env, ...environment, DISPLAY: display.name },
        capabilities: {
          "webkitgtk:browserOptions": { binary: program, args: ["--automation"] },
        },
      });
      const context = new Context(session);
      contexts.add(context);
      return context;
    },
    async close() {
      for (const context of contexts) await context.close();
      await display.stop();
    },
  };
}
