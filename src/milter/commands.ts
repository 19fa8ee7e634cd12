import { readUint32 } from "../wire/uint32.ts";
import { Command, MacroStage, type MacroStageName } from "./codes.ts";
import type { Frame } from "./frame.ts";
import { MilterError } from "./milter-error.ts";

/** The address family of the SMTP client, by the letter of SMFIC_CONNECT. */
export type ClientFamily = "inet" | "inet6" | "unix" | "unknown";

/**
 * What an MTA says, decoded. Texts are "binary" strings, one character a byte: nothing on the wire promises
 * UTF-8, and what is written back must be the same bytes.
 */
export type MtaCommand =
  | { readonly kind: "abort" }
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  | {
      readonly kind: "connect";
      readonly host: string;
      readonly family: ClientFamily;
      readonly port: number;
      readonly address: string;
    }
  | {
      readonly kind: "macro";
      readonly stage: MacroStageName | null;
      readonly pairs: readonly [string, string][];
    }
  | { readonly kind: "endOfBody"; readonly bytes: Uint8Array }
  | { readonly kind: "helo"; readonly name: string }
  | { readonly kind: "quitNewConnexion" }
  | { readonly kind: "header"; readonly name: string; readonly value: string }
  | { readonly kind: "mail"; readonly sender: string; readonly parameters: readonly string[] }
  | { readonly kind: "endOfHeaders" }
  | { readonly kind: "negotiate"; readonly version: number; readonly actions: number; readonly steps: number }
  | { readonly kind: "quit" }
  | { readonly kind: "rcpt"; readonly recipient: string; readonly parameters: readonly string[] }
  | { readonly kind: "data" }
  | { readonly kind: "unknown"; readonly command: string };

const NEGOTIATION_BYTES = 12;
const FAMILY_INET = 0x34; // '4' SMFIA_INET
const FAMILY_INET6 = 0x36; // '6' SMFIA_INET6
const FAMILY_UNIX = 0x4c; // 'L' SMFIA_UNIX
const FAMILY_UNKNOWN = 0x55; // 'U' SMFIA_UNKNOWN

/** The stage whose macros come before each command. */
const STAGE_OF_COMMAND: ReadonlyMap<number, MacroStageName> = new Map([
  [Command.connect, "connect"],
  [Command.helo, "helo"],
  [Command.mail, "mail"],
  [Command.rcpt, "rcpt"],
  [Command.data, "data"],
  [Command.endOfHeaders, "endOfHeaders"],
  // Postfix announces the end-of-headers list before every header and the end-of-message list before every
  // chunk of the body (milter8.c).
  [Command.header, "endOfHeaders"],
  [Command.body, "endOfMessage"],
  [Command.endOfBody, "endOfMessage"],
]);

/** The command letter that announces each stage's macros: what an MTA puts into its SMFIC_MACRO. */
export const COMMAND_OF_STAGE: Readonly<Record<MacroStageName, number>> = {
  connect: Command.connect,
  helo: Command.helo,
  mail: Command.mail,
  rcpt: Command.rcpt,
  data: Command.data,
  endOfMessage: Command.endOfBody,
  endOfHeaders: Command.endOfHeaders,
};

/** Every stage in the order of its number. */
export const STAGES = Object.keys(MacroStage) as readonly MacroStageName[];

/** Bytes as a "binary" string, one character a byte. */
export function binaryText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/**
 * The C strings that stand back to back in `bytes`. The last one need not be ended by a NUL: some MTAs and
 * libraries leave it away.
 */
export function cStrings(bytes: Uint8Array): string[] {
  if (bytes.length === 0) return [];
  const texts = binaryText(bytes).split("\0");
  if (texts.at(-1) === "") texts.pop();
  return texts;
}

/**
 * Decodes one frame that an MTA sent.
 * @throws MilterError `MILTER_UNKNOWN_COMMAND`, or `MILTER_FRAME_DATA` when a field is missing
 */
export function decodeCommand(frame: Frame): MtaCommand {
  const { letter, data } = frame;
  switch (letter) {
    case Command.abort:
      return { kind: "abort" };
    case Command.body:
      return { kind: "body", bytes: data };
    case Command.connect:
      return decodeConnect(data);
    case Command.macro:
      return decodeMacro(data);
    case Command.endOfBody:
      return { kind: "endOfBody", bytes: data };
    case Command.helo:
      return { kind: "helo", name: cStrings(data)[0] ?? "" };
    case Command.quitNewConnexion:
      return { kind: "quitNewConnexion" };
    case Command.header:
      return decodeHeader(data);
    case Command.mail: {
      // Postfix's bounces and some libraries send MAIL with no argument at all: the null sender.
      const [sender = "<>", ...parameters] = cStrings(data);
      return { kind: "mail", sender, parameters };
    }
    case Command.endOfHeaders:
      return { kind: "endOfHeaders" };
    case Command.negotiate:
      return decodeNegotiation(data);
    case Command.quit:
      return { kind: "quit" };
    case Command.rcpt: {
      const [recipient = "", ...parameters] = cStrings(data);
      return { kind: "rcpt", recipient, parameters };
    }
    case Command.data:
      return { kind: "data" };
    case Command.unknown:
      return { kind: "unknown", command: cStrings(data)[0] ?? "" };
    default:
      throw new MilterError(
        "MILTER_UNKNOWN_COMMAND",
        `command 0x${letter.toString(16).padStart(2, "0")} is none of the milter protocol's`,
      );
  }
}

function decodeNegotiation(data: Uint8Array): MtaCommand {
  if (data.length < NEGOTIATION_BYTES) {
    throw new MilterError(
      "MILTER_FRAME_DATA",
      `negotiation of ${data.length} bytes where ${NEGOTIATION_BYTES} are due`,
    );
  }
  return {
    kind: "negotiate",
    version: readUint32(data, 0),
    actions: readUint32(data, 4),
    steps: readUint32(data, 8),
  };
}

function decodeHeader(data: Uint8Array): MtaCommand {
  const end = data.indexOf(0);
  if (end < 0) throw new MilterError("MILTER_FRAME_DATA", "header without the end of its name");
  const last = data.at(-1) === 0 && data.length - 1 > end ? data.length - 1 : data.length;
  return {
    kind: "header",
    name: binaryText(data.subarray(0, end)),
    value: binaryText(data.subarray(end + 1, last)),
  };
}

function decodeConnect(data: Uint8Array): MtaCommand {
  const end = data.indexOf(0);
  if (end < 0) throw new MilterError("MILTER_FRAME_DATA", "connect without the end of the host name");
  const host = binaryText(data.subarray(0, end));
  const letter = data[end + 1];
  // Whoever has no family is of this machine, and may pass unscanned: it must be said, not left out.
  if (letter === undefined) throw new MilterError("MILTER_FRAME_DATA", "connect without an address family");
  if (letter === FAMILY_UNKNOWN) {
    return { kind: "connect", host, family: "unknown", port: 0, address: "" };
  }
  const family = familyOf(letter);
  if (data.length < end + 4) throw new MilterError("MILTER_FRAME_DATA", "connect without a port");
  const port = (data[end + 2] ?? 0) * 256 + (data[end + 3] ?? 0);
  return { kind: "connect", host, family, port, address: cStrings(data.subarray(end + 4))[0] ?? "" };
}

function familyOf(letter: number): ClientFamily {
  if (letter === FAMILY_INET) return "inet";
  if (letter === FAMILY_INET6) return "inet6";
  if (letter === FAMILY_UNIX) return "unix";
  throw new MilterError(
    "MILTER_FRAME_DATA",
    `connect with the unknown address family 0x${letter.toString(16)}`,
  );
}

/** A macro packet may be empty, and may end with a name that has no value: both occur (Postfix, rspamd#2005). */
function decodeMacro(data: Uint8Array): MtaCommand {
  const letter = data[0];
  if (letter === undefined) return { kind: "macro", stage: null, pairs: [] };
  const texts = cStrings(data.subarray(1));
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < texts.length; at += 2) pairs.push([texts[at] ?? "", texts[at + 1] ?? ""]);
  // The last value may be empty, and its NUL is then all that is left of it.
  if (texts.length % 2 === 1) pairs.push([texts.at(-1) ?? "", ""]);
  return { kind: "macro", stage: STAGE_OF_COMMAND.get(letter) ?? null, pairs };
}
