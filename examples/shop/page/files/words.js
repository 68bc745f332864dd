// How things are called, and how money and time are written.

const MONEY = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const NOTICES = {
  welcome: "Welcome",
  "order-confirmation": "Order received",
  "payment-refused": "Payment refused",
  "out-of-stock": "Sold out",
  "shipping-confirmation": "On its way",
  "order-cancelled": "Cancelled",
};
export const CHANNELS = { email: "mail", sms: "text", push: "push", browser: "browser" };

export const money = (cents) => MONEY.format(cents / 100);
export const clock = (at) => TIME.format(at);
export const after = (milliseconds) => `+${(Math.max(0, milliseconds) / 1000).toFixed(2)} s`;
export const things = (items) => items.map(({ quantity, name }) => `${quantity} × ${name}`).join(", ");
