import { mailableAddress } from "../../../src/notify/safe-text.ts";
import { leadsToNull } from "../../../src/policy/black-hole.ts";
import { bareAddress, domainOf, headerDomains } from "../../../src/policy/mail-address.ts";
import { canonicalAddress, parseNetworks } from "../../../src/policy/networks.ts";
import { isListed, parseWhitelist } from "../../../src/policy/whitelist.ts";
import { authorOf } from "../../../src/response/author.ts";
import type { Chance } from "../chance.ts";
import { BETWEEN, binary, bytesOf, must, mustEqual, size, type Target, textsOf } from "../target.ts";

const ADDRESSES: readonly string[] = [
  ...'<a@b.example>|A@B.Example|<>|<postmaster>|"a b"@c.example|<gr\xc3\xa0@b.example>|<b@\xc3\xa0>|\xa0<a@b>\xa0'.split(
    "|",
  ),
  ..."<@r.example:a@b.example>|a@[192.0.2.1]|a@b.example.|Name <a@b.example>|(c) a@b|a@b (c (d) e)|a @ b . c".split(
    "|",
  ),
];
const PREFIXES = ["", "", "To:", "From:", "from :", "#", ":", "!", "Cc:", "to\t:"];

function lineOf(chance: Chance): string {
  const address = chance.happens(0.8)
    ? chance.pick(ADDRESSES)
    : chance.text('ab@.<>"()\\,;: \xa0\xc3', chance.length(80));
  return `${chance.pick(PREFIXES)}${address}${chance.pick(["", "\r", " "])}`;
}

const DICTIONARY = [...ADDRESSES, ...PREFIXES, "\n", "@", "<", ">", "(", ")", '"', "\\", "  ", "\t", BETWEEN];

const whitelist: Target = {
  name: "whitelist",
  about: "a whitelist file, and an address that may be on it",
  dictionary: DICTIONARY,
  largest: 20_000,
  generate: (chance) =>
    bytesOf([lineOf(chance), chance.several(9, () => `${lineOf(chance)}\n`).join("")].join(BETWEEN)),
  run(input) {
    const [asked = "", file = ""] = textsOf(input, 2);
    const { from, to, faults } = parseWhitelist(file);
    for (const entry of [...from, ...to]) {
      mustEqual(bareAddress(entry), entry, "an entry is not as it is compared");
      must(
        entry !== "" && entry.length <= 320 && !/[<>\s]/.test(entry.replaceAll("\xa0", "")),
        "an entry is no address",
      );
      const list = new Set([entry]);
      must(isListed(list, [`<${entry}>`]), "an address is not listed under itself");
      const other = entry.replaceAll(/[\x80-\xff]/g, (byte) =>
        String.fromCharCode(byte.charCodeAt(0) ^ 0x20),
      );
      must(other === entry || !isListed(list, [other]), "an address is listed under another one's name");
    }
    const listed = isListed(new Set(to), [asked]);
    if (listed)
      must(
        file.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase()).includes(bareAddress(asked)),
        "listed, though nobody wrote it",
      );
    return `${size(from.length)} ${size(to.length)} ${size(faults.length)} ${listed}`;
  },
};

const author: Target = {
  name: "mail-addresses",
  about: "addresses of the envelope, of From: and Sender: lines, and what sendmail makes of them",
  dictionary: [
    ...DICTIONARY,
    "/dev/null... deliverable: mailer *file*, user /dev/null\n",
    "192.0.2.1",
    "IPv6:::1",
    "[",
    "]",
    "%eth0",
    "/8",
  ],
  largest: 66_000,
  generate: (chance) =>
    bytesOf(chance.several(4, () => lineOf(chance)).join(chance.pick([",", " ", "\r\n ", ";"]))),
  run(input) {
    const text = binary(input);
    const domains = headerDomains(text);
    for (const domain of domains) must(!/[\s@<>,;]/.test(domain), "a domain is none");
    const one = authorOf([text]);
    if (one !== null) {
      must(/^[^\s<>,;:@"]+@[\w.-]+$/.test(one), "an author is no address");
      must(domains.includes(domainOf(one) ?? ""), "the author's domain is not one of the header's");
    }
    const mailable = mailableAddress(text);
    if (mailable !== null)
      must(/^[^\s<>,;:|/"()-][^\s<>,;:|"()]*(@\[[0-9A-Fa-f:.]+\])?$/.test(mailable), "not mailable");
    if (leadsToNull(text)) must(text.replaceAll(/\s/g, "").startsWith("/dev/null..."), "not to /dev/null");
    const address = canonicalAddress("inet", text);
    if (address !== "") {
      mustEqual(canonicalAddress("inet6", address), address, "an address is not in its one form");
      parseNetworks([`${address}/32`]);
    }
    return `${size(domains.length)} ${one === null} ${mailable === null} ${address === ""}`;
  },
};

export const LIST_TARGETS: readonly Target[] = [whitelist, author];
