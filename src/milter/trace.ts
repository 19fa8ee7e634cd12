import type { MtaCommand } from "./commands.ts";
import { FrameDecoder } from "./frame.ts";
import { decodeReply, type FilterReply } from "./mta-codec.ts";
import type { Modification } from "./replies.ts";

/** Who looks on at a session (`--debug`). */
export interface SessionTrace {
  /** The MTA said this; views in it are good only during the call. */
  heard(command: MtaCommand): void;
  /** We answer this: whole frames. */
  said(frames: Uint8Array): void;
  /** The connexion is over. */
  closed(): void;
}

/** From this level on connexions and commands are traced (man page, `--debug-level`; CB 1.8). */
export const TRACE_COMMANDS = 4;
/** From this level on the names and values of header lines, too. */
export const TRACE_HEADERS = 9;

/** Characters of a text from outside that are shown. */
const SHOWN = 500;

/**
 * A command of the MTA's in one text. Of bodies only the length is shown, on every level. Texts from the wire are
 * "binary" strings, as they came.
 * @param level 0 to 9
 */
export function traceCommand(command: MtaCommand, level: number): string {
  switch (command.kind) {
    case "negotiate":
      return `negotiate: ${agreementText(command)}`;
    case "connect":
      return `connect: ${clip(command.host)}[${clip(command.address)}] port ${command.port}, ${command.family}`;
    case "helo":
      return `helo: ${clip(command.name)}`;
    case "macro":
      return `macros of ${command.stage ?? "an unknown stage"}: ${macrosText(command.pairs)}`;
    case "mail":
      return `mail: ${clip([command.sender, ...command.parameters].join(" "))}`;
    case "rcpt":
      return `rcpt: ${clip([command.recipient, ...command.parameters].join(" "))}`;
    case "header":
      return `header: ${headerText(command.name, command.value, level)}`;
    case "endOfHeaders":
      return "end of headers";
    case "body":
      return `body: ${command.bytes.length} bytes`;
    case "endOfBody":
      return `end of message: ${command.bytes.length} bytes`;
    case "unknown":
      return `unknown command: ${clip(command.command)}`;
    case "quitNewConnexion":
      return "quit, and another connexion";
    case "data":
    case "abort":
    case "quit":
      return command.kind;
  }
}

/** Our own frames, each in one text; the same rules. */
export function traceReplies(frames: Uint8Array, level: number): string[] {
  const texts: string[] = [];
  new FrameDecoder().push(frames, (frame) => {
    texts.push(replyText(decodeReply(frame), level));
    return true;
  });
  return texts;
}

function replyText(reply: FilterReply, level: number): string {
  if (reply.kind === "replyCode") return `reply: ${clip(reply.text)}`;
  if (reply.kind === "modification") return modificationText(reply.change, level);
  if (reply.kind !== "negotiate") return reply.kind;
  const lists = [...reply.macros].map(([stage, names]) => `; macros of ${stage}: ${names}`);
  return `agreed: ${agreementText(reply)}${lists.join("")}`;
}

function modificationText(change: Modification, level: number): string {
  switch (change.kind) {
    case "addHeader":
      return `add header: ${headerText(change.name, change.value, level)}`;
    case "insertHeader":
      return `insert header at ${change.index}: ${headerText(change.name, change.value, level)}`;
    case "changeHeader":
      return change.value === ""
        ? `delete header ${change.index}: ${headerText(change.name, "", level)}`
        : `change header ${change.index}: ${headerText(change.name, change.value, level)}`;
    case "addRecipient":
      return `add recipient: ${clip(change.recipient)}`;
    case "deleteRecipient":
      return `delete recipient: ${clip(change.recipient)}`;
    case "changeSender":
      return `change sender: ${clip(change.sender)}`;
    case "replaceBody":
      return `replace body: ${change.bytes.length} bytes`;
    case "quarantine":
      return `quarantine: ${clip(change.reason)}`;
  }
}

function agreementText(offer: { version: number; actions: number; steps: number }): string {
  const { version, actions, steps } = offer;
  return `version ${version}, actions 0x${actions.toString(16)}, steps 0x${steps.toString(16)}`;
}

function headerText(name: string, value: string, level: number): string {
  return level >= TRACE_HEADERS ? clip(`${name}:${value}`) : `${name.length + value.length} bytes`;
}

function macrosText(pairs: readonly [string, string][]): string {
  return clip(pairs.map(([name, value]) => `${name}=${value}`).join(", "));
}

function clip(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}...`;
}
