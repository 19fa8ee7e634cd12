import { mail } from "./mail.ts";

const TRIGGER = "long-winded-3Kx";

/** A regular expression that libclamav tries in 2^50 ways where the text has what the signature waits for. */
export const ENDLESS_SIGNATURE = `Endless;Engine:81-255,Target:0;0&1;${Buffer.from(TRIGGER).toString("hex")};0/(x+x+)+[qw]!/\n`;

/** What clamd.conf must allow for that. */
export const ENDLESS_LIMITS = { PCREMatchLimit: "2000000000", PCRERecMatchLimit: "2000000000" };

/** A mail whose scan with that signature never ends. */
export function endlessMail(name: string): string {
  return mail({ body: `${name} ${TRIGGER} ${"x".repeat(50)} z !\r\n` });
}
