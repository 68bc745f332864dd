// Where orders are made: who orders, what, and the ways in which it may go.

import { cancelOrder, createCustomer, placeOrder } from "./api.js";
import { made, unseen } from "./dom.js";
import { money } from "./words.js";

const NOWHERE = { name: "Nora Nowhere", email: "nora@nowhere.example", phone: null };
const SCENARIOS = {
  well: { items: { lamp: 1, mug: 2 } },
  refused: { items: { trap: 1 } },
  stock: { items: { unicorn: 1 } },
  shipping: { items: { book: 1 }, nowhere: true },
  cancel: { items: { chair: 1 }, cancelled: true },
};
const MOST_OF_ONE = 20;

export class Desk {
  #customerForm = document.getElementById("customer");
  #who = document.getElementById("who");
  #newcomer = document.getElementById("newcomer");
  #orderForm = document.getElementById("order");
  #products = document.getElementById("products");
  #told = document.getElementById("told");
  #known = new Map();
  #counts = new Map();
  #prices = new Map();
  #watch;

  // `watch` returns a promise of an order by its id: with `until`, once that is so, or after some seconds.
  constructor({ watch }) {
    this.#watch = watch;
    this.#who.addEventListener("change", () => this.#chosen());
    this.#submit(this.#customerForm, async () => {
      await this.#join();
      this.#who.focus(); // the button is hidden now
    });
    this.#submit(this.#orderForm, () => this.#placeOwn());
    for (const button of document.querySelectorAll("[data-scenario]")) {
      button.addEventListener("click", () => this.#during(button, () => this.#play(SCENARIOS[button.dataset.scenario])));
    }
  }

  setProducts(products) {
    this.#products.replaceChildren(...products.map((product) => this.#product(product)));
    this.#priced();
  }

  // Somebody is there, has changed, or has gone.
  know({ id, details, gone }) {
    if (gone) {
      this.#known.get(id)?.option.remove();
      this.#known.delete(id);
      this.#chosen();
      return;
    }
    const option = this.#known.get(id)?.option ?? made("option", { value: id });
    option.textContent = `${details.name} (${details.locale})`;
    if (!this.#known.has(id)) this.#who.options[0].after(option);
    this.#known.set(id, { details, option });
  }

  // Have somebody who is there order, rather than somebody new.
  choose() {
    const [found] = [...this.#known].reverse().find(([, { details }]) => details.name !== NOWHERE.name) ?? [""];
    this.#who.value = found;
    this.#chosen();
  }

  fail(error) {
    this.#told.textContent = `It did not work: ${error.message}.`;
  }

  #submit(form, act) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#during(event.submitter, act);
    });
  }

  async #during(button, act) {
    if (button?.ariaBusy === "true") return;
    this.#told.textContent = "";
    if (button) button.ariaBusy = "true";
    try {
      await act();
    } catch (error) {
      this.fail(error);
    } finally {
      if (button) button.ariaBusy = "false";
    }
  }

  #chosen() {
    this.#newcomer.hidden = this.#who.value !== "";
  }

  async #create(changes = {}) {
    const { name, email, phone, locale } = Object.fromEntries(new FormData(this.#customerForm));
    const details = { name, email, locale, phone: phone.replace(/[\s()/-]/g, "") || null, ...changes };
    const { id } = await createCustomer(details);
    this.know({ id, details });
    return id;
  }

  async #customer() {
    if (this.#who.value) return this.#who.value;
    if (!this.#customerForm.reportValidity()) throw new Error("the customer is not whole");
    return this.#join();
  }

  // Somebody new joins, and is who orders from now on.
  async #join() {
    const id = await this.#create();
    this.#who.value = id;
    this.#chosen();
    return id;
  }

  async #nowhere() {
    const found = [...this.#known].find(([, { details }]) => details.name === NOWHERE.name);
    return found ? found[0] : this.#create(NOWHERE);
  }

  async #play({ items, nowhere, cancelled }) {
    const customer = await (nowhere ? this.#nowhere() : this.#customer());
    const order = await this.#place(customer, items);
    if (!cancelled) return;
    await this.#watch(order.id, { until: (seen) => seen.has("InventoryUpdated") || seen.ended });
    await cancelOrder(order.id);
  }

  async #placeOwn() {
    const wanted = Object.fromEntries([...this.#counts].filter(([, count]) => count > 0));
    await this.#place(await this.#customer(), wanted);
  }

  async #place(customer, counts) {
    const items = Object.entries(counts).map(([product, quantity]) => ({ product, quantity }));
    const order = await placeOrder({ customer_id: customer, items });
    void this.#watch(order.id, { reveal: true });
    return order;
  }

  #product({ id, name, price_cents }) {
    this.#prices.set(id, price_cents);
    const count = made("output", { text: "0" });
    const change = (by) => {
      this.#counts.set(id, Math.min(MOST_OF_ONE, Math.max(0, (this.#counts.get(id) ?? 0) + by)));
      count.textContent = this.#counts.get(id);
      this.#priced();
    };
    const button = (text, label, by) => {
      const element = made("button", { type: "button", class: "change", text, "aria-label": `${label} ${name}` });
      element.addEventListener("click", () => change(by));
      return element;
    };
    return made(
      "li",
      {},
      made("span", { class: "product", text: name }),
      made("span", { class: "price", text: money(price_cents) }),
      made("span", { class: "counter" }, button("−", "One less:", -1), count, unseen(` of ${name}`), button("+", "One more:", 1)),
    );
  }

  #priced() {
    const total = [...this.#counts].reduce((sum, [id, count]) => sum + count * this.#prices.get(id), 0);
    const button = this.#orderForm.querySelector("[type=submit]");
    button.textContent = total ? `Place order · ${money(total)}` : "Place order";
    button.disabled = total === 0;
  }
}
