import type { MacroStageName } from "../../src/milter/codes.ts";
import { Step } from "../../src/milter/codes.ts";
import type { MtaCommand } from "../../src/milter/commands.ts";
import { encodeCommand } from "../../src/milter/mta-codec.ts";
import type { BenchMail } from "./corpus.ts";
import { layOut, type Part, PLACE, placesIn, type WireFrame } from "./stretches.ts";

/** What was agreed on with the filter. */
export interface Agreed {
  readonly steps: number;
  readonly macros: ReadonlyMap<MacroStageName, string>;
}

/** A mail as it is sent: a small part that is unlike in each message, and all the rest, which is not. */
export interface MailParts {
  readonly head: Part;
  /** Where the message's number goes in the head. */
  readonly places: readonly number[];
  readonly tail: Part;
}

type Kind = MtaCommand["kind"];

const CHUNK = 65_535;
/** For each command: the step bit that leaves it out, and the one that leaves its answer out. */
const BITS: Readonly<Partial<Record<Kind, readonly [omitted: number, unanswered: number]>>> = {
  connect: [Step.noConnect, Step.noReplyConnect],
  helo: [Step.noHelo, Step.noReplyHelo],
  mail: [Step.noMail, Step.noReplyMail],
  rcpt: [Step.noRcpt, Step.noReplyRcpt],
  data: [Step.noData, Step.noReplyData],
  header: [Step.noHeaders, Step.noReplyHeader],
  endOfHeaders: [Step.noEndOfHeaders, Step.noReplyEndOfHeaders],
  body: [Step.noBody, Step.noReplyBody],
};
/** sendmail's own macro lists, for a filter that names none. */
const USUAL_MACROS: Readonly<Record<MacroStageName, string>> = {
  connect: "j _ {daemon_name} {if_name} {if_addr} v",
  helo: "",
  mail: "i {mail_mailer} {mail_host} {mail_addr}",
  rcpt: "{rcpt_mailer} {rcpt_host} {rcpt_addr}",
  data: "",
  endOfMessage: "i {msg_id}",
  endOfHeaders: "",
};
const HOST = "mx7.example.net";
const MACRO_VALUES: Readonly<Record<string, string>> = {
  j: "mail.example.org",
  "{daemon_name}": "MTA",
  "{if_name}": "mail.example.org",
  "{if_addr}": "198.51.100.25",
  v: "8.18.1",
  "{mail_mailer}": "esmtp",
  "{mail_host}": "example.net.",
  "{mail_addr}": "ada@example.net",
  "{rcpt_mailer}": "esmtp",
  "{rcpt_host}": "example.org.",
  "{rcpt_addr}": "ben@example.org",
  "{msg_id}": "<bench@example.net>",
  "{client_name}": HOST,
};

/** CONNECT and HELO. @param client the SMTP client's IPv4 address */
export function sessionPart(agreed: Agreed, client: string): Part {
  const values = { _: `${HOST} [${client}]`, "{client_addr}": client };
  const connect: MtaCommand = { kind: "connect", host: HOST, family: "inet", port: 45123, address: client };
  const commands = [connect, { kind: "helo", name: HOST }] as const;
  return layOut([
    ...framed(agreed, "connect", commands[0], values),
    ...framed(agreed, "helo", commands[1], values),
  ]);
}

/** Everything of a mail, with place for a number in its queue id and in a header field of its own. */
export function mailParts(agreed: Agreed, mail: BenchMail): MailParts {
  const size =
    mail.headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 2) + mail.body.length;
  const sender: MtaCommand = { kind: "mail", sender: "<ada@example.net>", parameters: [`SIZE=${size}`] };
  const recipient: MtaCommand = { kind: "rcpt", recipient: "<ben@example.org>", parameters: [] };
  const head = layOut([
    ...framed(agreed, "mail", sender, { i: PLACE }),
    ...framed(agreed, "rcpt", recipient, {}),
    ...framed(agreed, "data", { kind: "data" }, {}),
    // Behind the first field: clamd tells a mail by how it begins.
    ...headerFrames(agreed, [...mail.headers.slice(0, 1), ["X-Bench-Number", PLACE]]),
  ]);
  const tail = layOut([
    ...headerFrames(agreed, mail.headers.slice(1)),
    ...framed(agreed, "endOfHeaders", { kind: "endOfHeaders" }, {}),
    ...bodyFrames(agreed, mail.body),
    ...framed(agreed, "endOfMessage", { kind: "endOfBody", bytes: new Uint8Array(0) }, { i: "q0bench" }),
  ]);
  return { head, places: placesIn(head.bytes), tail };
}

/** The command with the macros that the filter wants in front of it; nothing when the filter does without it. */
function framed(
  agreed: Agreed,
  stage: MacroStageName,
  command: MtaCommand,
  values: Readonly<Record<string, string>>,
): WireFrame[] {
  const frame = commandFrame(agreed, command);
  if (frame === null) return [];
  const names = (agreed.macros.get(stage) ?? USUAL_MACROS[stage]).split(/[ ,]+/);
  const pairs = names.flatMap((name): [string, string][] => {
    const value = values[name] ?? MACRO_VALUES[name];
    return value === undefined ? [] : [[name, value]];
  });
  if (pairs.length === 0) return [frame];
  const bytes = encodeCommand({ kind: "macro", stage, pairs });
  return [{ bytes, stage: frame.stage, answered: false }, frame];
}

function commandFrame(agreed: Agreed, command: MtaCommand): WireFrame | null {
  const [omitted, unanswered] = BITS[command.kind] ?? [0, 0];
  if ((agreed.steps & omitted) !== 0) return null;
  const bytes = encodeCommand(command);
  return { bytes, stage: bytes[4] ?? 0, answered: (agreed.steps & unanswered) === 0 };
}

function headerFrames(agreed: Agreed, headers: readonly (readonly [string, string])[]): WireFrame[] {
  const space = (agreed.steps & Step.headerLeadingSpace) !== 0 ? " " : "";
  return headers.flatMap(([name, value]) => {
    // Inside of a milter frame a folded line ends with LF.
    const frame = commandFrame(agreed, {
      kind: "header",
      name,
      value: space + value.replaceAll("\r\n", "\n"),
    });
    return frame === null ? [] : [frame];
  });
}

function bodyFrames(agreed: Agreed, body: Buffer): WireFrame[] {
  const frames: WireFrame[] = [];
  for (let at = 0; at < body.length; at += CHUNK) {
    const frame = commandFrame(agreed, { kind: "body", bytes: body.subarray(at, at + CHUNK) });
    if (frame !== null) frames.push(frame);
  }
  return frames;
}
