import PostalMime from "postal-mime";
import { signMessage } from "../../../src/signature/sign-message.ts";
import { type Part, partsOf } from "../../../src/signature/structure.ts";
import type { Chance } from "../chance.ts";
import { binary, bytesOf, must, mustEqual, size, type Target } from "../target.ts";

/** Nothing else has it in it. */
const MARK = "Scanned-42-times";
const SIGNATURE = `-- \n${MARK} <&> gr\u00fc\u00dfe\n`;

const TYPES: readonly string[] = [
  ..."text/plain|text/html|TEXT/Plain|text/calendar|image/png|application/pdf|message/rfc822|text/plain; charset=utf-8".split(
    "|",
  ),
  ..."text/plain; charset=iso-8859-1|text/html; charset=windows-1252|text/plain; charset=utf-16|text/plain (a)".split(
    "|",
  ),
  ..."multipart/signed|application/pkcs7-mime|message/partial|text/plain; charset*0=u; charset*1=tf-8".split(
    "|",
  ),
  ...'text/plain; charset="gb2312"; format=flowed|text/html; charset=shift_jis|x|text/|'.split("|"),
];
const ENCODINGS: readonly string[] = [
  ..."7bit|8bit|binary|quoted-printable|base64|BASE64|Quoted-Printable (x)|x-uuencode|base64;|".split("|"),
];
const CONTENTS: readonly string[] = [
  ..."Hello|Hello\r\n|gr\xc3\xbc\xc3\x9fe\r\n|a=20b=\r\nc\r\n|a=\r\n|SGVsbG8=\r\n|SGVsbG8|=3D=|<html><body>x</body></html>\r\n".split(
    "|",
  ),
  ..."<p>x</BODY ></HTML>|</bo=\r\ndy>|=3C/body=3E|PGh0bWw+PC9ib2R5Pg==|--b\r\n|--b--\r\n|-----BEGIN PGP MESSAGE-----|".split(
    "|",
  ),
  ..."line\nline\n|a\rb|\r\n\r\n|Subject: inner\r\n\r\ntext\r\n|=\t \r\n|.\r\n|\xff\xfe".split("|"),
];
const LINES: readonly string[] = [
  ..."Subject: x|MIME-Version: 1.0|DKIM-Signature: v=1|Content-MD5: x|Content-Disposition: attachment; filename=x".split(
    "|",
  ),
  ..."Content-Disposition: inline|X-A: b\r\n\tc|Content-Type: text/plain|content-transfer-encoding: base64|no colon|From: a".split(
    "|",
  ),
];

function someContent(chance: Chance): string {
  return chance.several(4, () => chance.pick(CONTENTS)).join("");
}

function someEntity(chance: Chance, depth: number): string {
  const lines = chance.several(2, () => chance.pick(LINES)).filter(() => chance.happens(0.5));
  if (depth > 0 && chance.happens(0.6)) {
    const boundary = chance.pick(["b", "b", "bb", "=_x", "a b", "--b", `b${depth}`]);
    const kind = chance.pick(["mixed", "alternative", "alternative", "related", "digest", "signed", "x"]);
    const quoted = chance.happens(0.7) ? `"${boundary}"` : boundary;
    lines.push(`Content-Type: multipart/${kind}${chance.pick(["; ", ";\r\n\t", ";"])}boundary=${quoted}`);
    const parts = Array.from({ length: 1 + chance.below(3) }, () => someEntity(chance, depth - 1));
    const begin = parts.map((part) => `--${boundary}${chance.pick(["", "", "", " ", "\t"])}\r\n${part}`);
    const end = `${chance.pick(["\r\n", "\r\n", "\n"])}--${boundary}${chance.happens(0.95) ? "--" : ""}`;
    const front = chance.pick(["", "", "preamble\r\n"]);
    return `${lines.join("\r\n")}\r\n\r\n${front}${begin.join("\r\n")}${end}${chance.pick(["\r\n", "", "\r\nepilogue"])}`;
  }
  if (chance.happens(0.8)) lines.push(`Content-Type: ${chance.pick(TYPES)}`);
  if (chance.happens(0.7)) lines.push(`Content-Transfer-Encoding: ${chance.pick(ENCODINGS)}`);
  return `${[...lines, ""].join("\r\n")}\r\n${someContent(chance)}`;
}

/** A part's place in the tree, without where it is. */
function outlined(part: Part): unknown {
  return [part.type, part.encoding, part.disposition, [...part.fields], part.parts.map(outlined)];
}

function leavesOf(part: Part): Part[] {
  return part.parts.length === 0 ? [part] : part.parts.flatMap(leavesOf);
}

function times(text: string): number {
  return text.split(MARK).length - 1;
}

/** Of the same tree one leaf, or two, have another content; around them every byte is as it was. */
function mustKeepTheRest(before: string, after: string): number {
  const [old, now] = [partsOf(before), partsOf(after)];
  mustEqual(outlined(now), outlined(old), "the structure is another");
  const others = leavesOf(now);
  let oldAt = 0;
  let nowAt = 0;
  let changed = 0;
  for (const [at, leaf] of leavesOf(old).entries()) {
    const other = others[at];
    must(other !== undefined, "a part is gone");
    mustEqual(
      after.slice(nowAt, other.start),
      before.slice(oldAt, leaf.start),
      "what is around parts is another",
    );
    if (after.slice(other.start, other.end) !== before.slice(leaf.start, leaf.end)) changed++;
    [oldAt, nowAt] = [leaf.end, other.end];
  }
  mustEqual(after.slice(nowAt), before.slice(oldAt), "what follows is another");
  must(changed === 1 || changed === 2, `${changed} parts were signed`);
  return changed;
}

async function mustBeReadAlike(before: Uint8Array, after: Uint8Array, changed: number): Promise<void> {
  const [old, now] = await Promise.all([before, after].map((bytes) => PostalMime.parse(bytes)));
  must(old !== undefined && now !== undefined, "nothing is read");
  mustEqual(now.headers, old.headers, "a reader sees other headers");
  const contents = [old, now].map(({ attachments }) =>
    attachments.map(({ content, mimeType }) => [
      mimeType,
      typeof content === "string" ? content : new Uint8Array(content),
    ]),
  );
  mustEqual(contents[1], contents[0], "a reader sees other attachments");
  const shown = [old, now].map(({ text = "", html = "" }) => times(text) + times(html));
  const more = (shown[1] ?? 0) - (shown[0] ?? 0);
  must(more >= 1, "a reader does not see the signature");
  // Of a mail with one form only the reader may make the other one.
  must(more <= 2 * changed, `a reader sees the signature ${more} times`);
}

export const SIGNATURE_TARGETS: readonly Target[] = [
  {
    name: "mime-signature",
    about: "a whole message that gets a signature, and is then read by another MIME parser",
    dictionary: [
      ...LINES,
      ...CONTENTS,
      ...ENCODINGS,
      ...TYPES,
      "\r\n--b\r\n",
      "\r\n--b--",
      "\r\n\r\n",
      "boundary=",
      "--",
      "\r\n ",
    ],
    largest: 60_000,
    generate: (chance) => bytesOf(someEntity(chance, 3)),
    async run(input) {
      const before = binary(input);
      const result = signMessage(input, SIGNATURE);
      if (result.kind === "unsigned") return result.reason.replace(/type .* that/, "type … that");
      const { start, type, encoding, parts } = partsOf(before);
      const after = before.slice(0, start) + binary(result.body);
      const changed = mustKeepTheRest(before, after);
      await mustBeReadAlike(input, bytesOf(after), changed);
      return `${type} ${encoding} ${size(parts.length)} ${changed}`;
    },
  },
];
