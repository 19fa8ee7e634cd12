import { ChannelError, MAX_MESSAGE, MessageDecoder } from "../../../src/ipc/channel.ts";
import { checkFromEngine, checkToEngine } from "../../../src/ipc/engine-messages.ts";
import {
  checkChildRequest,
  checkFromRole,
  checkKeeperAnswer,
  checkToChild,
  checkToKeeper,
} from "../../../src/ipc/messages.ts";
import { logLine, syslogMessage } from "../../../src/log/render.ts";
import type { Chance } from "../chance.ts";
import { independentOfCuts } from "../pieces.ts";
import { bytesOf, must, mustEqual, size, type Target } from "../target.ts";
import { FIELDS, MESSAGES, TYPES } from "./ipc-examples.ts";

const KEYS: readonly string[] = [...new Set(MESSAGES.flatMap((each) => Object.keys(each)))];

/** Any JSON value, more often one that occurs. */
function someValue(chance: Chance, depth: number): unknown {
  const kind = chance.below(depth > 0 ? 10 : 7);
  if (kind < 2) return structuredClone(chance.pick(FIELDS));
  if (kind === 2) return chance.pick([0, 1, -1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e300]);
  if (kind === 3) return chance.pick([null, true, false]);
  if (kind === 4) return chance.text('ab\n\0\u2028"\\\ud800', chance.length(3000));
  if (kind === 5) return chance.pick(TYPES);
  if (kind === 6) return "x".repeat(chance.length(70_000));
  if (kind === 7) return chance.several(6, () => someValue(chance, depth - 1));
  return someRecord(chance, depth - 1);
}

function someRecord(chance: Chance, depth: number): Record<string, unknown> {
  const strange = ["__proto__", "constructor", "toString", "time", "pid", "level", ""];
  const key = (): string => chance.pick(chance.happens(0.7) ? KEYS : strange);
  return Object.fromEntries(chance.several(6, () => [key(), someValue(chance, depth)] as const));
}

/** A message that a process of ours may send, one field of which may be another. */
function someMessage(chance: Chance): unknown {
  if (chance.happens(0.1)) return someValue(chance, 3);
  const message = structuredClone(chance.pick(MESSAGES)) as Record<string, unknown>;
  while (chance.happens(0.5)) changeSomewhere(message, chance);
  return message;
}

/** Puts another value somewhere, however deep. */
function changeSomewhere(value: Record<string, unknown> | unknown[], chance: Chance): void {
  const keys = Object.keys(value);
  const key = keys.length > 0 && chance.happens(0.9) ? chance.pick(keys) : chance.pick(KEYS);
  const record = value as Record<string, unknown>;
  const inner = record[key];
  if (typeof inner === "object" && inner !== null && chance.happens(0.6)) {
    changeSomewhere(inner as Record<string, unknown>, chance);
  } else if (Array.isArray(value)) value.push(someValue(chance, 3));
  else record[key] = someValue(chance, 3);
}

const checks: Target = {
  name: "ipc-messages",
  about: "one message of another process of ours, which may have been taken over",
  dictionary: [...KEYS, ...TYPES]
    .map((word) => `"${word}"`)
    .concat(["{", "}", "[", "]", ":", ",", "null", "{}", "-1", "1e999"]),
  largest: MAX_MESSAGE,
  generate: (chance) => Buffer.from(JSON.stringify(someMessage(chance)).slice(0, MAX_MESSAGE)),
  run(input) {
    let message: unknown;
    try {
      message = JSON.parse(Buffer.from(input).toString("utf8"));
    } catch {
      return "no JSON";
    }
    const known = [checkFromRole, checkChildRequest, checkKeeperAnswer, checkFromEngine].map((check) => {
      const sound = check(message);
      if (sound === null) return "-";
      mustEqual(
        check(JSON.parse(JSON.stringify(sound))),
        sound,
        `${check.name} does not know what it passed`,
      );
      return `${sound.type} ${size(JSON.stringify(sound).length)}`;
    });
    const trusted = [checkToChild, checkToKeeper, checkToEngine].map((check) => check(message)?.type ?? "-");
    logAll(message);
    return [...known, ...trusted].join(" ");
  },
};

/** What a child has the keeper log is one line, says who speaks, and is no longer than a pipe takes in one piece. */
function logAll(message: unknown): void {
  const request = checkChildRequest(message);
  if (request?.type !== "log") return;
  const at = new Date(1_790_000_000_000);
  const speaker = { program: "clamav-milter", pid: 77 };
  for (const event of request.lines.slice(0, 5)) {
    for (const format of ["text", "json"] as const) {
      const line = logLine(event, at, format, speaker);
      must(!/[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(line), "a log line has a control character");
      const least = format === "json" ? 4000 : 4100;
      must(Buffer.byteLength(line) <= least, `a log line (${format}) of ${Buffer.byteLength(line)} bytes`);
      syslogMessage(event, at, format, speaker, "LOG_MAIL");
      if (format === "text") continue;
      const { time, level, program, pid } = JSON.parse(line) as Record<string, unknown>;
      mustEqual(
        [time, level, program, pid],
        [at.toISOString(), event.level, "clamav-milter", 77],
        "who speaks",
      );
    }
  }
}

interface Heard {
  readonly messages: readonly unknown[];
  readonly broken: boolean;
}

function heard(pieces: readonly Uint8Array[]): Heard {
  const decoder = new MessageDecoder();
  const messages: unknown[] = [];
  try {
    for (const piece of pieces) for (const message of decoder.push(piece.slice())) messages.push(message);
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    // What came before in one piece is lost then.
    return { messages: [], broken: true };
  }
  return { messages, broken: false };
}

const channel: Target = {
  name: "ipc-channel",
  about: "a stream of messages between processes",
  dictionary: ["\n", '{"type":"pong"}\n', "{}", "[", "\r\n", "\xff", "0\n", "1e999\n"],
  largest: MAX_MESSAGE + 5000,
  generate(chance) {
    const lines = chance.several(6, () => `${JSON.stringify(someMessage(chance))}\n`);
    return chance.happens(0.9)
      ? Buffer.from(lines.join(""))
      : bytesOf(lines.join(chance.text("\n{[\xff", 4)));
  },
  run(input) {
    const { messages, broken } = independentOfCuts(input, heard);
    return `${Math.min(messages.length, 8)} ${broken} ${size(JSON.stringify(messages).length)}`;
  },
};

export const IPC_TARGETS: readonly Target[] = [checks, channel];
