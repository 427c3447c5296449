// What was asked about one image and what came back, as elements. Each image keeps its own
// conversation.
import { explain, formatTimings } from "./words.js";

/** An element with a class, text and children. */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** A failure in plain words, with buttons. @param {[string, () => void][]} actions */
export function makeTrouble(className, error, moment, actions) {
  const { title, remedy, detail } = explain(error, moment);
  const row = make(
    "div",
    "row",
    ...actions.map(([label, run]) => {
      const button = make("button", "button", label);
      button.type = "button";
      button.onclick = run;
      return button;
    }),
  );
  return make(
    "div",
    className,
    make("b", "", title),
    make("span", "", remedy),
    make("details", "", make("summary", "", "Details"), make("p", "", detail)),
    row,
  );
}

export class Conversation {
  element = make("ol", "exchanges");
  #asked = new Set();
  #greeting = make(
    "li",
    "greeting",
    make("b", "", "What would you like to know?"),
    make("span", "", "Tap a question below, or write your own."),
  );

  constructor() {
    this.element.setAttribute("aria-label", "Conversation about this image");
    this.element.append(this.#greeting);
  }

  hasAsked(question) {
    return this.#asked.has(question);
  }

  /** Adds a question; the returned exchange receives the answer piece by piece. */
  add(question) {
    this.#asked.add(question);
    this.#greeting.remove();
    const exchange = new Exchange(question);
    this.element.append(exchange.element);
    return exchange;
  }
}

class Exchange {
  #answer = make("p", "answer writing");
  #waiting = make("span", "aside");
  element;

  constructor(question) {
    this.element = make("li", "exchange", make("p", "asked", question), this.#answer);
  }

  get text() {
    return this.#answer.textContent;
  }

  /** Says why nothing comes yet; the first words take its place. */
  wait(why) {
    this.#waiting.textContent = why;
    this.#answer.append(this.#waiting);
  }

  append(text) {
    this.#waiting.remove();
    this.#answer.append(text);
  }

  finish(answer) {
    this.#waiting.remove();
    this.#answer.classList.remove("writing");
    if (answer.text === "")
      this.#answer.append(make("span", "aside", "The model had nothing to say."));
    if (answer.finishReason === "length")
      this.#answer.append(make("span", "aside", " … (cut off here)"));
    this.element.append(make("p", "timings", formatTimings(answer)));
  }

  stop() {
    this.#waiting.remove();
    this.#answer.classList.remove("writing");
    this.#answer.append(make("span", "aside", this.text === "" ? "Stopped." : " … stopped"));
  }

  /**
   * @param {"loading" | "converting" | "asking"} moment  what was going on: the model was awaited, or
   * converted, or it was at work
   */
  fail(error, moment, actions) {
    this.#waiting.remove();
    this.#answer.classList.remove("writing");
    if (this.text === "") this.#answer.remove();
    this.element.append(makeTrouble("trouble", error, moment, actions));
  }
}
