// The cards: an order as a line of steps that light up, its notifications and its events; and who has joined.

import { icon, made, unseen } from "./dom.js";
import { REASONS } from "./saga.js";
import { after, CHANNELS, clock, money, NOTICES, things } from "./words.js";

const MOST = 40;
const ICONS = { done: "check", failed: "cross", undone: "back", undoing: "back" };
const STATES = {
  done: "done",
  failed: "failed",
  undone: "undone",
  undoing: "being undone",
  active: "next",
  waiting: "to come",
  skipped: "not done",
};
const TONES = { SHIPPED: "good", CANCELLED: "bad" };

export class Cards {
  #list;
  #act;
  #items = new Map();

  // `act` is told what is clicked: { cancel: order } or { open: delivery, title }.
  constructor(list, act) {
    this.#list = list;
    this.#act = act;
  }

  // Show a card as it is now. Returns the cards for which there is no more room.
  show(card) {
    if (!this.#items.has(card)) this.#insert(card);
    const item = this.#items.get(card);
    item.replace(card.kind === "order" ? this.#order(card) : this.#customer(card));
    const tooMany = [...this.#items.keys()].sort((one, other) => other.at - one.at).slice(MOST);
    for (const gone of tooMany) this.#remove(gone);
    return tooMany;
  }

  clear() {
    for (const card of [...this.#items.keys()]) this.#remove(card);
  }

  reveal(card) {
    this.#items.get(card)?.element.scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
  }

  #insert(card) {
    const item = new Item(card);
    this.#items.set(card, item);
    const older = [...this.#list.children].find((each) => Number(each.dataset.at) < card.at);
    this.#list.insertBefore(item.element, older ?? null);
  }

  #remove(card) {
    this.#items.get(card).element.remove();
    this.#items.delete(card);
  }

  #order(order) {
    const ago = (at) => (at === null ? "" : after(at - order.at));
    return {
      title: things(order.items),
      about: `${order.customer.name} · ${money(order.amount)} · ${clock(order.at)}`,
      badge: [order.undoing ? "UNDOING" : order.status, order.undoing ? "busy" : (TONES[order.status] ?? "busy")],
      steps: order.steps.map((step) => ({ ...step, ago: step.name === "Placed" ? clock(step.at) : ago(step.at) })),
      why: order.cancelled ? why(order) : "",
      notices: this.#notices(order),
      cancel: order.ended ? null : () => this.#act({ cancel: order }),
      events: [...order.events.values()].sort((one, other) => Date.parse(one.time) - Date.parse(other.time)),
      ago,
    };
  }

  #customer(customer) {
    const { name, email, locale, phone } = customer.details;
    const reached = [email, phone, locale].filter(Boolean).join(" · ");
    return {
      title: `${name} ${customer.gone ? "has left" : "has joined"}`,
      about: `${reached} · ${clock(customer.at)}`,
      notices: this.#notices(customer),
    };
  }

  #notices(card) {
    return card.notifications.flatMap((notification) =>
      [...notification.deliveries.values()].map((delivery) => {
        const title = NOTICES[notification.template] ?? notification.template ?? "Notification";
        return { ...delivery, title, open: () => this.#act({ open: delivery, title }) };
      }),
    );
  }
}

// One card on the page. Its parts are kept and changed in place, so that who stands on one keeps standing on it.
class Item {
  #title = made("h3");
  #badge = made("span", { class: "badge" });
  #about = made("span");
  #steps = made("ol", { class: "steps" });
  #why = made("p", { class: "why" });
  #notices = made("ul", { class: "notices", "aria-label": "Notifications" });
  #cancel = made("button", { type: "button", class: "cancel", text: "Cancel order" });
  #events = made("ol", { class: "events" });
  #summary = made("summary");
  #details = made("details", {}, this.#summary, this.#events);
  #told = new Map(); // by type of event
  #foot = made("footer", {}, this.#details, this.#cancel);

  constructor(card) {
    this.#title.id = `title-${card.kind}-${card.id}`;
    const article = made("article", { "aria-labelledby": this.#title.id });
    const id = card.kind === "order" && made("code", { text: card.id });
    article.append(made("header", {}, this.#title, this.#badge), made("p", { class: "about" }, this.#about, id));
    if (card.kind === "order") article.append(this.#steps, this.#why, this.#notices, this.#foot);
    else article.append(this.#notices);
    this.element = made("li", { class: `card ${card.kind}`, "data-id": card.id, "data-at": card.at }, article);
  }

  replace({ title, about, badge, steps, why: reason, notices, cancel, events, ago }) {
    set(this.#title, title);
    set(this.#about, about);
    this.#showNotices(notices);
    if (!steps) return;
    this.element.dataset.status = badge[0];
    set(this.#badge, badge[0].toLowerCase());
    this.#badge.className = `badge ${badge[1]}`;
    this.#steps.replaceChildren(...steps.map(step));
    set(this.#why, reason);
    this.#why.hidden = !reason;
    this.#cancel.hidden = !cancel;
    this.#cancel.onclick = cancel;
    set(this.#summary, `${events.length} ${events.length === 1 ? "event" : "events"}`);
    for (const [place, event] of events.entries()) {
      const item = this.#told.get(event.type) ?? told(event, ago);
      this.#told.set(event.type, item);
      if (this.#events.children[place] !== item) this.#events.insertBefore(item, this.#events.children[place] ?? null);
    }
  }

  #showNotices(notices) {
    this.#notices.hidden = !notices.length;
    for (const [place, notice] of notices.entries()) {
      const item = this.#notices.children[place] ?? this.#notices.appendChild(made("li", {}, made("button", { type: "button" })));
      const button = item.firstChild;
      const state = `${notice.state}:${notice.attempts}:${notice.receipt}`;
      if (button.dataset.state === state && button.dataset.id === notice.id) continue;
      Object.assign(button.dataset, { state, id: notice.id, channel: notice.channel });
      button.className = `notice ${notice.state}`;
      button.disabled = notice.state !== "delivered";
      button.onclick = notice.open;
      button.replaceChildren(
        icon(notice.channel === "sms" ? "text" : "mail"),
        made("b", { text: notice.title }),
        made("small", { text: standing(notice) }),
      );
    }
  }
}

function step({ name, state, ago }) {
  const dot = made("span", { class: "dot" }, ICONS[state] && icon(ICONS[state]));
  const label = made("span", { class: "name", text: name }, unseen(`, ${STATES[state]}`));
  return made("li", { class: `step ${state}` }, dot, label, made("small", { text: ago }));
}

function told(event, ago) {
  const head = made("summary", {}, made("b", { text: event.type }), made("small", { text: ago(Date.parse(event.time)) }));
  const { customer, items, ...own } = event.data;
  const shown = { source: event.source, id: event.id, data: { ...own, customer, items } };
  // It scrolls, so it can be focused; so it has a name.
  const named = { tabindex: "0", role: "group", "aria-label": `${event.type} as it was told` };
  return made("li", {}, made("details", {}, head, made("pre", { ...named, text: JSON.stringify(shown, null, 2) })));
}

function why(order) {
  const { reason, refund_cents } = order.cancelled;
  const undone = [];
  if (order.has("PaymentRefunded")) undone.push(`${money(order.amount)} refunded`);
  else if (refund_cents) undone.push(`${money(refund_cents)} to be refunded`);
  if (order.has("InventoryReleased")) undone.push("the stock is released");
  const cause = `Cancelled: ${REASONS[reason] ?? reason}.`;
  return undone.length ? `${cause} ${undone.join(", ").replace(/^./, (letter) => letter.toUpperCase())}.` : cause;
}

function standing({ channel, state, attempts, receipt }) {
  const tries = attempts > 1 ? `, ${attempts} tries` : "";
  return `${CHANNELS[channel] ?? channel} · ${receipt || state}${tries}`;
}

// Change a text only where it is another: who has selected some of it keeps that.
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
