// What a documentation page does beside being read: the search. The index is a script of its own,
// because a page on a disk may not fetch files; it is loaded when somebody searches.
import MiniSearch from "minisearch";
import { searchOptions } from "../search-options.mjs";

const root = document.currentScript.dataset.root;
const field = document.getElementById("search");
const list = document.getElementById("results");
const status = document.getElementById("search-status");
const menu = document.querySelector(".menu");
const mostResults = 12;

let loading;
function index() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `${root}/assets/search-index.js`;
    script.onload = () => resolve(MiniSearch.loadJS(globalThis.searchIndex, searchOptions));
    script.onerror = () => reject(new Error("the search index could not be loaded"));
    document.head.append(script);
  });
  return loading;
}

let active = -1;
function activate(next) {
  const options = [...list.children];
  active = options.length === 0 ? -1 : (next + options.length) % options.length;
  for (const [number, option] of options.entries())
    option.setAttribute("aria-selected", String(number === active));
  if (active >= 0) {
    field.setAttribute("aria-activedescendant", options[active].id);
    options[active].scrollIntoView({ block: "nearest" });
  } else field.removeAttribute("aria-activedescendant");
}

function showResults(open) {
  list.hidden = !open;
  field.setAttribute("aria-expanded", String(open));
  if (!open) activate(-1);
}

function option({ url, page, heading, excerpt }, number) {
  const item = document.createElement("li");
  item.id = `result-${number}`;
  item.setAttribute("role", "option");
  item.dataset.href = `${root}/${url}`;
  for (const [name, content] of [
    ["strong", heading],
    ["small", heading === page ? "" : page],
    ["span", excerpt],
  ]) {
    const part = document.createElement(name);
    part.textContent = content;
    item.append(part, " ");
  }
  item.addEventListener("click", () => go(item));
  return item;
}

function go(item) {
  showResults(false);
  location.href = item.dataset.href;
}

async function search() {
  const words = field.value.trim();
  if (words === "") return showResults(false);
  try {
    const found = (await index()).search(words).slice(0, mostResults);
    if (field.value.trim() !== words) return;
    list.replaceChildren(...found.map(option));
    status.textContent = found.length === 0 ? "Nothing found" : `${found.length} results`;
    showResults(found.length > 0);
    if (found.length > 0) activate(0);
  } catch (error) {
    status.textContent = error.message;
  }
}

field.hidden = false;
field.addEventListener("input", () => void search());
field.addEventListener("focus", () => void search());
field.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") activate(active + 1);
  else if (event.key === "ArrowUp") activate(active - 1);
  else if (event.key === "Enter" && active >= 0) go(list.children[active]);
  else if (event.key === "Escape") showResults(false);
  else return;
  event.preventDefault();
});
document.addEventListener("pointerdown", ({ target }) => {
  if (!target.closest("search")) showResults(false);
});
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  field.focus();
});

// On wide screens the contents are always open.
const wide = matchMedia("(min-width: 900px)");
const openMenu = () => (menu.open = wide.matches);
openMenu();
wide.addEventListener("change", openMenu);
