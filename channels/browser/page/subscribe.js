// Asks for the permission to notify, subscribes, and tells your backend, which tells Tocsin.
//
// Your backend has two routes, for people who are signed in; the API key of Tocsin stays there:
//   GET  /push/key            → what GET /v1/browser/key answers: { key, key_id }
//   POST /push/subscriptions  → adds `recipient_id` (who is signed in) and goes to POST /v1/browser/subscriptions
//
// Call it from a click: browsers ignore, and people refuse, a question that comes by itself.

export async function subscribe({ worker = "/service-worker.js", backend = "/push" } = {}) {
  if (!("serviceWorker" in navigator && "PushManager" in window)) return "unsupported";
  if ((await Notification.requestPermission()) !== "granted") return "denied";
  await navigator.serviceWorker.register(worker);
  const registration = await navigator.serviceWorker.ready;
  const { key, key_id } = await (await asked(`${backend}/key`)).json();
  const { subscription, replaces } = await subscribed(registration.pushManager, bytes(key));
  await asked(`${backend}/subscriptions`, { subscription: { ...subscription.toJSON(), key_id }, replaces });
  return "subscribed";
}

// A subscription is bound to the key that it was made with: one of an older key gives way to a new one.
async function subscribed(manager, applicationServerKey) {
  const found = await manager.getSubscription();
  if (found && same(new Uint8Array(found.options.applicationServerKey ?? []), applicationServerKey)) {
    return { subscription: found };
  }
  await found?.unsubscribe();
  const subscription = await manager.subscribe({ userVisibleOnly: true, applicationServerKey });
  return { subscription, replaces: found?.endpoint };
}

async function asked(url, body) {
  const options = { credentials: "include" };
  if (body) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(url, options);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer;
}

function same(one, other) {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}

function bytes(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
