// The part of Playwright's Page that the specs use, over W3C WebDriver. Errors that nobody caught
// are told from the end of the page's load on; an element is waited for as Playwright does.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findAll, isShown, keeper, pack, unpack } from "./in-page.mjs";
import { WebDriverError } from "./webdriver-session.mjs";

const PATIENCE_MS = 30_000;
const LONGEST_POLL_MS = 40;
const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

const KEYS = {
  Tab: "\ue004",
  Enter: "\ue007",
  Escape: "\ue00c",
  ArrowUp: "\ue013",
  ArrowDown: "\ue015",
};

const PRELUDE = [pack, unpack, isShown, findAll, keeper].join("\n");

// Until what `look` returns is true to `ask`; undefined when the time is up.
async function poll(look, timeout) {
  const until = performance.now() + timeout;
  for (let wait = 4; ; wait = Math.min(2 * wait, LONGEST_POLL_MS)) {
    const found = await look();
    if (found || performance.now() > until) return found;
    await sleep(wait);
  }
}

/** A value that stays in the page. */
class Handle {
  constructor(id) {
    this.id = id;
  }
}

// Arguments hold handles only at the top or in an array or object of their own.
const packed = (value) => {
  if (value instanceof Handle) return { $: "handle", id: value.id };
  if (Array.isArray(value)) return value.map(packed);
  if (value?.constructor === Object)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, packed(one)]));
  return pack(value);
};

/** The elements of a selector, or one of them: as Playwright's Locator. */
class Locator {
  #page;
  #selector;
  #index;
  constructor(page, selector, index = 0) {
    this.#page = page;
    this.#selector = selector;
    this.#index = index;
  }
  nth = (index) => new Locator(this.#page, this.#selector, index);
  last = () => this.nth(-1);
  count = () => this.#page.run((selector) => findAll(selector, isShown).length, this.#selector);
  click = () => this.#page.click(this.#selector, this.#index);
  textContent = () => this.#page.textContent(this.#selector, this.#index);
  boundingBox = () =>
    this.#page.whenThere(this.#selector, this.#index, (element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x, y, width, height };
    });
}

export class Page {
  #context;
  #session;
  #window;
  #listeners = [];
  #calls = 0;
  #timeout = PATIENCE_MS;
  #files = [];

  constructor(context, session, window) {
    this.#context = context;
    this.#session = session;
    this.#window = window;
  }

  /** How long elements and conditions are waited for. */
  setDefaultTimeout(ms) {
    this.#timeout = ms;
  }

  context = () => this.#context;
  #command = (method, path, body) =>
    this.#session.commandIn(this.#window, method, path, body).then(async (value) => value);

  // ---- where it is

  async goto(url) {
    await this.#command("POST", "/url", { url });
    await this.#watch();
  }
  async reload() {
    await this.#command("POST", "/refresh", {});
    await this.#watch();
  }
  url() {
    return this.#url;
  }
  #url = "about:blank";

  // Notes where the page is, and its errors from now on.
  #watch = async () => {
    this.#url = await this.run(() => {
      keeper();
      return location.href;
    });
  };

  async setViewportSize({ width, height }) {
    let inner = { width: 0, height: 0 };
    for (let rect = { width, height }, tries = 0; tries < 3; tries++) {
      await this.#command("POST", "/window/rect", rect);
      inner = await this.run(() => ({ width: innerWidth, height: innerHeight }));
      if (inner.width === width && inner.height === height) return;
      rect = {
        width: rect.width + width - inner.width,
        height: rect.height + height - inner.height,
      };
    }
    throw new Error(`the page is ${inner.width} x ${inner.height}, wanted ${width} x ${height}`);
  }

  async waitForURL(pattern) {
    const matches = () => this.run(() => location.href).then((url) => pattern.test(url));
    if (!(await poll(() => matches().catch(() => false), this.#timeout)))
      throw new Error(`waitForURL: the page did not come to ${pattern}`);
    await this.#watch();
  }

  async close() {
    await this.#command("DELETE", "/window");
    this.#isClosed = true;
    for (const folder of this.#files.splice(0)) rmSync(folder, { recursive: true });
  }

  isClosed = () => this.#isClosed;
  #isClosed = false;

  /** Listens to "pageerror"; other events are not told by WebDriver. */
  on(event, listener) {
    if (event !== "pageerror") throw new Error(`WebDriver tells nothing of "${event}"`);
    this.#listeners.push(listener);
  }

  // ---- what runs in it

  /** The value of a function that does not wait for anything. */
  async run(body, ...args) {
    const { value, strayErrors } = await this.#command("POST", "/execute/sync", {
      script: `${PRELUDE}
        const { handles, strayErrors } = keeper();
        const args = unpack(arguments[0], handles);
        const value = (${body})(...args);
        return { value: value instanceof Element ? value : pack(value),
          strayErrors: strayErrors.splice(0) };`,
      args: [args.map(packed)],
    });
    for (const message of strayErrors)
      for (const listener of this.#listeners) listener({ message });
    return value?.[ELEMENT] ? value : unpack(value);
  }

  // The value of a function, which may be a promise: begun, then asked for.
  async #evaluate(body, arg, keep) {
    if (typeof body === "string") {
      await this.#command("POST", "/execute/sync", { script: body, args: [] });
      return undefined;
    }
    const id = ++this.#calls;
    // Not by #run: the text of the function stands in a script of its own, without our names.
    await this.#command("POST", "/execute/sync", {
      script: `const body = (${body});
        const client = (() => { ${PRELUDE}
          return { ...keeper(), pack, unpack }; })();
        const [id, packed, keep] = arguments;
        const tell = (outcome) => { client.results[id] = outcome; };
        new Promise((resolve) => resolve(body(client.unpack(packed, client.handles)))).then(
          (value) => tell({ value: keep ? client.handles.push(value) - 1 : client.pack(value) }),
          (error) => tell({ error: String(error?.stack ? error + "\\n" + error.stack : error) }));`,
      args: [id, packed(arg), keep],
    });
    const take = (id) => {
      const { results } = keeper();
      const outcome = results[id];
      delete results[id];
      return outcome ? { outcome } : null;
    };
    const { outcome } = await poll(() => this.run(take, id), Infinity);
    if (outcome.error !== undefined) throw new Error(`page.evaluate: ${outcome.error}`);
    return keep ? new Handle(outcome.value) : unpack(outcome.value);
  }

  evaluate = (body, arg) => this.#evaluate(body, arg, false);
  evaluateHandle = (body, arg) => this.#evaluate(body, arg, true);

  /** The value of a function once that is truthy; a page that is left meanwhile is no error. */
  async waitForFunction(body, arg, { timeout = this.#timeout } = {}) {
    let failure;
    const look = async () => {
      try {
        failure = undefined;
        return await this.evaluate(body, arg);
      } catch (error) {
        failure = error;
        return null;
      }
    };
    const value = await poll(look, timeout);
    if (!value) throw failure ?? new Error(`waitForFunction: ${timeout} ms are over: ${body}`);
    return value;
  }

  addScriptTag = ({ content }) =>
    this.run((text) => {
      document.head.append(Object.assign(document.createElement("script"), { text }));
    }, content);

  // ---- its elements

  /** What `body` makes of an element, once there is one that it makes something of. */
  async whenThere(selector, index, body, ...args) {
    const value = await poll(
      () =>
        this.run(
          new Function(
            "selector",
            "index",
            "...args",
            `const element = findAll(selector, isShown).at(index);
           if (!element) return null;
           const value = (${body})(element, ...args);
           return value === null ? null : value instanceof Element ? value : { value };`,
          ),
          selector,
          index,
          ...args,
        ).catch((error) => {
          if (error instanceof WebDriverError) return null; // the page was left meanwhile
          throw error;
        }),
      this.#timeout,
    );
    if (!value) throw new Error(`nothing is there to be used: ${selector}`);
    return value[ELEMENT] ? value : value.value;
  }

  locator = (selector) => new Locator(this, selector);
  waitForSelector = (selector) =>
    this.whenThere(selector, 0, (element) => (isShown(element) ? true : null));

  async click(selector, index = 0) {
    const until = performance.now() + this.#timeout;
    for (;;) {
      const element = await this.whenThere(selector, index, (element) =>
        isShown(element) && !element.matches(":disabled") ? element : null,
      );
      try {
        await this.#command("POST", `/element/${element[ELEMENT]}/click`, {});
        return;
      } catch (error) {
        if (!(error instanceof WebDriverError) || performance.now() > until) throw error;
        await sleep(LONGEST_POLL_MS);
      }
    }
  }

  tap = (selector) => this.click(selector);

  async check(selector) {
    if (!(await this.whenThere(selector, 0, (element) => ({ is: element.checked }))).is)
      await this.click(selector);
  }

  focus = (selector) => this.whenThere(selector, 0, (element) => (element.focus(), true));
  fill = (selector, text) =>
    this.whenThere(
      selector,
      0,
      (element, wanted) => {
        if (!isShown(element) || element.matches(":disabled")) return null;
        element.focus();
        element.value = wanted;
        for (const type of ["input", "change"])
          element.dispatchEvent(new Event(type, { bubbles: true }));
        return true;
      },
      text,
    );
  textContent = (selector, index = 0) =>
    this.whenThere(selector, index, (element) => element.textContent);
  inputValue = (selector) => this.whenThere(selector, 0, (element) => element.value);
  async getAttribute(selector, name) {
    const read = (element, name) => ({ text: element.getAttribute(name) });
    return (await this.whenThere(selector, 0, read, name)).text;
  }
  isVisible = (selector) =>
    this.run((selector) => findAll(selector, isShown).slice(0, 1).some(isShown), selector);
  isHidden = async (selector) => !(await this.isVisible(selector));

  /** Paths, or {name, buffer} of a file that need not lie anywhere. */
  async setInputFiles(selector, files) {
    const paths = [files].flat().map((file) => {
      if (typeof file === "string") return file;
      const folder = mkdtempSync(join(tmpdir(), "tiny-vlm-input-"));
      this.#files.push(folder);
      writeFileSync(join(folder, file.name), file.buffer);
      return join(folder, file.name);
    });
    const element = await this.whenThere(selector, 0, (element) => element);
    const text = paths.join("\n");
    await this.#command("POST", `/element/${element[ELEMENT]}/value`, { text });
  }

  #press = (keys) =>
    this.#command("POST", "/actions", {
      actions: [
        {
          type: "key",
          id: "keyboard",
          actions: keys.flatMap((value) => [
            { type: "keyDown", value },
            { type: "keyUp", value },
          ]),
        },
      ],
    });
  keyboard = {
    press: (key) => this.#press([KEYS[key] ?? key]),
    type: (text) => this.#press([...text]),
  };
}
