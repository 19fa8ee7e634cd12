/**
 * What the manual says about each kind of mail, as a model of its own: tables of clients, options, envelopes and
 * headers, and one function that says what has to come of them. It shares nothing with the program.
 */

/** The MTA's name for itself in these tests, and so the domain that is ours. */
export const OUR_HOST = "mail.example.org";
const OUR_SENDER = "<boss@example.org>";
const LISTED_SENDER = "<friend@partner.example>";
const LISTED = "<Listed@example.org>";
const PLAIN = "<user@example.org>";

/** Clients; `%` is a number that makes each a host of its own. */
export const CLIENTS = {
  "127.0.0.1": { origin: "here", family: "inet" },
  "127.255.255.255": { origin: "here", family: "inet" },
  "::1": { origin: "here", family: "inet6" },
  "::ffff:127.0.0.9": { origin: "here", family: "inet6" },
  "/run/sock": { origin: "here", family: "unix" },
  "": { origin: "here", family: "unknown" },
  "192.168.1.1": { origin: "lan", family: "inet" },
  "IPv6:fe80::1": { origin: "lan", family: "inet6" },
  "::ffff:10.0.0.1": { origin: "lan", family: "inet6" },
  "100.64.%": { origin: "ignored", family: "inet" },
  "198.18.%": { origin: "outside", family: "inet" },
  "IPv6:2001:db8::%": { origin: "outside", family: "inet6" },
  "::ffff:198.19.%": { origin: "outside", family: "inet6" },
  "192.0.2.66": { origin: "infected", family: "inet" },
} as const;

export const DIMENSIONS = {
  client: Object.keys(CLIENTS) as (keyof typeof CLIENTS)[],
  host: ["mx.other.example", OUR_HOST],
  helo: ["mx.other.example", "MAIL.example.org."],
  login: [null, "alice", "bob"],
  sender: ["<someone@other.example>", LISTED_SENDER, OUR_SENDER, "<>"],
  recipients: [
    [PLAIN],
    [LISTED],
    [LISTED, PLAIN],
    ["<a;b@example.org>"],
    ["<a|b@example.org>", PLAIN],
    [LISTED, "<a;b@example.org>"],
  ],
  from: [["a@other.example"], ['"A" <x@Example.org>'], ["a@other.example", "x@example.org"]],
  senderField: [null, "list@other.example", "x@example.org"],
} as const;

export type Dimension = keyof typeof DIMENSIONS;
export type Case = { readonly [D in Dimension]: (typeof DIMENSIONS)[D][number] };

/** The file for `--whitelist-file`. */
export const WHITELIST = `# lab\nFrom: ${LISTED_SENDER.toUpperCase()}\nTo: ${LISTED.toLowerCase()}\n`;

/** Options as the model knows them; a file stands for the whitelist. */
export const OPTIONS = {
  outgoing: ["-o"],
  local: ["-l"],
  force: ["-f"],
  ignore: ["-I", "100.64.0.0/16"],
  forged: ["-L"],
  whitelist: ["-W", "FILE"],
  authenticated: ["--skip-authenticated"],
  alice: ["--skip-authenticated=alice,carol"],
  unsanitised: ["--dont-sanitise"],
  blacklist: ["-k", "600"],
} as const;

export type OptionKey = keyof typeof OPTIONS;

const EXCLUDED: readonly (readonly OptionKey[])[] = [
  ["forged", "outgoing"],
  ["forged", "local"],
  ["forged", "force"],
  // The same option twice.
  ["authenticated", "alice"],
];

/** No option, each one alone, and each pair that the program takes. */
export function optionSets(): readonly (readonly OptionKey[])[] {
  const keys = Object.keys(OPTIONS) as OptionKey[];
  const pairs = keys.flatMap((one, at) => keys.slice(at + 1).map((other) => [one, other]));
  const taken = pairs.filter((pair) => !EXCLUDED.some((not) => not.every((key) => pair.includes(key))));
  return [[], ...keys.map((key) => [key]), ...taken];
}

/** What has to come of a message. `replies` are the answers to its recipients, as far as they are given. */
export interface Expected {
  readonly stage: "connect" | "mail" | "rcpt" | "endOfHeaders" | "endOfBody";
  /** The SMTP reply, `accept` for mail that is let through as it is, or `scanned`. */
  readonly answer: string;
  readonly refusedRecipients: readonly string[];
}

const ME = "550 5.7.1 You have claimed to be me, but you are not";
const FROM_ME = "5.7.1 You have claimed to be from me, but you are not";
const BLACKLISTED = (address: string): string =>
  `550 5.7.1 Your IP (${address}) is blacklisted because your machine is infected with a virus`;
const SUSPICIOUS = "554 5.7.1 Suspicious recipient address blocked";

/** The manual, in the order of the SMTP dialogue. */
export function expectedOf(mail: Case, options: readonly OptionKey[]): Expected {
  const on = (key: OptionKey): boolean => options.includes(key);
  const end = (
    stage: Expected["stage"],
    answer: string,
    refusedRecipients: readonly string[] = [],
  ): Expected => ({
    stage,
    answer,
    refusedRecipients,
  });
  const { origin } = CLIENTS[mail.client];
  const here = origin === "here";
  const lan = origin === "lan" || (origin === "ignored" && on("ignore"));
  const outside = !here && !lan;
  if (here && !on("outgoing") && !on("force")) return end("connect", "accept");
  if (lan && !on("local") && !on("force")) return end("connect", "accept");
  if (on("blacklist") && origin === "infected") return end("mail", BLACKLISTED(mail.client));
  if (on("whitelist") && mail.sender === LISTED_SENDER) return end("mail", "accept");
  if (mail.login !== null && (on("authenticated") || (on("alice") && mail.login === "alice"))) {
    return end("mail", "accept");
  }
  const doubted = on("forged") && outside && mail.login === null;
  if (doubted && (mail.host === OUR_HOST || mail.helo !== "mx.other.example")) return end("mail", ME);
  if (doubted && mail.sender === OUR_SENDER) return end("mail", `550 ${FROM_ME}`);
  const bad = on("unsanitised") ? [] : mail.recipients.filter((recipient) => /[;|]/.test(recipient));
  const good = mail.recipients.filter((recipient) => !bad.includes(recipient));
  if (bad.length > 0 && here) return end("endOfBody", SUSPICIOUS);
  const refusals = bad.map(() => SUSPICIOUS);
  if (good.length === 0) return end("rcpt", SUSPICIOUS, refusals);
  const fromUs = mail.from.some((value) => /@example\.org/i.test(value));
  if (doubted && fromUs && mail.senderField !== "list@other.example") {
    return end("endOfHeaders", `554 ${FROM_ME}`, refusals);
  }
  if (on("whitelist") && good.every((recipient) => recipient === LISTED)) {
    return end("endOfHeaders", "accept", refusals);
  }
  return end("endOfBody", "scanned", refusals);
}

/** Cases in which every two values of two dimensions meet at least once. */
export function pairwiseCases(): readonly Case[] {
  const names = Object.keys(DIMENSIONS) as Dimension[];
  const open = new Set<string>();
  const key = (one: Dimension, at: number, other: Dimension, to: number): string =>
    `${one}${at} ${other}${to}`;
  const each = (visit: (one: Dimension, at: number, other: Dimension, to: number) => void): void => {
    for (const [place, one] of names.entries()) {
      for (const other of names.slice(place + 1)) {
        for (let at = 0; at < DIMENSIONS[one].length; at++) {
          for (let to = 0; to < DIMENSIONS[other].length; to++) visit(one, at, other, to);
        }
      }
    }
  };
  each((...pair) => open.add(key(...pair)));
  const cases: Case[] = [];
  // The same cases every time: a small generator of our own.
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  while (open.size > 0) {
    let best: Record<Dimension, number> | null = null;
    let bestPairs: string[] = [];
    for (let attempt = 0; attempt < 60; attempt++) {
      const chosen = Object.fromEntries(
        names.map((name) => [name, random(DIMENSIONS[name].length)]),
      ) as Record<Dimension, number>;
      const pairs = names.flatMap((one, place) =>
        names.slice(place + 1).map((other) => key(one, chosen[one], other, chosen[other])),
      );
      const fresh = pairs.filter((pair) => open.has(pair));
      if (fresh.length > bestPairs.length) [best, bestPairs] = [chosen, fresh];
    }
    if (best === null) continue;
    for (const pair of bestPairs) open.delete(pair);
    const chosen = best;
    cases.push(
      Object.fromEntries(names.map((name) => [name, DIMENSIONS[name][chosen[name]]])) as unknown as Case,
    );
  }
  return cases;
}
