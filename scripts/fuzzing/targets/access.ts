import { parseAccessFile } from "../../../src/access/access-file.ts";
import { ipv6Groups, withoutMapping } from "../../../src/access/address.ts";
import { type AccessTables, accessNeedsName, decideAccess } from "../../../src/access/decide.ts";
import { accessDependencies } from "../../../src/access/dependencies.ts";
import { ruleWarnings } from "../../../src/access/rule-warnings.ts";
import { verifyName } from "../../../src/access/verified-name.ts";
import type { Chance } from "../chance.ts";
import { BETWEEN, bytesOf, must, mustEqual, type Target, textsOf } from "../target.ts";

const PATTERNS: readonly string[] = [
  ..."ALL|LOCAL|KNOWN|UNKNOWN|PARANOID|EXCEPT|clamav-milter|clamav-milter@10.0.0.1|7357|smtpd".split("|"),
  ..."10.|.example|10.0.0.0/255.0.0.0|10.0.0.0/8|[2001:db8::]/32|[::1]|*.example|m?.example|@group|/a|/b|/c".split(
    "|",
  ),
  ...'mx.example|192.0.2.1|0x0a.0.0.1|user@mx.example|***|?*|"|\\|[|]|-1|2001:db8::1'.split("|"),
];
const OPTIONS: readonly string[] = [
  ..."allow|deny|spawn (x)|twist x|severity mail.info|setenv A b|umask 022|linger 3|rfc931|nice|keepalive".split(
    "|",
  ),
  ..."banners /x|user x|group x|aclexec x|ALLOW|umask=9|: allow|x|".split("|"),
];
const ADDRESSES: readonly string[] = [
  ..."192.0.2.1|10.1.2.3|::1|2001:db8::7|::ffff:10.0.0.1|fe80::1%eth0|unknown|::ffff:0:0:1".split("|"),
];
const HOSTS: readonly string[] = ["mx.example", "unknown", "paranoid", "localhost", "MX.EXAMPLE.", "a"];

function rule(chance: Chance): string {
  if (chance.happens(0.05)) return chance.pick(["# remark", "", "\\", "no colon", "\0"]);
  const list = (): string =>
    Array.from({ length: 1 + chance.below(4) }, () =>
      chance.happens(0.9)
        ? chance.pick(PATTERNS)
        : chance.text("a.*?[]/:@0123456789abcdef", chance.length(60)),
    ).join(chance.pick([" ", ",", ", ", "\\\n "]));
  const options = chance.happens(0.4) ? ` : ${chance.pick(OPTIONS)}` : "";
  const daemon = chance.happens(0.6) ? chance.pick(["ALL", "clamav-milter"]) : list();
  return `${daemon}: ${list()}${options}`;
}

function table(chance: Chance): string {
  return chance.several(5, () => `${rule(chance)}\n`).join("");
}

const PATHS = ["/a", "/b", "/c"];

/** Has everything ready that the rules refer to, as the keeper does. */
function extrasFor(tables: AccessTables, contents: Readonly<Record<string, string>>) {
  const files: Record<string, string | null> = {};
  const both = [tables.allow, tables.deny];
  for (;;) {
    const wanted = both
      .flatMap((rules) => accessDependencies(rules, files).files)
      .filter((path) => !Object.hasOwn(files, path));
    if (wanted.length === 0) break;
    for (const path of wanted) files[path] = contents[path] ?? null;
  }
  const found = both.map((rules) => accessDependencies(rules, files));
  const names = found.flatMap(({ netgroups }) => netgroups);
  const netgroups = Object.fromEntries(names.map((name) => [name, ["mx.example"]]));
  return { extras: { files, netgroups }, needsName: found.some((each) => each.needsName) };
}

const rules: Target = {
  name: "access-rules",
  about: "hosts.allow, hosts.deny and the files they name, and who may connect by them",
  dictionary: [
    ...PATTERNS,
    ...OPTIONS,
    ...ADDRESSES,
    ...HOSTS,
    "\n",
    "\\\n",
    ":",
    "\\:",
    BETWEEN,
    " EXCEPT ",
  ],
  largest: 20_000,
  generate: (chance) =>
    bytesOf(
      [
        chance.pick(ADDRESSES),
        chance.pick(HOSTS),
        table(chance),
        table(chance),
        ...PATHS.map(() => chance.several(5, () => chance.pick(PATTERNS)).join(" ")),
      ].join(BETWEEN),
    ),
  run(input) {
    const [address = "", name = "", allow = "", deny = "", ...contents] = textsOf(input, 7);
    const tables = { allow: parseAccessFile(allow, "allow"), deny: parseAccessFile(deny, "deny") };
    const byPath = Object.fromEntries(PATHS.map((path, at) => [path, contents[at] ?? ""]));
    const { extras, needsName } = extrasFor(tables, byPath);
    const decision = decideAccess(tables, { address, name }, extras);
    must(decision.rule !== null || decision.granted, "denied by no rule");
    const blind = decision.warnings.some((text) => /cannot be read|are not known/.test(text));
    must(!blind, "a rule refers to what its dependencies do not name");
    const asks = accessNeedsName(tables, address, extras);
    if (!asks) {
      const other = decideAccess(tables, { address, name: "other.example" }, extras);
      mustEqual(other, decision, "the name matters, though it is not asked for");
    }
    must(needsName || !asks || readsName(tables), "a name is asked for that no pattern is for");
    mustDenyBlindly(tables, address, name);
    for (const text of [tables.allow, tables.deny].flatMap(ruleWarnings))
      must(text !== "", "an empty warning");
    const groups = ipv6Groups(withoutMapping(address));
    must(
      groups === null || (groups.length === 8 && groups.every((group) => group >= 0 && group < 65536)),
      "groups",
    );
    verifyName(name, [address, contents[0] ?? ""], address, contents[1] ?? null);
    const kinds = decision.warnings.map((text) => text.replaceAll(/"[^"]*"|\d+/g, "").slice(0, 40));
    return `${decision.granted} ${decision.rule?.slice(0, 6)} ${kinds} ${asks} ${tables.deny.broken !== null}`;
  },
};

/** Patterns for our own end can ask for our name. */
function readsName({ allow, deny }: AccessTables): boolean {
  return [...allow.rules, ...deny.rules].some(({ daemons }) => daemons.some((each) => each.includes("@")));
}

/** Without the files that rules name, nobody is let in who would not be with any of their contents. */
function mustDenyBlindly(tables: AccessTables, address: string, name: string): void {
  const decision = decideAccess(tables, { address, name });
  const unsure = decision.warnings.some((text) => /cannot be read|are not known/.test(text));
  if (unsure) must(!decision.granted, "granted by a rule that nobody can decide");
}

export const ACCESS_TARGETS: readonly Target[] = [rules];
