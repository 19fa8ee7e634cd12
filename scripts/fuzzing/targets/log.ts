import { logLine } from "../../../src/log/render.ts";
import { oneLine, wireText } from "../../../src/log/text.ts";
import { WholeLines } from "../../../src/log/whole-lines.ts";
import { shown } from "../../../src/policy/decision.ts";
import { messageFields, messageLine } from "../../../src/response/log-line.ts";
import { policyFields, policyLine } from "../../../src/response/policy-line.ts";
import type { Chance } from "../chance.ts";
import { chanceOf } from "../pieces.ts";
import { BETWEEN, bytesOf, must, size, type Target, textsOf } from "../target.ts";

export const HOSTILE: readonly string[] = [
  ..."<a@b.example>|Eicar FOUND|\n|\r\n.\r\n|\0|\x1b[31m|\xe2\x80\xae|\xc2\x85|\xff|\"|\\|\\\\|' |\\x20| from=<x@y>| ms=1|=|,".split(
    "|",
  ),
  ...' client=h[1.2.3.4]| virus="x"|(and 9 more)|\xf0\x9f\x98\x80|\xc3|%s|$i$|=?UTF-8?B?eA==?=|<!--'.split(
    "|",
  ),
];

export function hostileText(chance: Chance): string {
  const parts = chance.several(5, () => chance.pick(HOSTILE));
  return parts.join("") + (chance.happens(0.1) ? chance.pick(HOSTILE).repeat(chance.length(2000)) : "");
}

const lines: Target = {
  name: "log-lines",
  about: "what the log tells of a message with such texts",
  dictionary: [...HOSTILE, BETWEEN],
  largest: 30_000,
  generate: (chance) => bytesOf(Array.from({ length: 6 }, () => hostileText(chance)).join(BETWEEN)),
  run(input) {
    const [queueId = "", sender = "", clientHost = "", name = "", ...recipients] = textsOf(input, 8);
    const client = { clientHost, clientAddress: "192.0.2.1" };
    const message = {
      queueId,
      sender,
      recipients,
      recipientCount: 9,
      ...client,
      size: 7,
      scan: { kind: "infected", names: [name, queueId], server: "s", version: "v" },
      outcome: "rejected",
      milliseconds: 3,
    } as const;
    const line = mustBeOneLine(messageLine(message));
    // Blanks of ours only: between keys, within the quotes of the names, and before what counts recipients.
    const shape =
      /^[^ ]*: rejected virus="(?:[^"\\]|\\.)*" from=[^ ]* to=[^ ]*( \(and \d more\))? client=[^ ]*\[192\.0\.2\.1\] size=7 server=s ms=3$/;
    must(shape.test(line), `a message's line has another form: ${line.slice(0, 120)}`);
    const policy = {
      queueId,
      outcome: "rejected",
      rule: "x",
      reason: `no: ${shown(name)}`,
      sender,
      ...client,
    } as const;
    const said = mustBeOneLine(policyLine(policy));
    must(
      /^[^ ]*: no: [^ "]* from=[^ ]* client=[^ ]*\[192\.0\.2\.1\]$/.test(said),
      "a decision's line has another form",
    );
    const speaker = { program: "clamav-milter", pid: 7 };
    for (const fields of [messageFields(message), policyFields(policy)]) {
      const json = logLine({ level: "info", text: line, fields }, new Date(0), "json", speaker);
      must(Buffer.byteLength(mustBeOneLine(json)) <= 4000, "a long line of JSON");
      must("event" in (JSON.parse(json) as object), "the fields of an event are lost");
    }
    must(wireText(name).isWellFormed(), "half a character");
    return `${size(line.length)} ${size(said.length)} ${size(oneLine(name).length)}`;
  },
};

function mustBeOneLine(line: string): string {
  must(!/[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/.test(line), "a control character in a log line");
  must(Buffer.byteLength(line) <= 4050, `a log line of ${Buffer.byteLength(line)} bytes`);
  return line;
}

const whole: Target = {
  name: "log-whole-lines",
  about: "lines to an output that takes what it likes",
  dictionary: ["\n", BETWEEN, "\0", "\xff"],
  largest: 3000,
  generate: (chance) => bytesOf(chance.text("\0\x01\x05\x20\xff\n", chance.length(200))),
  run(input) {
    const chance = chanceOf(input);
    let out = "";
    let calls = 0;
    const output = {
      write(bytes: Uint8Array): number {
        const room = input[calls++ % Math.max(1, input.length)] ?? 255;
        if (room === 0) throw new Error("EAGAIN");
        const taken = Math.min(bytes.length, room > 127 ? bytes.length : room);
        out += Buffer.from(bytes.subarray(0, taken)).toString("latin1");
        return taken;
      },
      close: () => {},
    };
    const written = new WholeLines(output, (lost) => `lost ${lost}`);
    const total = 30;
    for (let number = 0; number < total; number++)
      written.write(`line ${number} ${chance.text("x", chance.below(30))}`);
    const ended = out.split("\n");
    const rest = ended.pop() ?? "";
    must(
      ended.every((line) => /^(line \d+ x*|lost \d+)$/.test(line)),
      "a line is not whole",
    );
    must(/^(l?i?n?e?.*|lo?s?t?.*)$/.test(rest), "the rest is no beginning of a line");
    const numbers = ended.flatMap((line) => /^line (\d+)/.exec(line)?.[1] ?? []).map(Number);
    must(
      numbers.every((number, at) => at === 0 || number > (numbers[at - 1] ?? 0)),
      "lines are out of order",
    );
    const told = ended.flatMap((line) => /^lost (\d+)/.exec(line)?.[1] ?? []).map(Number);
    const lost = told.reduce((sum, count) => sum + count, 0) + written.lost;
    const open = rest === "" ? 0 : 1;
    // A note that is under way has told of some.
    if (rest.startsWith("l") && !rest.startsWith("li")) return "note";
    must(
      Math.abs(total - numbers.length - lost) <= 2 * open,
      "lines are neither written nor counted as lost",
    );
    return `${numbers.length} ${told.length} ${open}`;
  },
};

export const LOG_TARGETS: readonly Target[] = [lines, whole];
