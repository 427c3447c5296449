// What the WebDriver client runs in pages, as text: finding elements, and values that are carried
// between the page and the test. Nothing here may use anything outside of its own function.

/** A value as JSON can carry it: undefined, -0, NaN and infinities are told apart. */
export function pack(value) {
  if (value === undefined) return { $: "undefined" };
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
    return { $: "number", text: Object.is(value, -0) ? "-0" : String(value) };
  if (Array.isArray(value)) return Array.from(value, pack);
  if (typeof value !== "object" || value === null)
    return ["function", "symbol", "bigint"].includes(typeof value) ? { $: "undefined" } : value;
  if (value instanceof Error) return { name: value.name, message: value.message };
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, pack(member)]));
}

/** What pack() was given; `handles`: values of the page that stay there. */
export function unpack(value, handles) {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((member) => unpack(member, handles));
  if (value.$ === "undefined") return undefined;
  if (value.$ === "number") return Number(value.text);
  if (value.$ === "handle") return handles[value.id];
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, unpack(member, handles)]),
  );
}

/** Is the element shown, as a person would say? */
export function isShown(element) {
  const { width, height } = element.getBoundingClientRect();
  return width > 0 && height > 0 && getComputedStyle(element).visibility === "visible";
}

/**
 * The elements of a selector: CSS, with ":visible" at the end, or "text=words" (the innermost
 * elements that hold the words, whatever their case); " >> " looks within what stands before it.
 */
export function findAll(selector, shown) {
  const normal = (text) => text.replace(/\s+/g, " ").trim().toLowerCase();
  const within = (root, part) => {
    const words = part.startsWith("text=") ? normal(part.slice(5)) : null;
    if (words === null) {
      const css = part.replace(/:visible$/, "");
      const found = [...root.querySelectorAll(css)];
      return css === part ? found : found.filter(shown);
    }
    const holds = (element) => normal(element.textContent).includes(words);
    return [...root.querySelectorAll("body *, :scope *")].filter(
      (element) =>
        !element.closest("script, style, head") &&
        holds(element) &&
        ![...element.children].some(holds),
    );
  };
  return selector
    .split(" >> ")
    .reduce((roots, part) => roots.flatMap((root) => within(root, part)), [document]);
}

/** What the page keeps for the client; made again in each new document. */
export function keeper() {
  if (!window.testClient) {
    const client = { results: {}, handles: [], strayErrors: [] };
    addEventListener("error", ({ message }) => client.strayErrors.push(message));
    addEventListener("unhandledrejection", ({ reason }) =>
      client.strayErrors.push(String(reason?.message ?? reason)),
    );
    Object.defineProperty(window, "testClient", { value: client });
  }
  return window.testClient;
}
