import type { Peer, ServerEnd } from "../../src/access/decide.ts";

/** The hosts file of the referee: names that lead back to their address, and one that does not. */
export const HOSTS = `127.0.0.1 localhost
10.1.2.3 mx.example.org
10.1.2.9 local1
192.0.2.77 Mixed.Example.COM
2001:db8::5 six.example.org
10.9.9.9 5.6.7.8 numeric.example
`;

/** What tcpdmatch is asked, and what our side is told instead. */
export const CLIENTS: Readonly<Record<string, Peer>> = {
  "10.1.2.3": { address: "10.1.2.3", name: "unknown" },
  "172.16.5.4": { address: "172.16.5.4", name: "unknown" },
  "203.0.113.200": { address: "203.0.113.200", name: "unknown" },
  "::1": { address: "::1", name: "unknown" },
  "2001:db8::5": { address: "2001:db8::5", name: "unknown" },
  "::ffff:10.1.2.3": { address: "::ffff:10.1.2.3", name: "unknown" },
  "unknown@10.1.2.3": { address: "10.1.2.3", name: "unknown" },
  localhost: { address: "127.0.0.1", name: "localhost" },
  "mx.example.org": { address: "10.1.2.3", name: "mx.example.org" },
  local1: { address: "10.1.2.9", name: "local1" },
  "Mixed.Example.COM": { address: "192.0.2.77", name: "Mixed.Example.COM" },
  "six.example.org": { address: "2001:db8::5", name: "six.example.org" },
  "numeric.example": { address: "10.9.9.9", name: "paranoid" },
  paranoid: { address: "unknown", name: "paranoid" },
  unknown: { address: "unknown", name: "unknown" },
};

/** The daemon argument of tcpdmatch, and our end. The tool gives a server that is named the port 0. */
export const SERVERS: Readonly<Record<string, ServerEnd | null>> = {
  "clamav-milter": null,
  "clamav-milter@10.0.0.1": { address: "10.0.0.1", port: 0 },
  "clamav-milter@mx.example.org": { address: "10.1.2.3", name: "mx.example.org", port: 0 },
};

const CLIENT_PATTERNS =
  `ALL all LOCAL KNOWN UNKNOWN PARANOID Unknown .example.org .ORG .com mx.example.org MX.Example.Org
  mx. 10. 10.1. 10.1.2. 192.0.2. 203. 10.1.2.3 10.1.2.9 127.0.0.1 172.16.5.4 localhost local1 mixed.example.com .local1 . ..
  10.1.2.0/24 10.1.2.0/255.255.255.0 10.1.2.3/32 10.1.2.3/24 0.0.0.0/0 0.0.0.0/0.0.0.0 10.0.0.0/8 10.0.0.0/255.0.0.0
  172.16.0.0/12 128.0.0.0/1 10.0.0.3/255.0.0.255 0x0a.1.2.0/24 012.1.2.0/030 10.1.2.3/255.255.255.255 10.1.2/24
  10.1.2.0/ 10.1.2.0/x 10.1.2.0/24x 10.1.2.0/33 10.1.2.0/-1 255.255.255.255 10.1.2 10.1.2.03 /24
  [::1] [::1]/128 [::1]/129 [::]/0 [2001:db8::]/32 [2001:DB8:0::5] [2001:db8::4]/127 [2001:db8::6]/127 [fe80::]/10
  [::ffff:10.1.2.3] [::ffff:0:0]/96 [10.1.2.3] [2001:db8::5 2001:db8::5 2001:db8::5] [2001:db8::]/x [2001:db8::00005]
  * ?* ** *.example.org 10.1.?.* m?.example.* *.2.3 [2001* *:5 *n* un* mx.example.org** mx.example.org* ?????? .ex*le.org
  @trusted # in.ftpd *.*.*.* l?cal?`.split(/\s+/);

const DAEMON_PATTERNS =
  `clamav-milter clamav-milter clamav-milter ALL ALL CLAMAV-Milter clamav-* c?amav-milter KNOWN UNKNOWN
  in.ftpd sshd smtp portmap LOCAL .milter clamav- clamav. 0 25 +0 70000 clamav-milter@10.0.0.1 ALL@10. ALL@LOCAL ALL@KNOWN
  clamav-milter@mx.example.org clamav-milter@UNKNOWN ALL@.example.org in.ftpd@ALL ALL@[::1] ALL@10.1.2.0/24 0@ALL
  clamav-milter@ @clamav-milter * [ALL]`.split(/\s+/);

const USERS = ["ALL", "UNKNOWN", "unknown", "KNOWN", "root", "unk*", "*", "PARANOID", "LOCAL", ".nown", "25"];

/** Options that mean the same to both sides; the test of options tells about the others. */
const OPTIONS =
  `allow|deny|ALLOW|Deny|allow|deny|severity mail.info|severity=notice|severity MAIL.Debug|severity nonsense|
severity mail.nonsense|spawn (/bin/false %h) &|spawn = a\\:b|spawn|twist /bin/false %a|twist|keepalive|keepalive 1|linger 5|
linger -1|linger|rfc931|rfc931 5|rfc931 0|nice|nice 3|nice x|umask 022|umask 999|umask = 77|umask|setenv A B|setenv A=B|
setenv A|banners /nonexistent|banners|bogus|permit|allow now|deny=|= allow||/usr/bin/safe_finger -l @%h|allow\\:deny|NICE`
    .split("|")
    .map((option) => option.trim());

/** One pair of tables. */
export interface RandomPair {
  readonly allow: string;
  readonly deny: string;
}

/** A source of chance that gives the same for the same seed. */
export function makeChance(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const pick = <T>(from: readonly T[]): T => {
    const one = from[below(from.length)];
    if (one === undefined) throw new Error("nothing to pick from");
    return one;
  };
  return { below, pick, happens: (share: number): boolean => next() < share };
}

export type Chance = ReturnType<typeof makeChance>;

/** Makes tables out of everything that hosts_access(5) and hosts_options(5) describe, right and wrong. */
export function randomPair(chance: Chance, files: readonly string[]): RandomPair {
  return { allow: randomTable(chance, files), deny: randomTable(chance, files) };
}

function randomTable(chance: Chance, files: readonly string[]): string {
  const lines = Array.from({ length: chance.below(6) }, () => randomLine(chance, files));
  const text = lines.map((line) => `${line}${chance.happens(0.05) ? "\r\n" : "\n"}`).join("");
  return chance.happens(0.04) ? text.slice(0, -1) : text;
}

function randomLine(chance: Chance, files: readonly string[]): string {
  if (chance.happens(0.06)) return `# ALL: ALL${chance.happens(0.3) ? " \\" : ""}`;
  if (chance.happens(0.04))
    return chance.pick(["", "   \t", "  # indented", "clamav-milter ALL", ":", "::", "\\"]);
  if (chance.happens(0.01)) return `in.ftpd: ${"10.1.2.3,".repeat(chance.pick([100, 226, 230]))}`;
  const colon = (): string => chance.pick([":", ": ", " : ", "\t:"]);
  const daemons = randomList(chance, () => chance.pick(DAEMON_PATTERNS));
  const clients = randomList(chance, () => randomClient(chance, files));
  const count = chance.happens(0.4) ? 1 + chance.below(3) : 0;
  const options = Array.from({ length: count }, () => colon() + chance.pick(OPTIONS));
  return broken(chance, `${daemons}${colon()}${clients}${options.join("")}`);
}

/** Breaks a line into continued lines, at any place. */
function broken(chance: Chance, line: string): string {
  if (!chance.happens(0.25)) return line;
  const at = chance.below(line.length);
  return `${line.slice(0, at)}\\\n${broken(chance, line.slice(at))}`;
}

function randomList(chance: Chance, element: () => string, depth = 0): string {
  const count = 1 + chance.below(depth === 0 ? 4 : 2);
  const elements = Array.from({ length: count }, element);
  const list = elements.reduce((text, one) => text + chance.pick([" ", ", ", ",", "\t", "  "]) + one);
  if (depth > 2 || !chance.happens(0.3)) return list;
  const except = chance.pick(["EXCEPT", "EXCEPT", "except"]);
  return `${list} ${except} ${randomList(chance, element, depth + 1)}`;
}

function randomClient(chance: Chance, files: readonly string[]): string {
  const host = chance.happens(0.08) ? chance.pick(files) : randomHost(chance);
  return chance.happens(0.12) ? `${chance.pick(USERS)}@${host}` : host;
}

/** A host pattern, as it stands or as it may be written in a `/file`. */
export function randomHost(chance: Chance): string {
  if (chance.happens(0.6)) return chance.pick(CLIENT_PATTERNS);
  const { address, name } = chance.pick(Object.values(CLIENTS));
  if (chance.happens(0.3)) return withWildcard(chance, chance.happens(0.5) ? address : name);
  if (address.includes(":")) return `[${address}]/${chance.below(131)}`;
  const bytes = address.split(".").map(Number);
  const length = chance.below(34);
  const masks = Array.from(
    { length: 4 },
    (_, at) => 256 - 2 ** (8 - Math.min(Math.max(length - at * 8, 0), 8)),
  );
  const net = chance.happens(0.9) ? bytes.map((byte, at) => byte & (masks[at] ?? 0)) : bytes;
  return `${net.join(".")}/${chance.happens(0.5) ? length : masks.join(".")}`;
}

function withWildcard(chance: Chance, text: string): string {
  const from = chance.below(text.length);
  const to = from + chance.below(text.length - from + 1);
  return text.slice(0, from) + chance.pick(["*", "?", "**", "*?", "?*"]) + text.slice(to);
}
