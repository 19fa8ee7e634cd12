import { ALL_ACTIONS, Reply } from "../../../src/milter/codes.ts";
import { encodeFrame, type Frame, FrameDecoder } from "../../../src/milter/frame.ts";
import { MilterError } from "../../../src/milter/milter-error.ts";
import { decodeReply, type FilterReply } from "../../../src/milter/mta-codec.ts";
import { agree, encodeAgreement } from "../../../src/milter/negotiation.ts";
import { encodeModification, encodeVerdict, type Modification } from "../../../src/milter/replies.ts";
import { traceReplies } from "../../../src/milter/trace.ts";
import type { Chance } from "../chance.ts";
import { chanceOf } from "../pieces.ts";
import {
  BETWEEN,
  binary,
  bytesOf,
  must,
  mustEqual,
  outcomeOf,
  size,
  type Target,
  textsOf,
} from "../target.ts";
import { someText, TEXTS } from "./milter-grammar.ts";

function framesOf(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  new FrameDecoder().push(bytes, (frame) => frames.push(frame) > 0);
  return frames;
}

function repliesOf(parts: readonly Uint8Array[]): FilterReply[] {
  return parts.flatMap((part) => framesOf(part).map(decodeReply));
}

/** The MTA's side: a frame that a filter might send. */
const decoding: Target = {
  name: "milter-replies",
  about: "one frame from a filter, as the MTA's side reads it",
  dictionary: [...TEXTS, "\0", "\0\0\0\x01", "550 5.7.1 no", "O\0\0\0\x06"],
  largest: 65_530,
  generate(chance) {
    const letter = chance.happens(0.9) ? chance.pick(Object.values(Reply)) : chance.below(256);
    const number = chance.happens(0.5) ? [chance.bytes(4)] : [];
    const texts = chance.several(3, () => bytesOf(`${someText(chance)}\0`));
    return encodeFrame(letter, ...number, ...texts).subarray(4);
  },
  run(input) {
    const frame = { letter: input[0] ?? 0, data: input.subarray(1) };
    const { value, code } = outcomeOf(() => decodeReply(frame), MilterError);
    if (value === null) return `${frame.letter} ${code}`;
    traceReplies(encodeFrame(frame.letter, frame.data), 9);
    if (value.kind !== "modification") return value.kind;
    const [again] = repliesOf(encodeModification(value.change));
    mustEqual(again, value, "a change does not come back");
    return `${value.change.kind} ${size(JSON.stringify(value.change).length)}`;
  },
};

/** A change of each kind with these texts. */
function changesWith(one: string, two: string, index: number): Modification[] {
  return [
    { kind: "addHeader", name: one, value: two },
    { kind: "insertHeader", index, name: one, value: two },
    { kind: "changeHeader", index, name: one, value: two },
    { kind: "addRecipient", recipient: one },
    { kind: "addRecipient", recipient: one, parameters: two },
    { kind: "deleteRecipient", recipient: one },
    { kind: "changeSender", sender: one, parameters: two },
    { kind: "quarantine", reason: two },
    { kind: "replaceBody", bytes: Buffer.from(two) },
  ];
}

/** The filter's side: whatever a text has in it, its frame is one frame with as many strings as it must have. */
const encoding: Target = {
  name: "milter-answers",
  about: "answers with texts from outside, encoded for the MTA (UTF-8 input)",
  dictionary: [...TEXTS, "\0", "%", "%%", "\r\n", "\n.\n", "\xc4\x8a", "\xe5\x8c\x8a", "\xf0\x9f\x98\x80"],
  largest: 60_000,
  generate: (chance) => bytesOf([someText(chance), someText(chance), someText(chance)].join(BETWEEN)),
  run(input) {
    const [one = "", two = "", three = ""] = textsOf(input, 3).map((text) =>
      Buffer.from(text, "latin1").toString("utf8"),
    );
    const chance = chanceOf(input);
    for (const change of changesWith(one, two, chance.next())) mustComeAlone(change);
    mustBeOneReply([one, two, three], chance);
    mustAgree(chance, three);
    return `${size(one.length)} ${size(two.length)} ${/[\r\n]/.test(one + two)} ${/%/.test(three)}`;
  },
};

function mustComeAlone(change: Modification): void {
  const frames = encodeModification(change).flatMap(framesOf);
  if (change.kind === "replaceBody") {
    const body = Buffer.concat(frames.map(({ data }) => data));
    must(body.equals(change.bytes), "a body does not come back");
    return;
  }
  must(frames.length === 1, `${change.kind} became ${frames.length} frames`);
  const strings = binary(frames[0]?.data ?? new Uint8Array(0));
  const counted = "index" in change ? strings.slice(4) : strings;
  const due = { addHeader: 2, insertHeader: 2, changeHeader: 2, changeSender: 2 }[change.kind as string] ?? 1;
  const more = change.kind === "addRecipient" && change.parameters !== undefined ? 1 : 0;
  must(counted.split("\0").length - 1 === due + more, `${change.kind} has other strings than it must have`);
}

/** What RFC 5321, 4.2.1, and libmilter ask of a reply text. */
const REPLY_LINE = /^(4\d\d|5\d\d)([- ])([45])\.\d{1,3}\.\d{1,3} ([^\0\r\n]*)$/;

function mustBeOneReply(lines: readonly string[], chance: Chance): void {
  const code = chance.pick([421, 451, 550, 554]);
  const [reply, ...others] = repliesOf([
    encodeVerdict({ kind: "reply", code, enhanced: `${Math.floor(code / 100)}.7.1`, lines }),
  ]);
  must(reply?.kind === "replyCode" && others.length === 0, "a reply is not one reply");
  const texts = reply.text.split("\r\n");
  must(texts.length === lines.length, "a line of a reply has become more");
  for (const [at, text] of texts.entries()) {
    const [, number, sign, , words = ""] = REPLY_LINE.exec(text) ?? [];
    must(number === String(code), "a line of a reply is none");
    must(sign === (at < texts.length - 1 ? "-" : " "), "a reply goes on where it ends");
    must(words.length <= 980, "a line of a reply is too long");
    must(words.replaceAll("%%", "").includes("%") === false, "a percent sign that sendmail would format");
  }
}

function mustAgree(chance: Chance, text: string): void {
  const offer = { version: chance.below(9), actions: chance.next(), steps: chance.next() };
  const wanted = {
    actions: chance.next() & ALL_ACTIONS,
    steps: chance.next(),
    macros: { connect: ["j", "_"] },
  };
  const { value } = outcomeOf(() => agree(offer, wanted), MilterError);
  if (value === null) return;
  must(value.version >= 2 && value.version <= Math.min(6, offer.version), "a version that was not offered");
  must((value.actions & ~(offer.actions || 0xf)) === 0, "an action that was not offered");
  must((value.steps & ~(offer.steps || 0x3f)) === 0, "a step that was not offered");
  const [answer] = repliesOf([encodeAgreement(value, wanted.macros)]);
  must(answer?.kind === "negotiate", `no agreement with ${text.length}`);
}

export const REPLY_TARGETS: readonly Target[] = [decoding, encoding];
