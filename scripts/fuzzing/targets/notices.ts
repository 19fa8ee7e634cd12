import PostalMime from "postal-mime";
import { composeDigest, nothingOmitted, omitting } from "../../../src/notify/digest.ts";
import type { Incident, NoticeRules } from "../../../src/notify/incident.ts";
import { SITUATIONS } from "../../../src/notify/incident.ts";
import { composeNotice } from "../../../src/notify/notice.ts";
import { shownHeader } from "../../../src/notify/notice-text.ts";
import { noticeRecipients } from "../../../src/notify/recipients.ts";
import { composeReport } from "../../../src/notify/report.ts";
import { mailableAddress } from "../../../src/notify/safe-text.ts";
import { expandTemplate, macrosOf, wantsHeaders } from "../../../src/notify/template.ts";
import { parseTemplateHeaders, TemplateHeadersError } from "../../../src/notify/template-headers.ts";
import type { Chance } from "../chance.ts";
import { chanceOf } from "../pieces.ts";
import { BETWEEN, bytesOf, must, mustEqual, outcomeOf, size, type Target, textsOf } from "../target.ts";
import { HOSTILE, hostileText } from "./log.ts";

const STAMP = { time: 1_790_000_000_000, token: "k7", host: "filter.example" };

function incidentOf(
  [queueId = "", sender = "", one = "", two = "", name = "", words = ""]: readonly string[],
  situation: Incident["situation"],
): Incident {
  return {
    situation,
    queueId,
    sender,
    recipients: [one, two],
    recipientCount: 9,
    names: [name, queueId],
    clientHost: words,
    clientAddress: two,
    clientWords: words,
    origin: words,
    mtaHost: one,
    macros: { i: queueId, j: name },
  };
}

/** Every line of the header is a field or goes on with one, and no name stands twice. Answers the fields. */
function mustBeMail(bytes: Buffer): ReadonlyMap<string, string> {
  const text = bytes.toString("latin1");
  must(!/[\0\r]/.test(text), "a mail with NUL or CR");
  const head = text.slice(0, text.indexOf("\n\n"));
  const fields = new Map<string, string>();
  for (const line of head.replaceAll(/\n[ \t]+(?=\S)/g, " ").split("\n")) {
    const [, name = "", value = ""] = /^([!-9;-~]+): ?(.*)$/.exec(line) ?? [];
    must(name !== "", `a header line is none: ${line.slice(0, 60)}`);
    must(!fields.has(name.toLowerCase()), `${name} stands twice`);
    fields.set(name.toLowerCase(), value);
  }
  for (const line of text.split("\n")) must(line.length <= 998, `a line of ${line.length} characters`);
  for (const name of ["from", "to", "subject", "date", "message-id"]) must(fields.has(name), `no ${name}`);
  return fields;
}

const KNOWN = new Set(
  "from to cc subject date message-id auto-submitted mime-version content-type content-transfer-encoding x-infected-received-from".split(
    " ",
  ),
);

function mustBeOurs(fields: ReadonlyMap<string, string>, more: readonly string[] = []): void {
  for (const name of fields.keys())
    must(KNOWN.has(name) || more.includes(name), `a field ${name} of somebody else`);
  const addresses = [fields.get("to"), fields.get("cc")].flatMap((list) => list?.split(/,\s*/) ?? []);
  for (const address of addresses) must(mailableAddress(address) === address, "mail to what is no address");
}

const notices: Target = {
  name: "notices",
  about: "notices, digests and reports about mail with such texts, read by a mail parser",
  dictionary: [...HOSTILE, BETWEEN, "<bob@lab.example>", "mail.lab.example", "Name <a@b.example>"],
  largest: 30_000,
  generate(chance) {
    const text = (): string => (chance.happens(0.3) ? "<bob@lab.example>" : hostileText(chance));
    return bytesOf(Array.from({ length: 8 }, text).join(BETWEEN));
  },
  async run(input) {
    const [from = "", ...texts] = textsOf(input, 8);
    const chance = chanceOf(input);
    const incident = incidentOf(texts, chance.pick(SITUATIONS));
    const rules: NoticeRules = {
      from: chance.pick([from, "", "MAILER-DAEMON"]),
      bounce: chance.happens(0.5),
      headers: true,
      postmaster: "postmaster",
      postmasterOnly: chance.happens(0.3),
    };
    const message = Buffer.from(texts.join("\r\n"), "latin1");
    const facts = { keptAs: chance.happens(0.5) ? from : null, header: shownHeader(message) };
    const to = noticeRecipients(rules, incident);
    const notice = composeNotice(incident, to, rules, facts, null, STAMP);
    mustBeOurs(mustBeMail(notice.bytes));
    const report = composeReport("phish", incident, "abuse@lab.example", rules, message, STAMP);
    mustBeOurs(mustBeMail(report.bytes));
    const omitted = omitting(nothingOmitted(0), incident.names, incident.queueId, 0);
    mustBeOurs(mustBeMail(composeDigest(omitted, rules, STAMP).bytes));
    const read = await PostalMime.parse(report.bytes, { forceRfc822Attachments: true });
    must(read.attachments.length === 1, `a report with ${read.attachments.length} attachments`);
    const content = read.attachments[0]?.content ?? "";
    const attached =
      typeof content === "string" ? content : Buffer.from(new Uint8Array(content)).toString("latin1");
    mustEqual(
      attached.replaceAll("\r\n", "\n").trimEnd(),
      Buffer.from(message).toString("latin1").replaceAll("\r\n", "\n").trimEnd(),
      "a report with another message",
    );
    return `${to.to.length} ${to.cc.length} ${size(notice.bytes.length)} ${read.attachments[0]?.mimeType}`;
  },
};

const TEMPLATES: readonly string[] = [
  ..."%v|%h|%%|%|$i$|$$|$x$|\\$|\\%v|\\|$$|Dear $i$,\n%v\n|%q|{$j}$|\xc3\xbc|\r\n".split("|"),
  "$" + "{i}$",
];
const HEADER_LINES: readonly string[] = [
  ..."Subject: x|X-A: b|Content-Type: text/plain; charset=iso-8859-1|\tfolded|To: x|Bcc: y|Resent-To: z|X-ClamAV-Milter-Code: 1||no".split(
    "|",
  ),
];

const templates: Target = {
  name: "notice-templates",
  about: "a template of notices and its header lines, and what comes of them",
  dictionary: [...TEMPLATES, ...HEADER_LINES, ...HOSTILE, BETWEEN, "\n", "charset=utf-8"],
  largest: 30_000,
  generate(chance: Chance) {
    const template = chance.several(6, () => chance.pick(TEMPLATES)).join("");
    const header = chance.several(3, () => chance.pick(HEADER_LINES)).join(chance.pick(["\n", "\r\n"]));
    return bytesOf([hostileText(chance), header, template].join(BETWEEN));
  },
  run(input) {
    const [value = "", header = "", template = ""] = textsOf(input, 3);
    const { value: fields, code } = outcomeOf(() => parseTemplateHeaders(header), TemplateHeadersError);
    const macros = macrosOf(template);
    must(
      macros.length <= 64 && macros.every((name) => /^[\w.-]{1,64}$/.test(name)),
      "a macro without a name",
    );
    let asked = 0;
    const values = { virus: "<V>", headers: "<H>", macro: () => (asked++ % 2 === 0 ? "%v$i$" : null) };
    const { text, complaints } = expandTemplate(template, values);
    must(text.includes("<H>") || !wantsHeaders(template), "a template that wants headers has none");
    must(complaints.length <= template.length, "more complaints than there are signs");
    if (fields === null) return code;
    const incident = incidentOf([value, "<a@b.example>", "<c@d.example>", "", value, value], "refused");
    const rules: NoticeRules = {
      from: "",
      bounce: false,
      headers: false,
      postmaster: "postmaster",
      postmasterOnly: false,
    };
    const facts = { keptAs: null, header: shownHeader(bytesOf(value)) };
    const to = noticeRecipients(rules, incident);
    const { bytes } = composeNotice(incident, to, rules, facts, { text: template, fields }, STAMP);
    const names = fields.map(([name]) => name.toLowerCase());
    // What an administrator writes twice, or in another encoding, stands as it was written.
    if (
      new Set(names).size === names.length &&
      !names.includes("content-transfer-encoding") &&
      header.length < 900
    )
      mustBeOurs(mustBeMail(bytes), names);
    return `${fields.length} ${macros.length} ${complaints.length} ${size(text.length)}`;
  },
};

export const NOTICE_TARGETS: readonly Target[] = [notices, templates];
