import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeEntry, encodeEntry } from "../../../src/keeper/outbox-entry.ts";
import { OwnMail } from "../../../src/keeper/own-mail.ts";
import type { Chance } from "../chance.ts";
import { BETWEEN, bytesOf, must, mustEqual, size, type Target, textsOf } from "../target.ts";

const NOW = 1_790_000_000_000;
const ID = "1.k7.clamav-milter@h.example";
const RECIPIENTS = ["a@b.example", "postmaster"];

function someEntry(chance: Chance): Uint8Array {
  const envelope = {
    recipients: chance.pick<unknown>([RECIPIENTS, [], [1], "x", null, [["a"]]]),
    messageId: chance.pick<unknown>([ID, 1, null]),
    title: chance.pick<unknown>(["notice about 4A", {}, ""]),
    created: chance.pick<unknown>([NOW, "1", -1, null]),
  };
  return Buffer.from(`${JSON.stringify(envelope)}\nFrom: a\n\n${chance.text("ab\n\0", 20)}`);
}

const entry: Target = {
  name: "outbox-entry",
  about: "a file of the outbox",
  dictionary: [
    '"recipients":["a"]',
    '"messageId":',
    '"title":"x"',
    '"created":1',
    "{",
    "}",
    "\n",
    "null",
    "1e999",
    "[]",
  ],
  largest: 5000,
  generate: someEntry,
  run(input) {
    const mail = decodeEntry(input);
    if (mail === null) return "none";
    must(Number.isFinite(mail.created), "a time that there is not");
    const again = decodeEntry(Buffer.concat(encodeEntry(mail, mail.created)));
    mustEqual(again, mail, "a mail does not come back");
    return `${size(mail.recipients.length)} ${size(mail.bytes.length)}`;
  },
};

/** Made when it is first needed: it is in a folder. */
let known: { readonly own: OwnMail; readonly code: string } | null = null;

function ownMail(): NonNullable<typeof known> {
  if (known !== null) return known;
  const folder = mkdtempSync(join(tmpdir(), "clamav-milter-fuzz-own-"));
  const own = new OwnMail(folder, () => NOW);
  known = { own, code: own.issue(ID, RECIPIENTS) };
  must(own.honour({ code: known.code, messageId: ID, recipients: RECIPIENTS }), "our own mail is not known");
  rmSync(folder, { recursive: true });
  return known;
}

const own: Target = {
  name: "own-mail",
  about: "the header that our own mail is known by, as somebody else may write it",
  dictionary: [ID, ...RECIPIENTS, `1 ${NOW.toString(36)}`, "<", ">", " ", "\r\n ", "A".repeat(16), BETWEEN],
  largest: 17_000,
  generate(chance) {
    const code = [`1 ${NOW.toString(36)}`, ...chance.several(5, () => chance.text("abcdEFG019-_", 16))].join(
      "\n ",
    );
    return bytesOf([code, chance.pick([ID, `<${ID}>`]), chance.pick(RECIPIENTS)].join(BETWEEN));
  },
  run(input) {
    const { own: mail, code } = ownMail();
    const [said = "", messageId = "", ...recipients] = textsOf(input, 5);
    must(!mail.honour({ code: said, messageId, recipients }), "somebody else's mail is taken for ours");
    // What was issued once is good once, whatever stands around it.
    must(
      !mail.honour({ code: `${code}\n ${said}`, messageId: ID, recipients: RECIPIENTS }),
      "a code is good twice",
    );
    return `${size(said.split(/\s+/).length)} ${size(messageId.length)} ${recipients.length}`;
  },
};

export const OUTBOX_TARGETS: readonly Target[] = [entry, own];
