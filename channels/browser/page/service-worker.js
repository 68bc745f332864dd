// Tocsin's service worker. Serve it from the root of your site, so that it may look after every page.
//
// A message is JSON: { id, title, body, url?, icon?, data? }. Your own code may go below; keep every promise inside
// `waitUntil`, or the browser may stop the worker half-way, and count a push that showed nothing against your site.

const REGISTER = "/push/subscriptions"; // your backend: see subscribe.js
const KEY = "/push/key";

self.addEventListener("push", (event) => {
  event.waitUntil(show(event.data));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.url));
});

// The browser got another subscription, or is to get one: the old one reaches nobody any more.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(renew(event.oldSubscription, event.newSubscription));
});

async function show(data) {
  const message = read(data);
  await self.registration.showNotification(message.title, {
    body: message.body,
    icon: message.icon,
    // The same notification, should it come twice, takes its own place.
    tag: message.id,
    data: { id: message.id, url: message.url, ...message.data },
  });
}

function read(data) {
  const unreadable = { title: self.location.host, body: "" };
  try {
    return { ...unreadable, ...data.json() };
  } catch {
    return unreadable; // every push must show something
  }
}

async function open(url) {
  const target = new URL(url ?? "/", self.location.origin);
  // Only pages of this site: whoever can submit a notification need not be able to send people elsewhere.
  const href = target.origin === self.location.origin ? target.href : self.location.origin;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((each) => each.url === href);
  return there ? there.focus() : self.clients.openWindow(href);
}

async function renew(old, renewed) {
  const answer = await fetch(KEY, { credentials: "include" });
  if (!answer.ok) throw new Error(`the key could not be had: ${answer.status}`);
  const { key, key_id } = await answer.json();
  const applicationServerKey = bytes(key);
  const subscription =
    renewed ?? (await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }));
  const body = { subscription: { ...subscription.toJSON(), key_id }, replaces: old?.endpoint };
  const told = await fetch(REGISTER, {
    method: "POST",
    credentials: "include",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!told.ok) throw new Error(`the subscription was not registered: ${told.status}`);
}

function bytes(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
