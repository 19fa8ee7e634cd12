/**
 * The MTA's end of the protocol: what the tests and the load generator speak. It is written from the protocol,
 * not from the filter's end, so that an error in one is seen by the other.
 */
import { readUint32, writeUint32 } from "../wire/uint32.ts";
import { Command, MacroStage, type MacroStageName, Reply } from "./codes.ts";
import { COMMAND_OF_STAGE, cStrings, type MtaCommand } from "./commands.ts";
import { encodeFrame, type Frame } from "./frame.ts";
import { MilterError } from "./milter-error.ts";
import type { Modification } from "./replies.ts";

/** What a filter says, decoded. */
export type FilterReply =
  | { readonly kind: "continue" | "accept" | "reject" | "tempfail" | "discard" | "skip" | "progress" }
  | { readonly kind: "shutdown" | "connectionFailed" }
  | { readonly kind: "replyCode"; readonly text: string }
  | {
      readonly kind: "negotiate";
      readonly version: number;
      readonly actions: number;
      readonly steps: number;
      readonly macros: ReadonlyMap<MacroStageName, string>;
    }
  | { readonly kind: "modification"; readonly change: Modification };

const FAMILY_LETTERS = { inet: "4", inet6: "6", unix: "L", unknown: "U" } as const;
const PLAIN: ReadonlyMap<number, FilterReply> = new Map<number, FilterReply>([
  [Reply.continue, { kind: "continue" }],
  [Reply.accept, { kind: "accept" }],
  [Reply.reject, { kind: "reject" }],
  [Reply.tempfail, { kind: "tempfail" }],
  [Reply.discard, { kind: "discard" }],
  [Reply.skip, { kind: "skip" }],
  [Reply.progress, { kind: "progress" }],
  [Reply.shutdown, { kind: "shutdown" }],
  [Reply.connectionFailed, { kind: "connectionFailed" }],
]);
const STAGE_NAMES: ReadonlyMap<number, MacroStageName> = new Map(
  (Object.entries(MacroStage) as [MacroStageName, number][]).map(([name, number]) => [number, name]),
);

/** A command as one frame. A macro packet without a stage is not one that an MTA can send. */
export function encodeCommand(command: MtaCommand): Uint8Array {
  switch (command.kind) {
    case "abort":
      return encodeFrame(Command.abort);
    case "body":
      return encodeFrame(Command.body, command.bytes);
    case "connect":
      return encodeConnect(command);
    case "macro":
      return encodeMacro(command.stage ?? "connect", command.pairs);
    case "endOfBody":
      return encodeFrame(Command.endOfBody, command.bytes);
    case "helo":
      return encodeFrame(Command.helo, texts(command.name));
    case "quitNewConnexion":
      return encodeFrame(Command.quitNewConnexion);
    case "header":
      return encodeFrame(Command.header, texts(command.name, command.value));
    case "mail":
      return encodeFrame(Command.mail, texts(command.sender, ...command.parameters));
    case "endOfHeaders":
      return encodeFrame(Command.endOfHeaders);
    case "negotiate":
      return encodeFrame(Command.negotiate, numbers(command.version, command.actions, command.steps));
    case "quit":
      return encodeFrame(Command.quit);
    case "rcpt":
      return encodeFrame(Command.rcpt, texts(command.recipient, ...command.parameters));
    case "data":
      return encodeFrame(Command.data);
    case "unknown":
      return encodeFrame(Command.unknown, texts(command.command));
  }
}

function encodeConnect(client: Extract<MtaCommand, { kind: "connect" }>): Uint8Array {
  const letter = Buffer.from(FAMILY_LETTERS[client.family], "latin1");
  if (client.family === "unknown") return encodeFrame(Command.connect, texts(client.host), letter);
  const port = Buffer.alloc(2);
  port.writeUInt16BE(client.port);
  return encodeFrame(Command.connect, texts(client.host), letter, port, texts(client.address));
}

function encodeMacro(stage: MacroStageName, pairs: readonly [string, string][]): Uint8Array {
  return encodeFrame(Command.macro, Uint8Array.of(COMMAND_OF_STAGE[stage]), texts(...pairs.flat()));
}

/**
 * Decodes one frame that a filter sent.
 * @throws MilterError `MILTER_UNKNOWN_COMMAND` for a letter that no filter may send, or `MILTER_FRAME_DATA`
 */
export function decodeReply(frame: Frame): FilterReply {
  const plain = PLAIN.get(frame.letter);
  if (plain !== undefined) {
    // Postfix counts data behind a plain reply as a protocol error.
    if (frame.data.length > 0)
      throw new MilterError("MILTER_FRAME_DATA", `${plain.kind} with data behind it`);
    return plain;
  }
  if (frame.letter === Reply.replyCode) return { kind: "replyCode", text: onlyText(frame.data) };
  if (frame.letter === Reply.negotiate) return decodeNegotiation(frame.data);
  return { kind: "modification", change: decodeModification(frame) };
}

function decodeNegotiation(data: Uint8Array): FilterReply {
  if (data.length < 12) throw new MilterError("MILTER_FRAME_DATA", "a negotiation of less than 12 bytes");
  const macros = new Map<MacroStageName, string>();
  for (let at = 12; at < data.length; ) {
    const end = data.indexOf(0, at + 4);
    const stage = STAGE_NAMES.get(readUint32(data, at));
    if (end < 0 || stage === undefined) throw new MilterError("MILTER_FRAME_DATA", "a broken macro list");
    macros.set(stage, cStrings(data.subarray(at + 4, end))[0] ?? "");
    at = end + 1;
  }
  return {
    kind: "negotiate",
    version: readUint32(data, 0),
    actions: readUint32(data, 4),
    steps: readUint32(data, 8),
    macros,
  };
}

function decodeModification({ letter, data }: Frame): Modification {
  const fields = cStrings(data);
  const rest = cStrings(data.subarray(4));
  const [first = "", second = ""] = fields;
  const [name = "", value = ""] = rest;
  const parameters = second === "" ? {} : { parameters: second };
  switch (letter) {
    case Reply.addHeader:
      return { kind: "addHeader", name: first, value: second };
    case Reply.insertHeader:
      return { kind: "insertHeader", index: readUint32(data, 0), name, value };
    case Reply.changeHeader:
      return { kind: "changeHeader", index: readUint32(data, 0), name, value };
    case Reply.addRecipient:
    case Reply.addRecipientWithArguments:
      return { kind: "addRecipient", recipient: first, ...parameters };
    case Reply.deleteRecipient:
      return { kind: "deleteRecipient", recipient: first };
    case Reply.changeSender:
      return { kind: "changeSender", sender: first, ...parameters };
    case Reply.replaceBody:
      return { kind: "replaceBody", bytes: new Uint8Array(data) };
    case Reply.quarantine:
      return { kind: "quarantine", reason: first };
    default:
      throw new MilterError(
        "MILTER_UNKNOWN_COMMAND",
        `reply 0x${letter.toString(16)} is none of the protocol's`,
      );
  }
}

function onlyText(data: Uint8Array): string {
  if (data.at(-1) !== 0 || data.indexOf(0) !== data.length - 1) {
    throw new MilterError("MILTER_FRAME_DATA", "a text that does not end with its only NUL");
  }
  return cStrings(data)[0] ?? "";
}

function texts(...values: readonly string[]): Uint8Array {
  return Buffer.from(values.map((value) => `${value}\0`).join(""), "latin1");
}

function numbers(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  for (const [at, value] of values.entries()) writeUint32(bytes, at * 4, value);
  return bytes;
}
