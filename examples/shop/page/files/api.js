// The shop over HTTP. An answer that is no success is thrown, with what the shop says is wrong.

export const ROOT = new URL("../../", import.meta.url);

export async function ask(path, { method = "GET", body } = {}) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), options);
  } catch {
    throw new Error("the shop cannot be reached");
  }
  const document = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(document?.detail ?? `the shop answered ${answer.status}`);
  return document;
}

export const createCustomer = (details) => ask("customers", { method: "POST", body: details });
export const placeOrder = (order) => ask("orders", { method: "POST", body: order });
export const cancelOrder = (id) => ask(`orders/${encodeURIComponent(id)}/cancel`, { method: "POST" });
export const message = (delivery) => ask(`shop/messages/${encodeURIComponent(delivery)}`);
export const messageFrame = (delivery) => new URL(`shop/messages/${encodeURIComponent(delivery)}/html`, ROOT);
