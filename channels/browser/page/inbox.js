// The inbox of whoever is signed in: what is in it, what comes into it, and what was read. No looks: see inbox-element.js.
//
// Your backend has one route, for people who are signed in; the API key of Tocsin stays there:
//   POST /push/inbox-ticket  → asks POST /v1/inbox/tickets with their `recipient_id`, and answers what that answers
//
// The rest the page asks Tocsin for, with the ticket. `gateway` is where that is: empty behind one proxy with your site,
// else its origin, which then has yours among `inbox.origins`.
//
//   const inbox = new Inbox();
//   inbox.addEventListener("change", () => show(inbox.messages, inbox.unread, inbox.state));
//   inbox.addEventListener("arrived", ({ detail }) => announce(detail.title));
//   inbox.start();

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;
const PAGE = 20;

export class Inbox extends EventTarget {
  #backend;
  #gateway;
  #ticket = "";
  #source = null;
  #timer = 0;
  #wait = FIRST_WAIT;
  #last = null;
  #cursor = null;
  #messages = new Map();

  unread = 0;
  state = "stopped"; // connecting, open, waiting (for another try)

  constructor({ backend = "/push", gateway = "" } = {}) {
    super();
    this.#backend = backend;
    this.#gateway = gateway;
  }

  // The newest first.
  get messages() {
    return [...this.#messages.values()].sort((one, other) => other.id - one.id);
  }

  get more() {
    return this.#cursor !== null;
  }

  start() {
    if (this.state === "stopped") void this.#connect();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
    this.#become("stopped");
  }

  // Older messages than those that are here.
  async loadMore() {
    if (this.#cursor === null) return;
    this.#take(await this.#asked("messages", { limit: PAGE, cursor: this.#cursor }));
  }

  async markRead(ids) {
    const unread = ids.filter((id) => this.#messages.get(id)?.read_at === null);
    if (!unread.length) return;
    await this.#asked("read", {}, { ids: unread });
    const now = new Date().toISOString();
    for (const id of unread) this.#messages.set(id, { ...this.#messages.get(id), read_at: now });
    this.unread = Math.max(0, this.unread - unread.length);
    this.#changed();
  }

  async #connect() {
    this.#become("connecting");
    try {
      await this.#renew();
      if (this.#last === null) {
        const page = await this.#asked("messages", { limit: PAGE });
        this.#last = page.newest;
        this.unread = page.unread;
        this.#take(page);
      }
    } catch {
      this.#later();
      return;
    }
    if (this.state !== "stopped") this.#listen();
  }

  // The browser comes back by itself after a cut, with the id that it saw last. It gives up where the answer is no
  // stream: because the ticket has expired, above all. Then it takes a new one, and the id is ours to give.
  #listen() {
    const source = new EventSource(this.#url("events", { last_event_id: this.#last }));
    this.#source = source;
    source.onopen = () => {
      this.#wait = FIRST_WAIT;
      this.#become("open");
    };
    source.onmessage = (event) => this.#arrived(JSON.parse(event.data));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#later();
      else this.#become("connecting");
    };
  }

  #later() {
    if (this.state === "stopped") return;
    this.#source?.close();
    this.#become("waiting");
    // Not all pages at the same time, after the gateway was away.
    this.#timer = setTimeout(() => void this.#connect(), this.#wait * (0.5 + Math.random() / 2));
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }

  #arrived(message) {
    this.#last = Math.max(this.#last, message.id);
    if (this.#messages.has(message.id)) return;
    this.#messages.set(message.id, message);
    if (message.read_at === null) this.unread += 1;
    this.#changed();
    this.dispatchEvent(new CustomEvent("arrived", { detail: message }));
  }

  #take(page) {
    for (const message of page.items) this.#messages.set(message.id, message);
    this.#cursor = page.next_cursor;
    this.#changed();
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  async #renew() {
    const answer = await fetch(`${this.#backend}/inbox-ticket`, { method: "POST", credentials: "include" });
    if (!answer.ok) throw new Error(`there is no ticket: ${answer.status}`);
    this.#ticket = (await answer.json()).ticket;
  }

  async #asked(what, query, body) {
    const options = body && { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
    let answer = await fetch(this.#url(what, query), options);
    if (answer.status === 401) {
      await this.#renew();
      answer = await fetch(this.#url(what, query), options);
    }
    if (!answer.ok) throw new Error(`the inbox answered ${answer.status}`);
    return answer.status === 204 ? null : answer.json();
  }

  #url(what, query) {
    return `${this.#gateway}/v1/inbox/${what}?${new URLSearchParams({ ...query, ticket: this.#ticket })}`;
  }
}
