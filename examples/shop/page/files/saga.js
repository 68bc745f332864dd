// What is known of customers, orders and their notifications, from what happened. No looks: see cards.js.
//
// Events of different topics come in any order, so nothing here depends on it: each event is noted, and where an order
// stands follows from the events that are there.

// Of the states told of one life of a delivery, the higher holds. What is not here ends the life.
const RANKS = { accepted: 0, replayed: 0, retrying: 1 };
const TERMINAL = 2;
// Of each kind so many are known at a time, more than are shown. The oldest go.
const MOST = 2000;

export const REASONS = {
  payment_not_authorized: "payment refused",
  out_of_stock: "out of stock",
  shipping_failed: "shipping failed",
  cancelled_by_customer: "at the customer's wish",
};

export class Order {
  kind = "order";
  events = new Map(); // by type: each comes once
  notifications = [];

  constructor(id) {
    this.id = id;
  }

  take(event) {
    this.events.set(event.type, event);
    const { customer, items, amount_cents } = event.data;
    Object.assign(this, { customer, items, amount: amount_cents });
  }

  has(type) {
    return this.events.has(type);
  }

  // Other services may be heard of first; there is nothing to show before this.
  get placed() {
    return this.events.get("OrderPlaced") ?? null;
  }

  get at() {
    return Date.parse(this.placed.time);
  }

  get cancelled() {
    return this.events.get("OrderCancelled")?.data ?? null;
  }

  get status() {
    if (this.cancelled) return "CANCELLED";
    if (this.has("ShippingConfirmed")) return "SHIPPED";
    if (this.has("InventoryUpdated")) return "RESERVED";
    return this.has("PaymentConfirmed") ? "PAID" : "PENDING";
  }

  get ended() {
    return this.status === "SHIPPED" || this.status === "CANCELLED";
  }

  // Whether what was done is still to be undone.
  get undoing() {
    return Boolean(this.cancelled) && this.steps.some(({ state }) => state === "undoing");
  }

  get steps() {
    const steps = [
      this.#step("Placed", { done: "OrderPlaced" }),
      this.placed.data.with_payment && this.#step("Paid", { done: "PaymentConfirmed", failed: "PaymentNotAuthorized", undone: "PaymentRefunded" }),
      this.#step("Reserved", { done: "InventoryUpdated", failed: "InventoryInsufficient", undone: "InventoryReleased" }),
      this.#step("Shipped", { done: "ShippingConfirmed", failed: "ShippingFailed" }),
    ].filter(Boolean);
    const next = steps.find(({ state }) => state === "waiting");
    if (next && !this.ended && !steps.some(({ state }) => state === "failed")) next.state = "active";
    return steps;
  }

  #step(name, { done, failed, undone }) {
    const found = (type) => type && this.events.get(type);
    const at = (type) => Date.parse(found(type).time);
    if (found(undone)) return { name: UNDONE[name], state: "undone", at: at(undone) };
    if (found(done)) return { name, state: undone && this.cancelled ? "undoing" : "done", at: at(done) };
    if (found(failed)) return { name: FAILED[name], state: "failed", at: at(failed) };
    return { name, state: this.cancelled ? "skipped" : "waiting", at: null };
  }
}

const UNDONE = { Paid: "Refunded", Reserved: "Released" };
const FAILED = { Paid: "Refused", Reserved: "Sold out", Shipped: "Failed" };

export class Customer {
  kind = "customer";
  notifications = [];

  constructor(id) {
    this.id = id;
  }

  take(event) {
    if (event.data.version < (this.version ?? 0)) return;
    this.version = event.data.version;
    this.details = event.data.customer;
    this.gone = event.type === "CustomerDeleted";
    if (event.type === "CustomerCreated") this.at = Date.parse(event.time);
  }
}

// A notification, and each of its deliveries with its state.
class Notification {
  owner = null; // the order or the customer that it is about
  deliveries = new Map();

  constructor(id) {
    this.id = id;
  }

  take(told) {
    for (const { id, channel } of told.deliveries ?? []) this.#delivery(id).channel = channel;
    if (told.template) this.template = told.template;
    if (!told.delivery_id) return;
    const delivery = this.#delivery(told.delivery_id);
    if (told.life < delivery.life) return;
    // Who replays a dead letter begins another life, whatever the last one came to.
    if (told.life > delivery.life) Object.assign(delivery, born(told.life));
    const [, , what] = told.type.split(".");
    if (told.type.startsWith("tocsin.receipt.")) delivery.receipt = what;
    else if (what === "attempted") delivery.attempts += 1;
    else if (rank(what) > rank(delivery.state)) delivery.state = what;
  }

  #delivery(id) {
    if (!this.deliveries.has(id)) this.deliveries.set(id, { id, channel: "", ...born(0) });
    return this.deliveries.get(id);
  }
}

const rank = (state) => RANKS[state] ?? TERMINAL;
const born = (life) => ({ life, state: "accepted", attempts: 0, receipt: "" });

export class Shop {
  orders = new Map();
  customers = new Map();
  #notifications = new Map();

  // Take in one thing that happened; return the order or the customer that it changed, or null.
  take(happening) {
    return happening.kind === "event" ? this.#event(happening) : this.#notification(happening);
  }

  #event(event) {
    const [known, Kind] = event.type.startsWith("Customer") ? [this.customers, Customer] : [this.orders, Order];
    const found = had(known, event.subject, Kind);
    found.take(event);
    return found;
  }

  #notification(told) {
    const notification = had(this.#notifications, told.notification_id, Notification);
    notification.take(told);
    if (told.order_id || told.customer_id) {
      const owner = told.order_id ? had(this.orders, told.order_id, Order) : had(this.customers, told.customer_id, Customer);
      notification.owner = owner;
      if (!owner.notifications.includes(notification)) owner.notifications.push(notification);
    }
    return notification.owner;
  }

  forget(card) {
    (card.kind === "order" ? this.orders : this.customers).delete(card.id);
    for (const { id } of card.notifications) this.#notifications.delete(id);
  }
}

function had(known, id, Kind) {
  if (!known.has(id)) known.set(id, new Kind(id));
  if (known.size > MOST) known.delete(known.keys().next().value);
  return known.get(id);
}
