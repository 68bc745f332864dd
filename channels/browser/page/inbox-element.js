// <tocsin-inbox>: a bell that counts what is unread, and a panel with the messages. It styles itself and nothing else.
//
//   <script type="module" src="/inbox-element.js"></script>
//   <tocsin-inbox backend="/push" gateway=""></tocsin-inbox>
//
// Colours follow the page's light or dark scheme. Change them by --inbox-accent, --inbox-surface, --inbox-text,
// --inbox-quiet and --inbox-line; words by the attributes `label`, `empty` and the page's language for times.

import { Inbox } from "./inbox.js";

const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const MINUTE = 60000;
const MOST_SHOWN = 99;

const TEMPLATE = `
<link rel="stylesheet" href="${new URL("./inbox-element.css", import.meta.url)}">
<button class="bell" type="button" aria-expanded="false" aria-controls="panel">
  <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.8"
    stroke-linecap="round" stroke-linejoin="round">
    <path d="M18 8a6 6 0 0 0-12 0c0 7-3 8-3 9h18c0-1-3-2-3-9"/><path d="M10 20.5a2.2 2.2 0 0 0 4 0"/>
  </svg>
  <span class="count" hidden></span>
</button>
<section id="panel" class="panel" role="dialog" hidden tabindex="-1">
  <header>
    <h2></h2>
    <button class="all" type="button">Mark all as read</button>
    <button class="close" type="button" aria-label="Close">
      <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" stroke="currentColor" stroke-width="2"
        stroke-linecap="round"><path d="M6 6l12 12M18 6L6 18"/></svg>
    </button>
  </header>
  <p class="state" hidden></p>
  <ul></ul>
  <p class="empty" hidden></p>
  <button class="more" type="button" hidden>Show older</button>
</section>
<p class="told" role="status"></p>`;

export class InboxElement extends HTMLElement {
  #inbox = null;
  #clock = 0;
  #root = this.attachShadow({ mode: "open" });

  connectedCallback() {
    this.#root.innerHTML = TEMPLATE;
    this.#find("h2").textContent = this.#label;
    this.#find(".panel").setAttribute("aria-label", this.#label);
    this.#find(".empty").textContent = this.getAttribute("empty") ?? "Nothing here yet.";
    this.#inbox = new Inbox({
      backend: this.getAttribute("backend") ?? undefined,
      gateway: this.getAttribute("gateway") ?? undefined,
    });
    this.#inbox.addEventListener("change", () => this.#show());
    this.#inbox.addEventListener("arrived", ({ detail }) => this.#tell(detail.title));
    this.#find(".bell").addEventListener("click", () => this.toggle());
    this.#find(".close").addEventListener("click", () => this.toggle(false));
    this.#find(".all").addEventListener("click", () => this.#read(this.#inbox.messages.map(({ id }) => id)));
    this.#find(".more").addEventListener("click", () => this.#tried(this.#inbox.loadMore()));
    this.#root.addEventListener("keydown", (event) => event.key === "Escape" && this.toggle(false));
    document.addEventListener("click", this.#outside);
    this.#clock = setInterval(() => this.#show(), MINUTE);
    this.#show();
    this.#inbox.start();
  }

  disconnectedCallback() {
    clearInterval(this.#clock);
    document.removeEventListener("click", this.#outside);
    this.#inbox.stop();
  }

  toggle(open = this.#find(".panel").hidden) {
    const panel = this.#find(".panel");
    if (panel.hidden !== open) return;
    panel.hidden = !open;
    this.#find(".bell").setAttribute("aria-expanded", String(open));
    (open ? panel : this.#find(".bell")).focus({ preventScroll: true });
  }

  get #label() {
    return this.getAttribute("label") ?? "Notifications";
  }

  #outside = (event) => {
    if (!event.composedPath().includes(this) && !this.#find(".panel").hidden) this.toggle(false);
  };

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #tell(text) {
    this.#find(".told").textContent = text;
  }

  #read(ids) {
    this.#tried(this.#inbox.markRead(ids));
  }

  #tried(promise) {
    promise.catch(() => this.#tell("It did not work. Try again."));
  }

  #show() {
    const { messages, unread, state, more } = this.#inbox;
    const count = this.#find(".count");
    count.textContent = unread > MOST_SHOWN ? `${MOST_SHOWN}+` : String(unread);
    count.hidden = unread === 0;
    this.#find(".bell").setAttribute("aria-label", unread ? `${this.#label}, ${unread} unread` : this.#label);
    this.#find(".all").disabled = !messages.some((message) => message.read_at === null);
    this.#find(".state").hidden = state === "open" || state === "stopped";
    this.#find(".state").textContent = messages.length ? "Reconnecting…" : "Loading…";
    this.#find(".empty").hidden = messages.length > 0 || state !== "open";
    this.#find(".more").hidden = !more;
    const list = this.#find("ul");
    // Who stands on a message keeps standing on it.
    const held = this.#root.activeElement?.closest("li")?.dataset.id;
    list.replaceChildren(...messages.map((message) => this.#item(message)));
    if (held) list.querySelector(`[data-id="${held}"] > :first-child`)?.focus();
  }

  #item(message) {
    const item = document.createElement("li");
    item.dataset.id = message.id;
    item.classList.toggle("unread", message.read_at === null);
    const href = safe(message.url);
    const face = document.createElement(href ? "a" : "button");
    if (href) face.href = href;
    else face.type = "button";
    face.append(part("strong", message.title), when(message.created_at), part("span", message.body));
    if (message.read_at === null) face.append(part("i", "Unread"));
    face.addEventListener("click", () => this.#read([message.id]));
    item.append(face);
    return item;
  }
}

function part(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function when(moment) {
  const made = document.createElement("time");
  const date = new Date(moment);
  made.dateTime = moment;
  made.title = date.toLocaleString();
  const seconds = (date - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ["second", Infinity];
  const language = document.documentElement.lang || undefined;
  made.textContent = new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
  return made;
}

// Only pages of this site, as a click on a pushed notification does: see service-worker.js.
function safe(url) {
  if (!url || !URL.canParse(url, location.href)) return null;
  const target = new URL(url, location.href);
  return target.origin === location.origin ? target.href : null;
}

customElements.define("tocsin-inbox", InboxElement);
