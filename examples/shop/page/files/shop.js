// The page: the desk on one side, what happens on the other.

import { ask, cancelOrder } from "./api.js";
import { Cards } from "./cards.js";
import { Desk } from "./desk.js";
import { Feed } from "./feed.js";
import { Letter } from "./letter.js";
import { REASONS, Shop } from "./saga.js";
import { things } from "./words.js";

const WORDS = { connecting: "Connecting…", live: "Live", waiting: "Reconnecting…" };
// What changes within so many milliseconds is shown at once.
const TOGETHER = 40;
const PATIENCE = 6000;

const byId = (id) => document.getElementById(id);

let shop = new Shop();
let live = false;
let timer = 0;
const changed = new Set();
const watchers = new Set();
const letter = new Letter();
const desk = new Desk({ watch });
const cards = new Cards(byId("cards"), async ({ cancel, open, title }) => {
  if (open) return letter.open(open, title);
  return cancelOrder(cancel.id).catch((error) => desk.fail(error));
});

function take(happening) {
  const card = shop.take(happening);
  if (!card || (card.kind === "order" ? !card.placed : !card.details)) return;
  changed.add(card);
  timer ||= setTimeout(show, TOGETHER);
}

function show() {
  clearTimeout(timer);
  timer = 0;
  for (const card of changed) {
    if (card.kind === "customer") desk.know(card);
    if (card.kind === "customer" && !card.at) continue; // who joined long ago has no card
    for (const gone of cards.show(card)) shop.forget(gone);
    announce(card);
  }
  changed.clear();
  byId("empty").hidden = byId("cards").children.length > 0;
  for (const look of [...watchers]) look();
}

function announce(card) {
  if (card.kind !== "order" || !card.ended || card.announced) return;
  card.announced = true;
  if (!live) return;
  const how = card.cancelled ? `cancelled, ${REASONS[card.cancelled.reason] ?? card.cancelled.reason}` : "shipped";
  byId("announced").textContent = `${things(card.items)} for ${card.customer.name}: ${how}`;
}

// Wait for an order to be seen, and with `until` for that to be so. Gives up after some seconds: the feed may be away.
function watch(id, { until = () => true, reveal = false } = {}) {
  return new Promise((resolve) => {
    const end = () => {
      watchers.delete(look);
      clearTimeout(patience);
      resolve();
    };
    const look = () => {
      const order = shop.orders.get(id);
      if (!order?.placed || !until(order)) return;
      if (reveal) cards.reveal(order);
      end();
    };
    const patience = setTimeout(end, PATIENCE);
    watchers.add(look);
    look();
  });
}

const feed = new Feed();
feed.addEventListener("happening", ({ detail }) => take(detail));
feed.addEventListener("live", () => {
  show();
  live = true;
});
feed.addEventListener("reset", () => {
  shop = new Shop();
  live = false;
  changed.clear();
  cards.clear();
});
feed.addEventListener("state", ({ detail }) => {
  byId("state").dataset.state = detail;
  byId("state").textContent = WORDS[detail];
});

async function open() {
  byId("own").open = matchMedia("(min-width: 56rem)").matches;
  feed.start();
  const { products } = await ask("products");
  desk.setProducts(products);
  const { customers } = await ask("customers");
  for (const { id, ...details } of customers.reverse()) desk.know({ id, details });
  desk.choose();
}

open().catch((error) => desk.fail(error));
