// What happens, as it happens. The browser comes back by itself after a cut, with the id that it saw last, and misses
// nothing. It gives up where the answer is no stream, as while the shop is restarted: then it is tried again from here.
//
// Events: "happening" (detail: one thing that happened), "live" (all from before is told), "reset" (what was told is of
// another feed, and is told anew), "state" (detail: connecting, live or waiting).

import { ROOT } from "./api.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 10000;

export class Feed extends EventTarget {
  #last = "";
  #wait = FIRST_WAIT;

  start() {
    this.#tell("state", "connecting");
    const url = new URL("shop/events", ROOT);
    if (this.#last) url.searchParams.set("last_event_id", this.#last);
    const source = new EventSource(url);
    source.onmessage = (event) => {
      this.#last = event.lastEventId;
      this.#tell("happening", JSON.parse(event.data));
    };
    source.addEventListener("live", () => {
      this.#wait = FIRST_WAIT;
      this.#tell("state", "live");
      this.#tell("live");
    });
    source.addEventListener("reset", () => this.#tell("reset"));
    source.onerror = () => {
      this.#tell("state", "waiting");
      if (source.readyState !== EventSource.CLOSED) return;
      source.close();
      setTimeout(() => this.start(), this.#wait * (0.5 + Math.random() / 2));
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    };
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
