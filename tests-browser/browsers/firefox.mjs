// Firefox as its makers ship it, by Playwright's client of WebDriver BiDi.
import { firefox } from "playwright-core";
import { ws as WebSocket } from "playwright-core/lib/utilsBundle";
import { neededBrowser } from "../../scripts/setup/browsers.mjs";

// Playwright sets the media features of every context by a command that no Firefox has yet, and
// gives up when it is unknown. What a test wants of them is set by preferences instead.
const UNKNOWN_COMMANDS = new Set(["emulation.setMediaFeaturesOverride"]);
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (message, ...rest) {
  const { id, method } = JSON.parse(message);
  if (!UNKNOWN_COMMANDS.has(method)) return send.call(this, message, ...rest);
  const answer = JSON.stringify({ type: "success", id, result: {} });
  queueMicrotask(() => this.emit("message", answer));
};

const PREFERENCES = {
  "media.navigator.permission.disabled": true,
  "media.navigator.streams.fake": true,
};

export const name = "Firefox";
export const variants = { isolated: "relaxed-mt", plain: "relaxed" };
/** Faults of a connection that has served before, after which the browser asks again by itself. */
export const askedAgain = ["no-answer"];
export const missing = {
  "a chooser of folders": "WebDriver BiDi chooses no folders",
  "a directory picker": "Firefox has no showDirectoryPicker",
  downloads: "WebDriver BiDi tells of no download of a Blob",
  "drops from the disk": "WebDriver BiDi drops no files",
  "scripts turned off": "WebDriver BiDi turns off no scripts and prints no pages",
};

/** Is an "error" of a page a remark of the browser, which no handler of the page could see? */
export const isRemark = (message) =>
  /^Loading (Worker|module) from .* was blocked/.test(message) ||
  /^(The Same Origin Policy disallows|The page’s settings blocked)/.test(message) ||
  /\nLocation: .*\nLine Number \d+, Column \d+:$/.test(message); // of a DOMParser

const start = (preferences) =>
  firefox.launch({
    channel: "moz-firefox",
    executablePath: neededBrowser("firefox").program,
    firefoxUserPrefs: { ...PREFERENCES, ...preferences },
  });

// What Playwright sets of a context where the browser can, as preferences of a whole browser.
const preferencesOf = ({ colorScheme, reducedMotion }) => ({
  ...(colorScheme === "dark" ? { "layout.css.prefers-color-scheme.content-override": 0 } : {}),
  ...(reducedMotion === "reduce" ? { "ui.prefersReducedMotion": 1 } : {}),
});

/**
 * Headless, with a profile of its own that is thrown away. `hosts`: names that lead to this
 * machine; `preferences`: as in about:config.
 */
export async function launch({ hosts = [], preferences = {} } = {}) {
  const general = {
    ...(hosts.length > 0 ? { "network.dns.localDomains": hosts.join() } : {}),
    ...preferences,
  };
  // One for each look that is asked for, by its preferences.
  const browsers = new Map();
  const browserFor = (look) => {
    const key = JSON.stringify(look);
    if (!browsers.has(key)) browsers.set(key, start({ ...general, ...look }));
    return browsers.get(key);
  };
  const browser = await browserFor({});

  /** Options are Playwright's; a finger is a mouse here, and a phone a narrow window. */
  async function newContext({ colorScheme, reducedMotion, ...given } = {}) {
    const options = { ...given, hasTouch: undefined, isMobile: undefined };
    const look = preferencesOf({ colorScheme, reducedMotion });
    const context = await (await browserFor(look)).newContext(options);
    context.on("page", (page) => (page.tap = page.click));
    return context;
  }
  return {
    newContext,
    version: () => browser.version(),
    async close() {
      for (const each of browsers.values()) await (await each).close();
    },
  };
}

/** Of the browser. */
export async function version() {
  const browser = await launch();
  const number = browser.version();
  await browser.close();
  return number;
}

export { newWatchedContext } from "./watched-context.mjs";
