// The message that a customer got: the mail in a frame in which nothing runs, or the text as a bubble.

import { message, messageFrame } from "./api.js";
import { made } from "./dom.js";
import { CHANNELS } from "./words.js";

export class Letter {
  #dialog = document.getElementById("message");
  #title = document.getElementById("message-title");
  #about = document.getElementById("message-about");
  #body = document.getElementById("message-body");
  #wanted = null; // the delivery that the dialog is open for

  constructor() {
    document.getElementById("message-close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#dialog.addEventListener("close", () => {
      this.#wanted = null;
      this.#body.replaceChildren();
    });
  }

  async open(delivery, title) {
    this.#wanted = delivery;
    this.#title.textContent = title;
    this.#about.textContent = "";
    this.#body.replaceChildren(made("p", { class: "quiet", text: "Loading…" }));
    this.#dialog.showModal();
    try {
      const found = await message(delivery.id);
      if (this.#wanted !== delivery) return; // closed meanwhile, perhaps for another
      this.#title.textContent = found.subject ?? title;
      this.#about.textContent = `${CHANNELS[found.channel] ?? found.channel} to ${found.to}`;
      this.#body.replaceChildren(found.html ? this.#frame(delivery, found) : made("p", { class: "bubble", text: found.text }));
    } catch (error) {
      if (this.#wanted !== delivery) return;
      this.#body.replaceChildren(made("p", { class: "quiet", text: `It cannot be shown: ${error.message}.` }));
    }
  }

  #frame(delivery, { subject }) {
    return made("iframe", { sandbox: "", title: `Mail: ${subject}`, src: messageFrame(delivery.id) });
  }
}
