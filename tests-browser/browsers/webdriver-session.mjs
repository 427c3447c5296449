// A session of W3C WebDriver: a driver that was started for it alone, and the browser that the
// driver starts. Commands go to one window each and never overlap.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const STARTS_WITHIN_MS = 60_000;
const PAGE_LOADS_WITHIN_MS = 120_000;

/** What a driver answers in place of a value; `code` is WebDriver's: "stale element reference". */
export class WebDriverError extends Error {
  constructor(code, message) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A program that ends with this process at the latest; `stop()` ends it now. */
export function startProgram(command, args, options) {
  const child = spawn(command, args, options);
  running.add(child);
  child.once("exit", () => running.delete(child));
  const stop = async () => {
    if (!running.has(child)) return;
    child.kill();
    await once(child, "exit");
  };
  return { child, stop };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class Session {
  #base;
  #driver;
  #path = "";
  #window;
  #last = Promise.resolve();
  browserVersion = "";

  /** Starts the driver and a browser with these capabilities. */
  static async start({ driver, capabilities, env }) {
    const port = await freePort();
    const session = new Session();
    session.#base = `http://127.0.0.1:${port}`;
    session.#driver = startProgram(driver, [`--port=${port}`], { env, stdio: "ignore" });
    try {
      const { sessionId, capabilities: found } = await session.#begin(capabilities);
      session.browserVersion = found.browserVersion;
      session.#path = `/session/${sessionId}`;
      await session.command("POST", "/timeouts", { pageLoad: PAGE_LOADS_WITHIN_MS });
      session.#window = await session.command("GET", "/window");
      return session;
    } catch (error) {
      await session.#driver.stop();
      throw error;
    }
  }

  /** The window that the session began with. */
  get firstWindow() {
    return this.#window;
  }

  // Asks for a session until the driver listens.
  async #begin(capabilities) {
    const until = performance.now() + STARTS_WITHIN_MS;
    for (;;) {
      try {
        return await this.#send("POST", "/session", {
          capabilities: { alwaysMatch: capabilities },
        });
      } catch (error) {
        if (error instanceof WebDriverError || performance.now() > until) throw error;
        await sleep(20);
      }
    }
  }

  async #send(method, path, body) {
    const response = await fetch(this.#base + this.#path + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { value } = await response.json();
    if (!response.ok) throw new WebDriverError(value.error, value.message);
    return value;
  }

  /** Runs `work` when all before it is done. */
  #inTurn(work) {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** The value of a command of the session itself. */
  command(method, path, body) {
    return this.#inTurn(() => this.#send(method, path, body));
  }

  /** The value of a command in a window. */
  commandIn(window, method, path, body) {
    return this.#inTurn(async () => {
      if (window !== this.#window) {
        await this.#send("POST", "/window", { handle: window });
        this.#window = window;
      }
      return this.#send(method, path, body);
    });
  }

  async end() {
    await this.command("DELETE", "").catch(() => {}); // the browser may have gone by itself
    await this.#driver.stop();
  }
}
